import type { Digest, Epoch, ReplicaId, SequenceNumber, ViewNumber } from "./ids.ts";
import { type Membership, memberOf, primaryOf, quorumSize } from "./membership.ts";
import type { Envelope, NewView, PrePrepare, ReplyStable, ViewChange } from "./messages.ts";

/** One signature of a certificate; the signed message follows from the certificate's other fields. */
export interface MemberSignature {
  readonly from: ReplicaId;
  readonly signature: Uint8Array;
}

/** q COMMITs of one (epoch, view, seq, digest): proves the decision to anyone (protocol rule 4.5). */
export interface CommitCertificate {
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  readonly digest: Digest;
  /** Of distinct members, ascending by id. */
  readonly signatures: readonly MemberSignature[];
}

/** The pre-prepare and q-1 PREPAREs of distinct backups (OSDI'99 §4.2, `prepared`). */
export interface PreparedCertificate {
  readonly prePrepare: Envelope<PrePrepare>;
  /** Of distinct backups, ascending by id. */
  readonly prepares: readonly MemberSignature[];
}

/** q CHECKPOINTs of one (epoch, seq, state root). Genesis is seq 0 and needs no signatures (OSDI'99 §4.3). */
export interface CheckpointCertificate {
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  readonly stateRoot: Digest;
  /** Of distinct members, ascending by id. */
  readonly signatures: readonly MemberSignature[];
}

/** A VIEW-CHANGE with what proves its claims. Nobody signs the certificates: a fact may have many (protocol rule 2.3). */
export interface JustifiedViewChange {
  readonly envelope: Envelope<ViewChange>;
  /** Of `stable`; for genesis without signatures. */
  readonly checkpoint: CheckpointCertificate;
  /** One for each element of `prepared`, in the same order. */
  readonly certificates: readonly PreparedCertificate[];
}

/** A NEW-VIEW with all that is needed to draw its conclusion again. */
export interface JustifiedNewView {
  readonly envelope: Envelope<NewView>;
  /** One for each element of `viewChanges`, in the same order. */
  readonly viewChanges: readonly Envelope<ViewChange>[];
  /** Of the start; for genesis without signatures. */
  readonly checkpoint: CheckpointCertificate;
  /** For each number that is not a gap, ascending, a certificate of the claim that was chosen. */
  readonly certificates: readonly PreparedCertificate[];
  /** The new primary's signatures over the PRE-PREPAREs that follow from `digests`, in the same order. */
  readonly prePrepareSignatures: readonly Uint8Array[];
}

/** An answer to one that lost its disk, with what proves its checkpoint. */
export interface JustifiedReplyStable {
  readonly envelope: Envelope<ReplyStable>;
  /** Of `stable`; for genesis without signatures. */
  readonly checkpoint: CheckpointCertificate;
}

/** Why a certificate proves nothing, before any of its signatures was looked at. */
export type CertificateFault = "wrong-epoch" | "not-a-quorum" | "not-ascending" | "stranger" | "primary-among-backups";

/**
 * Judges everything about a certificate but the signatures themselves: enough distinct members of the epoch it was
 * cast in, in order. `crypto` calls this first: arithmetic is cheaper than curves.
 */
export function commitCertificateFault(c: CommitCertificate, membership: Membership): CertificateFault | undefined {
  if (c.epoch !== membership.epoch) return "wrong-epoch";
  return signersFault(c.signatures, quorumSize(membership), membership);
}

/** As `commitCertificateFault`; the pre-prepare counts as the primary's vote, so q-1 backups are a quorum. */
export function preparedCertificateFault(c: PreparedCertificate, membership: Membership): CertificateFault | undefined {
  const { epoch, view } = c.prePrepare.message;
  if (epoch !== membership.epoch) return "wrong-epoch";
  const primary = primaryOf(membership, view);
  if (c.prePrepare.from !== primary) return "stranger";
  if (c.prepares.some((prepare) => prepare.from === primary)) return "primary-among-backups";
  return signersFault(c.prepares, quorumSize(membership) - 1, membership);
}

/** As `commitCertificateFault`. The certificate of genesis is not judged but known. */
export function checkpointCertificateFault(
  c: CheckpointCertificate,
  membership: Membership,
): CertificateFault | undefined {
  if (c.epoch !== membership.epoch) return "wrong-epoch";
  return signersFault(c.signatures, quorumSize(membership), membership);
}

function signersFault(
  signatures: readonly MemberSignature[],
  needed: number,
  membership: Membership,
): CertificateFault | undefined {
  if (signatures.length < needed) return "not-a-quorum";
  let previous = -1;
  for (const { from } of signatures) {
    if (from <= previous) return "not-ascending";
    if (memberOf(membership, from) === undefined) return "stranger";
    previous = from;
  }
  return undefined;
}
