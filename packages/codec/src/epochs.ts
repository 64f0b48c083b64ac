/** Links of the epoch chain on the wire. */
import { CONFIGURATION_BYTES_MAX, EPOCH_LINKS_MAX, type EpochLink, type FetchEpochs } from "@quorate/protocol";
import { readCheckpointCertificate, writeCheckpointCertificate } from "./certificates.ts";
import { readStateProof, writeStateProof } from "./state-proofs.ts";
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
  writeStateProof(writer, proof);
}

/** Whether it proves anything is judged by the chain. */
export function readEpochLink(tuple: Tuple): EpochLink {
  tuple.typed(EPOCH_LINK, 4);
  return {
    certificate: readCheckpointCertificate(tuple.tuple(1, "certificate")),
    record: tuple.sized(2, "record", 1, CONFIGURATION_BYTES_MAX),
    proof: readStateProof(tuple.tuple(3, "proof")),
  };
}
