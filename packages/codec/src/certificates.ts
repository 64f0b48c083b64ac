/** Certificates, committed entries and evidence on the wire. */
import type {
  CheckpointCertificate,
  CommitCertificate,
  CommittedEntry,
  Evidence,
  MemberSignature,
  PreparedCertificate,
} from "@quorate/protocol";
import { writeBatchAgain } from "./encoded-batches.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import type { Reader } from "./reader.ts";
import { readBatch, writeBatch } from "./requests.ts";
import type { Writer } from "./writer.ts";

/** The type number of what stands alone, in a file or an answer; a later layout gets the next. Append only. */
const ENTRY = 1;
const CHECKPOINT_CERTIFICATE = 1;
const EQUIVOCATION = 1;

export function writeSignatures(writer: Writer, signatures: readonly MemberSignature[]): void {
  writer.array(signatures.length);
  for (const { from, signature } of signatures) writer.array(2).uint(from).signature(signature);
}

/** Signatures of distinct replicas, ascending by id, so that one set has one encoding. */
export function readSignatures(reader: Reader, field: string): MemberSignature[] {
  const signatures = reader.list(field, 0, reader.limits.membersMax, readSignature);
  let previous = -1;
  for (const { from } of signatures) {
    if (from <= previous) reader.fault("not-ascending", field, `an id above ${previous}`, `${from}`);
    previous = from;
  }
  return signatures;
}

function readSignature(reader: Reader, index: number): MemberSignature {
  reader.enter(index, 2);
  const signature = { from: reader.replica("from"), signature: reader.signature("signature") };
  reader.leave();
  return signature;
}

export function writePreparedCertificate(writer: Writer, certificate: PreparedCertificate): void {
  writer.array(2);
  writeEnvelope(writer, certificate.prePrepare);
  writeSignatures(writer, certificate.prepares);
}
export function readPreparedCertificate(reader: Reader, field: string): PreparedCertificate {
  reader.enter(field, 2);
  const certificate = {
    prePrepare: readEnvelope(reader, "prePrepare", PRE_PREPARE),
    prepares: readSignatures(reader, "prepares"),
  };
  reader.leave();
  return certificate;
}

function writeCommitCertificate(writer: Writer, certificate: CommitCertificate): void {
  const { epoch, view, seq, digest, signatures } = certificate;
  writer.array(5).uint(epoch).uint(view).uint(seq).hex32(digest);
  writeSignatures(writer, signatures);
}
function readCommitCertificate(reader: Reader, field: string): CommitCertificate {
  reader.enter(field, 5);
  const certificate: CommitCertificate = {
    epoch: reader.counter("epoch"),
    view: reader.counter("view"),
    seq: reader.counter("seq"),
    digest: reader.hex32("digest"),
    signatures: readSignatures(reader, "signatures"),
  };
  reader.leave();
  return certificate;
}

export function writeCheckpointCertificate(writer: Writer, certificate: CheckpointCertificate): void {
  const { epoch, seq, stateRoot, signatures } = certificate;
  writer.array(5).uint(CHECKPOINT_CERTIFICATE).uint(epoch).uint(seq).hex32(stateRoot);
  writeSignatures(writer, signatures);
}
export function readCheckpointCertificate(reader: Reader, field: string): CheckpointCertificate {
  reader.enterType(field, CHECKPOINT_CERTIFICATE, 5);
  const certificate: CheckpointCertificate = {
    epoch: reader.counter("epoch"),
    seq: reader.counter("seq"),
    stateRoot: reader.hex32("stateRoot"),
    signatures: readSignatures(reader, "signatures"),
  };
  reader.leave();
  return certificate;
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
export function readCommittedEntry(reader: Reader, field: string): CommittedEntry {
  reader.enterType(field, ENTRY, 3);
  const entry = { batch: readBatch(reader, "batch"), certificate: readCommitCertificate(reader, "certificate") };
  reader.leave();
  return entry;
}

const PRE_PREPARE = ["pre-prepare"] as const;
const CONTRADICTING = ["pre-prepare", "prepare", "commit", "checkpoint"] as const;

export function writeEvidence(writer: Writer, evidence: Evidence): void {
  writer.array(3).uint(EQUIVOCATION);
  writeEnvelope(writer, evidence.first);
  writeEnvelope(writer, evidence.second);
}
export function readEvidence(reader: Reader, field: string): Evidence {
  reader.enterType(field, EQUIVOCATION, 3);
  const first = readEnvelope(reader, "first", CONTRADICTING);
  const second = readEnvelope(reader, "second", CONTRADICTING);
  reader.leave();
  return { type: "equivocation", first, second };
}
