/** Links of the epoch chain on the wire. */
import {
  CONFIGURATION_BYTES_MAX,
  EPOCH_LINKS_MAX,
  type EpochLink,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  type FetchEpochs,
  type PageExcerpt,
  PROOF_SLOTS_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  type StateProof,
} from "@quorate/protocol";
import { readCheckpointCertificate, writeCheckpointCertificate } from "./certificates.ts";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

/** The type number of a link, which stands alone in a file; a later layout gets the next. Append only. */
const EPOCH_LINK = 1;

export function writeFetchEpochs(writer: Writer, { above }: FetchEpochs): void {
  writer.array(1).uint(above);
}
export function readFetchEpochs(tuple: Tuple): FetchEpochs {
  return { above: tuple.shape(1).counter(0, "above") };
}

export function writeEpochLinks(writer: Writer, links: readonly EpochLink[]): void {
  writer.array(links.length);
  for (const link of links) writeEpochLink(writer, link);
}

/** Of epochs one after the other; none where there is nothing above what was asked. */
export function readEpochLinks(tuple: Tuple, index: number): EpochLink[] {
  const links = tuple.list(index, "links", EPOCH_LINKS_MAX, readEpochLink);
  let expected = links[0]?.certificate.epoch ?? 0;
  for (const { certificate } of links) {
    if (certificate.epoch !== expected)
      tuple.fault("inconsistent", "links", `a certificate of epoch ${expected}`, `one of ${certificate.epoch}`);
    expected++;
  }
  return links;
}

export function writeEpochLink(writer: Writer, { certificate, record, proof }: EpochLink): void {
  writer.array(4).uint(EPOCH_LINK);
  writeCheckpointCertificate(writer, certificate);
  writer.bytes(record);
  writeProof(writer, proof);
}

/** Whether it proves anything is judged by the chain. */
export function readEpochLink(tuple: Tuple): EpochLink {
  tuple.typed(EPOCH_LINK, 4);
  return {
    certificate: readCheckpointCertificate(tuple.tuple(1, "certificate")),
    record: tuple.sized(2, "record", 1, CONFIGURATION_BYTES_MAX),
    proof: readProof(tuple.tuple(3, "proof")),
  };
}

function writeProof(writer: Writer, { excerpts, slots }: StateProof): void {
  writer.array(2).array(excerpts.length);
  for (const { head, group } of excerpts) writer.array(2).bytes(head).bytes(group);
  writer.array(slots === undefined ? 0 : 1);
  if (slots !== undefined) writer.bytes(slots);
}

/** The root has a page, so there is one excerpt at least. */
function readProof(tuple: Tuple): StateProof {
  tuple.shape(2).bounded(0, "excerpts", 1, STATE_PROOF_EXCERPTS_MAX);
  const slots = tuple.tuple(1, "slots");
  return {
    excerpts: tuple.list(0, "excerpts", STATE_PROOF_EXCERPTS_MAX, readExcerpt),
    slots: slots.length === 0 ? undefined : slots.shape(1).sized(0, 0, 1, PROOF_SLOTS_BYTES_MAX),
  };
}

function readExcerpt(tuple: Tuple): PageExcerpt {
  tuple.shape(2);
  return {
    head: tuple.sized(0, "head", EXCERPT_HEAD_BYTES, EXCERPT_HEAD_BYTES),
    group: tuple.sized(1, "group", EXCERPT_GROUP_BYTES, EXCERPT_GROUP_BYTES),
  };
}
