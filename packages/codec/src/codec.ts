import type {
  CheckpointCertificate,
  ClientFrame,
  CommittedEntry,
  Evidence,
  LogRecord,
  ReplicaFrame,
  ServerFrame,
} from "@quorate/protocol";
import {
  readCheckpointCertificate,
  readCommittedEntry,
  writeArchivedEntry,
  writeCheckpointCertificate,
} from "./certificates.ts";
import { type ClientCodec, clientCodecOver } from "./client-codec.ts";
import { createCoding } from "./coding.ts";
import type { Decoded } from "./decode-error.ts";
import { readEvidence, writeEvidence } from "./evidence.ts";
import {
  readClientFrame,
  readLogRecord,
  readReplicaFrame,
  writeLogRecord,
  writeReplicaFrame,
  writeServerFrame,
} from "./frames.ts";
import { type ReceiptCodec, receiptCodecOver } from "./receipt-codec.ts";
import { isStateChunk } from "./state-transfer.ts";
import { readVoteFrame } from "./vote-frames.ts";
import type { WireLimits } from "./wire-limits.ts";

/**
 * The wire of one cluster. Every call stands for itself, and one codec serves all links. What is encoded must not be
 * changed afterwards: the bytes of a batch are used again when it is encoded again.
 *
 * Encoding gives bytes that nobody else holds, and throws `InvariantViolation` for a value that has no encoding: that
 * is our own bug. Short frames, records and entries are to be sent or written and forgotten: they share blocks of memory
 * (`allocateBytes`). Certificates, links, receipts and evidence, which are kept, have a block of their own.
 *
 * Decoding never throws, and copies: nothing of the value is a view into the bytes, so a frame of megabytes is not kept
 * alive by a digest, and its buffer may be used again.
 */
export interface Codec extends ClientCodec, ReceiptCodec {
  encodeReplicaFrame(frame: ReplicaFrame): Uint8Array;
  decodeReplicaFrame(bytes: Uint8Array): Decoded<ReplicaFrame>;
  decodeClientFrame(bytes: Uint8Array): Decoded<ClientFrame>;
  encodeServerFrame(frame: ServerFrame): Uint8Array;
  encodeLogRecord(record: LogRecord): Uint8Array;
  decodeLogRecord(bytes: Uint8Array): Decoded<LogRecord>;
  encodeCommittedEntry(entry: CommittedEntry): Uint8Array;
  decodeCommittedEntry(bytes: Uint8Array): Decoded<CommittedEntry>;
  encodeCheckpointCertificate(certificate: CheckpointCertificate): Uint8Array;
  decodeCheckpointCertificate(bytes: Uint8Array): Decoded<CheckpointCertificate>;
  encodeEvidence(evidence: Evidence): Uint8Array;
  decodeEvidence(bytes: Uint8Array): Decoded<Evidence>;
}

/** Makes the codec of a cluster; `limits` come from `wireLimitsOf(genesis)`. */
export function createCodec(limits: WireLimits): Codec {
  const coding = createCoding(limits);
  const { encode, decode } = coding;
  return {
    ...clientCodecOver(coding, limits),
    ...receiptCodecOver(coding, limits),
    encodeReplicaFrame: (frame) => encode("replica-frame", limits.replicaFrame, writeReplicaFrame, frame),
    decodeReplicaFrame: (bytes) => {
      const vote = readVoteFrame(bytes, limits.replicaFrame);
      if (vote !== undefined) return { ok: true, value: vote };
      return decode(bytes, "frame", limits.replicaFrame, readReplicaFrame, isStateChunk(bytes) ? "whole" : "each");
    },
    decodeClientFrame: (bytes) => decode(bytes, "frame", limits.clientFrame, readClientFrame),
    encodeServerFrame: (frame) => encode("server-frame", limits.serverFrame, writeServerFrame, frame),
    encodeLogRecord: (record) => encode("log-record", limits.logRecord, writeLogRecord, record),
    decodeLogRecord: (bytes) => decode(bytes, "record", limits.logRecord, readLogRecord),
    encodeCommittedEntry: (entry) => encode("entry", limits.committedEntry, writeArchivedEntry, entry),
    decodeCommittedEntry: (bytes) => decode(bytes, "entry", limits.committedEntry, readCommittedEntry),
    encodeCheckpointCertificate: (certificate) =>
      encode("checkpoint", limits.checkpointCertificate, writeCheckpointCertificate, certificate).slice(),
    decodeCheckpointCertificate: (bytes) =>
      decode(bytes, "checkpoint", limits.checkpointCertificate, readCheckpointCertificate),
    encodeEvidence: (evidence) => encode("evidence", limits.evidence, writeEvidence, evidence).slice(),
    decodeEvidence: (bytes) => decode(bytes, "evidence", limits.evidence, readEvidence),
  };
}
