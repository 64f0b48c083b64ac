/** Certificates, committed entries and evidence on the wire. */
import type {
  CheckpointCertificate,
  CommitCertificate,
  CommittedEntry,
  Evidence,
  MemberSignature,
  PreparedCertificate,
} from "@quorate/protocol";
import { encodedBatch } from "./encoded-batches.ts";
import type { WireParts } from "./encoder.ts";
import { hex32, signature, uint, type Wire } from "./fields.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import { readBatch, writeBatch } from "./requests.ts";
import type { Tuple } from "./tuple.ts";

/** The type number of what stands alone, in a file or an answer; a later layout gets the next. Append only. */
const ENTRY = 1;
const CHECKPOINT_CERTIFICATE = 1;
const EQUIVOCATION = 1;

export function writeSignatures(signatures: readonly MemberSignature[]): Wire {
  return signatures.map((one) => [uint(one.from), signature(one.signature)]);
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

export function writePreparedCertificate(certificate: PreparedCertificate): Wire {
  return [writeEnvelope(certificate.prePrepare), writeSignatures(certificate.prepares)];
}
export function readPreparedCertificate(tuple: Tuple): PreparedCertificate {
  tuple.shape(2);
  return {
    prePrepare: readEnvelope(tuple.tuple(0, "prePrepare"), ["pre-prepare"]),
    prepares: readSignatures(tuple, 1, "prepares"),
  };
}

function writeCommitCertificate(certificate: CommitCertificate): Wire {
  const { epoch, view, seq, digest, signatures } = certificate;
  return [uint(epoch), uint(view), uint(seq), hex32(digest), writeSignatures(signatures)];
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

export function writeCheckpointCertificate(certificate: CheckpointCertificate): Wire {
  const { epoch, seq, stateRoot, signatures } = certificate;
  return [CHECKPOINT_CERTIFICATE, uint(epoch), uint(seq), hex32(stateRoot), writeSignatures(signatures)];
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

export function writeCommittedEntry(entry: CommittedEntry): Wire {
  return [ENTRY, writeBatch(entry.batch), writeCommitCertificate(entry.certificate)];
}
/** The same bytes, of a batch that was probably encoded before. */
export function writeArchivedEntry(entry: CommittedEntry): WireParts {
  return [ENTRY, encodedBatch(entry.batch), writeCommitCertificate(entry.certificate)];
}
export function readCommittedEntry(tuple: Tuple): CommittedEntry {
  tuple.typed(ENTRY, 3);
  return {
    batch: readBatch(tuple.tuple(1, "batch")),
    certificate: readCommitCertificate(tuple.tuple(2, "certificate")),
  };
}

const CONTRADICTING = ["pre-prepare", "prepare", "commit", "checkpoint"] as const;

export function writeEvidence(evidence: Evidence): Wire {
  return [EQUIVOCATION, writeEnvelope(evidence.first), writeEnvelope(evidence.second)];
}
export function readEvidence(tuple: Tuple): Evidence {
  tuple.typed(EQUIVOCATION, 3);
  return {
    type: "equivocation",
    first: readEnvelope(tuple.tuple(1, "first"), CONTRADICTING),
    second: readEnvelope(tuple.tuple(2, "second"), CONTRADICTING),
  };
}
