import {
  type Commit,
  type CommitCertificate,
  type Digest,
  type Envelope,
  invariant,
  type MemberSignature,
  type PrePrepare,
  type Prepare,
  type PreparedCertificate,
  type ReplicaId,
  type SequenceNumber,
  type ThreePhaseMessage,
  type VerifiedBatch,
  type VerifiedEnvelope,
  type ViewNumber,
} from "@quorate/protocol";

/** What became of a vote. `conflicting`: the sender had voted otherwise; the first vote counts, both are evidence. */
export type VoteOutcome =
  | { readonly type: "counted" }
  | { readonly type: "repeated" }
  | {
      readonly type: "conflicting";
      readonly first: Envelope<ThreePhaseMessage>;
      readonly second: Envelope<ThreePhaseMessage>;
    };

const COUNTED: VoteOutcome = { type: "counted" };

/** One sequence number in one view: the log entry of OSDI'99 §4.2, with the predicates of the paper. */
export class Slot {
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  /** The first pre-prepare of the primary; a second one with another digest is evidence. */
  prePrepare: VerifiedEnvelope<PrePrepare> | undefined;
  /** The batch with the pre-prepare's digest, once it is held and verified. */
  batch: VerifiedBatch | undefined;
  /** The batch was asked for by digest; if the answer is lost, the next status says that it is lacking. */
  isBodyAskedFor = false;
  /** Proposed by a NEW-VIEW: a quorum vouches for its time, and it may be the null batch. */
  isReproposed = false;
  /** Pre-prepared here: written to the log, own vote cast. */
  isAccepted = false;
  /** The prepared certificate was written to the log and the own COMMIT cast. */
  isPrepared = false;
  /** Members whose equivocation at this number is on record; more of it proves nothing new. */
  #convicted: Set<ReplicaId> | undefined;
  readonly #prepares = new Map<ReplicaId, VerifiedEnvelope<Prepare>>();
  readonly #commits = new Map<ReplicaId, VerifiedEnvelope<Commit>>();

  constructor(view: ViewNumber, seq: SequenceNumber) {
    this.view = view;
    this.seq = seq;
  }

  get digest(): Digest | undefined {
    return this.prePrepare?.message.digest;
  }

  addPrePrepare(envelope: VerifiedEnvelope<PrePrepare>): VoteOutcome {
    const first = this.prePrepare;
    if (first === undefined) {
      this.prePrepare = envelope;
      return COUNTED;
    }
    return this.#repeatedOrConflicting(first, envelope);
  }

  addPrepare(envelope: VerifiedEnvelope<Prepare>): VoteOutcome {
    return this.#addVote(this.#prepares, envelope);
  }

  addCommit(envelope: VerifiedEnvelope<Commit>): VoteOutcome {
    return this.#addVote(this.#commits, envelope);
  }

  /**
   * Whether this message of `from` can change nothing here: it is there already, or its kind is complete for this
   * digest. A vote that contradicts an earlier one of its sender is not redundant, for verified it is evidence, until
   * its sender is convicted.
   *
   * @param decided the digest that is decided here, if one is.
   */
  isRedundant(from: ReplicaId, { type, digest }: ThreePhaseMessage, decided: Digest | undefined): boolean {
    const own = this.#ownMessage(from, type);
    if (own !== undefined && own.message.digest !== digest) return this.#convicted?.has(from) === true;
    if (digest === decided) return true;
    // A proposal is needed again while its body is missing.
    if (type === "pre-prepare") return own !== undefined && (this.isAccepted || this.batch !== undefined);
    return own !== undefined || (type === "prepare" && this.isPrepared && digest === this.digest);
  }

  prepareOf(id: ReplicaId): VerifiedEnvelope<Prepare> | undefined {
    return this.#prepares.get(id);
  }
  commitOf(id: ReplicaId): VerifiedEnvelope<Commit> | undefined {
    return this.#commits.get(id);
  }

  prepareCount(digest: Digest): number {
    return countMatching(this.#prepares, digest);
  }

  /** prepared(d, v, n) without its write: the pre-prepare, its batch, and `quorum - 1` PREPAREs of backups. */
  hasPrepareQuorum(quorum: number): boolean {
    const { digest } = this;
    return this.isAccepted && digest !== undefined && countMatching(this.#prepares, digest) >= quorum - 1;
  }

  preparedCertificate(quorum: number): PreparedCertificate {
    const { prePrepare } = this;
    invariant(prePrepare !== undefined, "slot.certificate-without-pre-prepare", { seq: this.seq });
    const prepares = signaturesFor(this.#prepares, prePrepare.message.digest, quorum - 1);
    return { prePrepare, prepares };
  }

  /** The digest for which `quorum` members sent COMMITs, whatever the primary proposed to us. */
  commitQuorumDigest(quorum: number): Digest | undefined {
    if (this.#commits.size < quorum) return undefined;
    for (const { message } of this.#commits.values())
      if (countMatching(this.#commits, message.digest) >= quorum) return message.digest;
    return undefined;
  }

  commitCertificate(digest: Digest, quorum: number): CommitCertificate {
    const [first] = this.#commits.values();
    invariant(first !== undefined, "slot.certificate-without-commits", { seq: this.seq });
    const { epoch } = first.message;
    return {
      epoch,
      view: this.view,
      seq: this.seq,
      digest,
      signatures: signaturesFor(this.#commits, digest, quorum),
    };
  }

  #ownMessage(from: ReplicaId, type: ThreePhaseMessage["type"]): Envelope<ThreePhaseMessage> | undefined {
    switch (type) {
      case "pre-prepare":
        return this.prePrepare;
      case "prepare":
        return this.#prepares.get(from);
      case "commit":
        return this.#commits.get(from);
    }
  }

  #addVote<M extends Prepare | Commit>(
    votes: Map<ReplicaId, VerifiedEnvelope<M>>,
    envelope: VerifiedEnvelope<M>,
  ): VoteOutcome {
    const first = votes.get(envelope.from);
    if (first !== undefined) return this.#repeatedOrConflicting(first, envelope);
    votes.set(envelope.from, envelope);
    return COUNTED;
  }

  #repeatedOrConflicting(
    first: Envelope<PrePrepare | Prepare | Commit>,
    second: Envelope<PrePrepare | Prepare | Commit>,
  ): VoteOutcome {
    // By content: one sender can make many valid signatures for one message (protocol rule 2.3).
    if (first.message.digest === second.message.digest) return { type: "repeated" };
    this.#convicted ??= new Set();
    this.#convicted.add(second.from);
    return { type: "conflicting", first, second };
  }
}

function countMatching(votes: ReadonlyMap<ReplicaId, Envelope<Prepare | Commit>>, digest: Digest): number {
  let count = 0;
  for (const { message } of votes.values()) if (message.digest === digest) count += 1;
  return count;
}

/** The first `count` by id, so that a certificate does not depend on the order of arrival. */
function signaturesFor(
  votes: ReadonlyMap<ReplicaId, Envelope<Prepare | Commit>>,
  digest: Digest,
  count: number,
): MemberSignature[] {
  const signatures: MemberSignature[] = [];
  for (const { from, message, signature } of votes.values())
    if (message.digest === digest) signatures.push({ from, signature });
  invariant(signatures.length >= count, "slot.certificate-too-small", { has: signatures.length, needs: count });
  signatures.sort((a, b) => a.from - b.from);
  signatures.length = count;
  return signatures;
}
