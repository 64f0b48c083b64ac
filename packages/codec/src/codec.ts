import {
  type CheckpointCertificate,
  type ClientFrame,
  type CommittedEntry,
  type Evidence,
  invariant,
  type LogRecord,
  type Receipt,
  type ReplicaFrame,
  type ServerFrame,
} from "@quorate/protocol";
import { Decoder } from "cbor-x/decode";
import {
  readCheckpointCertificate,
  readCommittedEntry,
  readEvidence,
  writeArchivedEntry,
  writeCheckpointCertificate,
  writeEvidence,
} from "./certificates.ts";
import type { Decoded } from "./decode-error.ts";
import { CBOR_SETTINGS, Encoded, encodeParts, encodeValue, type WireParts } from "./encoder.ts";
import type { Wire } from "./fields.ts";
import {
  readClientFrame,
  readLogRecord,
  readReplicaFrame,
  readServerFrame,
  writeClientFrame,
  writeLogRecord,
  writeReplicaFrame,
  writeServerFrame,
} from "./frames.ts";
import { readReceipt, writeReceipt } from "./outputs.ts";
import { preScan, type ScanLimits } from "./pre-scan.ts";
import { Decoding, Tuple } from "./tuple.ts";
import type { WireLimits } from "./wire-limits.ts";

/**
 * The wire of one cluster. Every call stands for itself, and one codec serves all links. What is encoded must not be
 * changed afterwards: the bytes of a batch are used again when it is encoded again.
 *
 * Encoding gives bytes that nobody else holds, and throws `InvariantViolation` for a value that has no encoding: that
 * is our own bug. Decoding never throws, and copies: nothing of the value is a view into the bytes, so a frame of
 * megabytes is not kept alive by a digest, and its buffer may be used again.
 */
export interface Codec {
  readonly limits: WireLimits;
  encodeReplicaFrame(frame: ReplicaFrame): Uint8Array;
  decodeReplicaFrame(bytes: Uint8Array): Decoded<ReplicaFrame>;
  encodeClientFrame(frame: ClientFrame): Uint8Array;
  decodeClientFrame(bytes: Uint8Array): Decoded<ClientFrame>;
  encodeServerFrame(frame: ServerFrame): Uint8Array;
  decodeServerFrame(bytes: Uint8Array): Decoded<ServerFrame>;
  encodeLogRecord(record: LogRecord): Uint8Array;
  decodeLogRecord(bytes: Uint8Array): Decoded<LogRecord>;
  encodeCommittedEntry(entry: CommittedEntry): Uint8Array;
  decodeCommittedEntry(bytes: Uint8Array): Decoded<CommittedEntry>;
  encodeCheckpointCertificate(certificate: CheckpointCertificate): Uint8Array;
  decodeCheckpointCertificate(bytes: Uint8Array): Decoded<CheckpointCertificate>;
  encodeReceipt(receipt: Receipt): Uint8Array;
  decodeReceipt(bytes: Uint8Array): Decoded<Receipt>;
  encodeEvidence(evidence: Evidence): Uint8Array;
  decodeEvidence(bytes: Uint8Array): Decoded<Evidence>;
}

/** Makes the codec of a cluster; `limits` come from `wireLimitsOf(genesis)`. */
export function createCodec(limits: WireLimits): Codec {
  const encode = (kind: string, scan: ScanLimits, wire: Wire | WireParts): Uint8Array => encodeWire(kind, scan, wire);
  const decode = <T>(
    bytes: Uint8Array,
    name: string,
    scan: ScanLimits,
    read: (tuple: Tuple) => T | undefined,
  ): Decoded<T> => decodeWire(bytes, name, scan, limits, read);
  return {
    limits,
    encodeReplicaFrame: (frame) => encode("replica-frame", limits.replicaFrame, writeReplicaFrame(frame)),
    decodeReplicaFrame: (bytes) => decode(bytes, "frame", limits.replicaFrame, readReplicaFrame),
    encodeClientFrame: (frame) => encode("client-frame", limits.clientFrame, writeClientFrame(frame)),
    decodeClientFrame: (bytes) => decode(bytes, "frame", limits.clientFrame, readClientFrame),
    encodeServerFrame: (frame) => encode("server-frame", limits.serverFrame, writeServerFrame(frame)),
    decodeServerFrame: (bytes) => decode(bytes, "frame", limits.serverFrame, readServerFrame),
    encodeLogRecord: (record) => encode("log-record", limits.logRecord, writeLogRecord(record)),
    decodeLogRecord: (bytes) => decode(bytes, "record", limits.logRecord, readLogRecord),
    encodeCommittedEntry: (entry) => encode("entry", limits.committedEntry, writeArchivedEntry(entry)),
    decodeCommittedEntry: (bytes) => decode(bytes, "entry", limits.committedEntry, readCommittedEntry),
    encodeCheckpointCertificate: (certificate) =>
      encode("checkpoint", limits.checkpointCertificate, writeCheckpointCertificate(certificate)),
    decodeCheckpointCertificate: (bytes) =>
      decode(bytes, "checkpoint", limits.checkpointCertificate, readCheckpointCertificate),
    encodeReceipt: (receipt) => encode("receipt", limits.receipt, writeReceipt(receipt)),
    decodeReceipt: (bytes) => decode(bytes, "receipt", limits.receipt, readReceipt),
    encodeEvidence: (evidence) => encode("evidence", limits.evidence, writeEvidence(evidence)),
    decodeEvidence: (bytes) => decode(bytes, "evidence", limits.evidence, readEvidence),
  };
}

const decoder = new Decoder(CBOR_SETTINGS);

function encodeWire(kind: string, scan: ScanLimits, wire: Wire | WireParts): Uint8Array {
  const bytes = isInParts(wire) ? encodeParts(wire) : encodeValue(wire);
  invariant(bytes.length <= scan.bytesMax, "codec.too-large", { kind, bytes: bytes.length, max: scan.bytesMax });
  return bytes;
}

function isInParts(wire: Wire | WireParts): wire is WireParts {
  return Array.isArray(wire) && wire.some((part) => part instanceof Encoded);
}

function decodeWire<T>(
  bytes: Uint8Array,
  name: string,
  scan: ScanLimits,
  limits: WireLimits,
  read: (tuple: Tuple) => T | undefined,
): Decoded<T> {
  const structural = preScan(bytes, scan);
  if (structural !== undefined) return { ok: false, error: structural };
  const scanned = decodeScanned(bytes);
  if (!scanned.ok) return scanned;
  const decoding = new Decoding(limits);
  const value = read(new Tuple(decoding, undefined, name, scanned.value));
  const { error } = decoding;
  if (error !== undefined) return { ok: false, error };
  invariant(value !== undefined, "codec.reader-without-verdict", { name });
  return { ok: true, value };
}

function decodeScanned(bytes: Uint8Array): Decoded<unknown> {
  // A plain view of our own: the decoder slices with the species of its source, so that a Buffer would give Buffers,
  // and it leaves a property on the object it is given.
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return { ok: true, value: decoder.decode(source) };
  } catch (thrown) {
    // It takes whatever the pre-scan takes, unless another part of the process lowers its process-wide limits. Then
    // one frame is refused: foreign bytes must not end a process on the way through a foreign library.
    const got = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, error: { code: "undecodable", path: "@0", expected: "what passed the pre-scan", got } };
  }
}
