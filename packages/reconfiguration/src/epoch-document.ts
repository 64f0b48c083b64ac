import {
  bytesToHex,
  type CheckpointClaim,
  type ClusterId,
  digest,
  EPOCHS_MAX,
  type EpochLink,
  FORMAT_VERSION,
  hexToBytes,
  isCounter,
  isHex32,
  sequenceNumber,
} from "@quorate/protocol";
import type { EpochChain } from "./epoch-chain.ts";
import { type TrustedEpoch, TrustedEpochError } from "./trusted-epoch.ts";

/** How links are written; a `Codec` is one. */
export interface LinkCodec {
  encodeEpochLink(link: EpochLink): Uint8Array;
  decodeEpochLink(bytes: Uint8Array): { readonly ok: true; readonly value: EpochLink } | { readonly ok: false };
}

/** A later epoch for clients and replicas to begin with, beside the genesis document and trusted like it. Plain data, for a JSON file. */
export interface EpochDocument {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly type: "epoch";
  /** Whose genesis document it goes with. */
  readonly cluster: string;
  /** The record of the configuration, in hex. */
  readonly record: string;
  /** The checkpoint that the epoch begins with. */
  readonly start: { readonly seq: number; readonly stateRoot: string };
  /** The links from genesis to it, each in hex; none where nobody has to judge what was signed before. */
  readonly links: readonly string[];
}

/**
 * The document of the latest epoch that a chain knows.
 *
 * @returns undefined for epoch 0: its document is that of genesis.
 */
export function epochDocumentOf(
  { trusted }: Pick<EpochChain, "trusted">,
  cluster: ClusterId,
  codec: Pick<LinkCodec, "encodeEpochLink">,
): EpochDocument | undefined {
  if (trusted === undefined) return undefined;
  const { record, start, links } = trusted;
  return {
    formatVersion: FORMAT_VERSION,
    type: "epoch",
    cluster,
    record: bytesToHex(record),
    start: { seq: start.seq, stateRoot: start.stateRoot },
    links: links.map((link) => bytesToHex(codec.encodeEpochLink(link))),
  };
}

/**
 * Reads such a document. Whether its links lead to it is for `EpochChain`.
 *
 * @param value what a JSON parser gave.
 * @throws TrustedEpochError naming the first thing that is wrong.
 */
export function parseEpochDocument(
  value: unknown,
  cluster: ClusterId,
  codec: Pick<LinkCodec, "decodeEpochLink">,
): TrustedEpoch {
  const document: Partial<Record<keyof EpochDocument, unknown>> = isObject(value) ? value : refuse("it is no object");
  if (document.type !== "epoch") refuse(`its type is ${JSON.stringify(document.type)}, expected "epoch"`);
  if (document.formatVersion !== FORMAT_VERSION)
    refuse(`its format version is ${JSON.stringify(document.formatVersion)}, this program speaks ${FORMAT_VERSION}`);
  if (document.cluster !== cluster) refuse(`it is of cluster ${String(document.cluster)}, expected ${cluster}`);
  const { links } = document;
  if (!Array.isArray(links) || links.length > EPOCHS_MAX) refuse(`links is no list of at most ${EPOCHS_MAX}`);
  return {
    record: bytesIn(document.record, "record"),
    start: startOf(document.start),
    links: (links as readonly unknown[]).map((link, at) => {
      const decoded = codec.decodeEpochLink(bytesIn(link, `links.${at}`));
      return decoded.ok ? decoded.value : refuse(`links.${at} is no link of an epoch chain`);
    }),
  };
}

function startOf(value: unknown): CheckpointClaim {
  const { seq, stateRoot }: { seq?: unknown; stateRoot?: unknown } = isObject(value) ? value : {};
  if (!isCounter(seq) || !isHex32(stateRoot)) refuse("start is no number of a checkpoint with the root of its state");
  return { seq: sequenceNumber(seq), stateRoot: digest(stateRoot) };
}

function bytesIn(hex: unknown, where: string): Uint8Array {
  const isHex = typeof hex === "string" && /^([0-9a-f]{2})+$/.test(hex);
  return isHex ? hexToBytes(hex) : refuse(`${where} is no hex`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function refuse(what: string): never {
  throw new TrustedEpochError(what);
}
