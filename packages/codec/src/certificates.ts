/** Certificates and committed entries on the wire. */
import type {
  CheckpointCertificate,
  CommitCertificate,
  CommittedEntry,
  MemberSignature,
  PreparedCertificate,
} from "@quorate/protocol";
import { writeBatchAgain } from "./encoded-batches.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import { readBatch, writeBatch } from "./requests.ts";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

/** The type number of what stands alone, in a file or an answer; a later layout gets the next. Append only. */
const ENTRY = 1;
const CHECKPOINT_CERTIFICATE = 1;

export function writeSignatures(writer: Writer, signatures: readonly MemberSignature[]): void {
  writer.array(signatures.length);
  for (const { from, signature } of signatures) writer.array(2).uint(from).signature(signature);
}

/** Signatures of distinct replicas, ascending by id, so that one set has one encoding. */
export function readSignatures(tuple: Tuple, index: number, field: string): MemberSignature[] {
  const signatures = tuple.list(index, field, tuple.decoding.limits.membersMax, readSignature);
  let previous = -1;
  for (const { from } of signatures) {
    if (from <= previous) tuple.fault("not-ascending", field, `an id above ${previous}`, `${from}`);
    previous = from;
  }
  return signatures;
}

function readSignature(tuple: Tuple): MemberSignature {
  tuple.shape(2);
  return { from: tuple.replica(0, "from"), signature: tuple.signature(1, "signature") };
}

export function writePreparedCertificate(writer: Writer, certificate: PreparedCertificate): void {
  writer.array(2);
  writeEnvelope(writer, certificate.prePrepare);
  writeSignatures(writer, certificate.prepares);
}
export function readPreparedCertificate(tuple: Tuple): PreparedCertificate {
  tuple.shape(2);
  return {
    prePrepare: readEnvelope(tuple.tuple(0, "prePrepare"), ["pre-prepare"]),
    prepares: readSignatures(tuple, 1, "prepares"),
  };
}

function writeCommitCertificate(writer: Writer, certificate: CommitCertificate): void {
  const { epoch, view, seq, digest, signatures } = certificate;
  writer.array(5).uint(epoch).uint(view).uint(seq).hex32(digest);
  writeSignatures(writer, signatures);
}
function readCommitCertificate(tuple: Tuple): CommitCertificate {
  tuple.shape(5);
  return {
    epoch: tuple.counter(0, "epoch"),
    view: tuple.counter(1, "view"),
    seq: tuple.counter(2, "seq"),
    digest: tuple.hex32(3, "digest"),
    signatures: readSignatures(tuple, 4, "signatures"),
  };
}

export function writeCheckpointCertificate(writer: Writer, certificate: CheckpointCertificate): void {
  const { epoch, seq, stateRoot, signatures } = certificate;
  writer.array(5).uint(CHECKPOINT_CERTIFICATE).uint(epoch).uint(seq).hex32(stateRoot);
  writeSignatures(writer, signatures);
}
export function readCheckpointCertificate(tuple: Tuple): CheckpointCertificate {
  tuple.typed(CHECKPOINT_CERTIFICATE, 5);
  return {
    epoch: tuple.counter(1, "epoch"),
    seq: tuple.counter(2, "seq"),
    stateRoot: tuple.hex32(3, "stateRoot"),
    signatures: readSignatures(tuple, 4, "signatures"),
  };
}

export function writeCommittedEntry(writer: Writer, entry: CommittedEntry): void {
  writer.array(3).uint(ENTRY);
  writeBatch(writer, entry.batch);
  writeCommitCertificate(writer, entry.certificate);
}
/** The same bytes, of a batch that was probably written before. */
export function writeArchivedEntry(writer: Writer, entry: CommittedEntry): void {
  writer.array(3).uint(ENTRY);
  writeBatchAgain(writer, entry.batch);
  writeCommitCertificate(writer, entry.certificate);
}
export function readCommittedEntry(tuple: Tuple): CommittedEntry {
  tuple.typed(ENTRY, 3);
  return {
    batch: readBatch(tuple.tuple(1, "batch")),
    certificate: readCommitCertificate(tuple.tuple(2, "certificate")),
  };
}
