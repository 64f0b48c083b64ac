import {
  type Base,
  type Checkpoint,
  type CheckpointCertificate,
  type Contradiction,
  checkpointSpacing,
  type Digest,
  type Fill,
  invariant,
  type Membership,
  type Outbox,
  quorumSize,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  type VerifiedCheckpointCertificate,
  type VerifiedEnvelope,
} from "@quorate/protocol";

export interface CheckpointingOptions {
  readonly signer: Signer;
  /** K of genesis. */
  readonly interval: number;
  /** L of genesis. */
  readonly windowSize: number;
  /** This replica signs no CHECKPOINT until `unmute` (protocol rule 8.5). */
  readonly isMute?: boolean;
  /** After a quarantine: up to there it has voted, perhaps for another state, and does not again (protocol rule 9.5). */
  readonly silentUpTo?: SequenceNumber | undefined;
}

/** The own state at a checkpoint's number, and the vote for it; a mute or silent replica has none. */
interface OwnCheckpoint {
  readonly stateRoot: Digest;
  readonly vote: VerifiedEnvelope<Checkpoint> | undefined;
}

/**
 * Votes of one member are kept for this many numbers; a slow replica needs the newest. They cover eight intervals, for
 * with those that are ordered four may be made in one.
 */
const VOTES_PER_MEMBER_MAX = 32;
/** Certificates that are kept beside the newest one, for an own state that is behind. */
const PASSED_MAX = 32;

/**
 * Votes on state roots and the low watermark (OSDI'99 §4.3). A certificate alone moves nothing: h moves when the own
 * durable state at its number has its root (protocol rule 9.1).
 */
export class Checkpointing {
  readonly #options: CheckpointingOptions;
  #isMute: boolean;
  #membership: Membership;
  #stable: CheckpointCertificate;
  /** The highest certificate known; at or above `stable`. */
  #certified: CheckpointCertificate;
  /**
   * Those between h and the newest one, ascending. A replica whose states become durable after the next certificate is there, as on
   * a slow disk under load, comes to these one by one, and to the newest never. When they are too many the newer ones are left out.
   */
  readonly #passed = new Map<SequenceNumber, CheckpointCertificate>();
  #contradiction: Extract<Contradiction, { by: "certificate" }> | undefined;
  /**
   * Own states above h, with the votes for them: as many of the newest as L numbers can hold, and one. Filling a gap executes
   * beyond the window, but whoever voted for the number that was executed last had a stable checkpoint at most L below it:
   * an older own vote is needed no more.
   */
  readonly #own = new Map<SequenceNumber, OwnCheckpoint>();
  readonly #votes = new Map<ReplicaId, Map<SequenceNumber, VerifiedEnvelope<Checkpoint>>>();

  constructor(options: CheckpointingOptions, base: Base) {
    const { interval, windowSize } = options;
    invariant(windowSize >= 2 * interval && windowSize % interval === 0, "checkpoint.window", { interval, windowSize });
    this.#options = options;
    this.#isMute = options.isMute === true;
    this.#membership = base.membership;
    this.#stable = base.stable;
    this.#certified = base.stable;
  }

  /** The stable checkpoint whose state is held; its number is h. */
  get stable(): CheckpointCertificate {
    return this.#stable;
  }
  /** The highest number with a certificate, whether its state is held or not. */
  get certified(): CheckpointCertificate {
    return this.#certified;
  }

  /** A quorum vouches for another state than ours: f liars cannot, so ours is wrong, and nothing that is said counts. */
  get contradiction(): Extract<Contradiction, { by: "certificate" }> | undefined {
    return this.#contradiction;
  }

  /** It signs nothing, see `unmute`. */
  get isMute(): boolean {
    return this.#isMute;
  }

  get fills(): readonly Fill[] {
    const votes = Math.max(0, ...[...this.#votes.values()].map(({ size }) => size));
    return [
      { of: "checkpoint votes of a member", size: votes, max: VOTES_PER_MEMBER_MAX },
      { of: "members with checkpoint votes", size: this.#votes.size, max: this.#membership.members.length },
      { of: "certificates above h", size: this.#passed.size, max: PASSED_MAX },
      { of: "own checkpoint votes", size: this.#own.size, max: this.#ownVotesMax },
    ];
  }

  /**
   * Whether verifying this vote would be wasted (protocol rule 13.1). One that contradicts another is evidence. Which
   * numbers are checkpoints is for execution to say: a vote for another one only displaces its sender's own.
   */
  isRedundant(from: ReplicaId, { seq, stateRoot }: Checkpoint): boolean {
    if (seq <= this.#certified.seq) return true;
    return this.#votes.get(from)?.get(seq)?.message.stateRoot === stateRoot;
  }

  /**
   * The own state after `seq` is durable and has this root: votes for it (protocol rule 8.3).
   *
   * @returns the new stable checkpoint, when h moves by it.
   */
  onStateDurable(seq: SequenceNumber, stateRoot: Digest, out: Outbox): CheckpointCertificate | undefined {
    if (seq <= this.#stable.seq) return undefined;
    this.#own.set(seq, { stateRoot, vote: undefined });
    if (this.#own.size > this.#ownVotesMax) this.#own.delete(sequenceNumber(Math.min(...this.#own.keys())));
    if (!this.#isMute) this.#vote(seq, stateRoot, out);
    return this.#advance();
  }

  /**
   * From now on this replica votes, for the states above h that it holds already, too.
   *
   * @returns the new stable checkpoint, when h moves by that.
   */
  unmute(out: Outbox): CheckpointCertificate | undefined {
    this.#isMute = false;
    for (const [seq, { stateRoot }] of [...this.#own]) this.#vote(seq, stateRoot, out);
    return this.#advance();
  }

  /** @returns the new stable checkpoint, when h moves by this vote. */
  onCheckpoint(envelope: VerifiedEnvelope<Checkpoint>, out: Outbox): CheckpointCertificate | undefined {
    const { seq } = envelope.message;
    const { from } = envelope;
    if (seq <= this.#certified.seq) return undefined;
    const first = this.#votes.get(from)?.get(seq);
    if (first !== undefined && first.message.stateRoot !== envelope.message.stateRoot) {
      out.push({ type: "evidence", evidence: { type: "equivocation", first, second: envelope } });
      out.push({ type: "rejected", rejection: { code: "checkpoint.conflicting", from, seq } });
      return undefined;
    }
    this.#record(envelope, out);
    this.#certify(seq);
    return this.#advance();
  }

  /** @returns the new stable checkpoint, when h moves by this certificate. */
  onCertificate(certificate: VerifiedCheckpointCertificate): CheckpointCertificate | undefined {
    if (certificate.seq <= this.#certified.seq) return undefined;
    this.#adopt(certificate);
    return this.#advance();
  }

  /** What helps a peer whose stable checkpoint is `theirs`: the certificate, or the own votes it may have missed. */
  framesFor(theirs: SequenceNumber): ReplicaFrame[] {
    if (theirs < this.#certified.seq && this.#certified.signatures.length > 0)
      return [{ type: "stable-checkpoint", checkpoint: this.#certified }];
    return [...this.#own.values()].flatMap(({ vote }) =>
      vote !== undefined && vote.message.seq > theirs ? [{ type: "signed", envelope: vote }] : [],
    );
  }

  checkInvariants(): void {
    invariant(this.#stable.seq <= this.#certified.seq, "checkpoint.stable-above-certified", { h: this.#stable.seq });
    for (const seq of this.#passed.keys())
      invariant(seq > this.#stable.seq && seq < this.#certified.seq, "checkpoint.passed-certificate", { seq });
    const most = this.#ownVotesMax;
    invariant(this.#own.size <= most, "checkpoint.too-many-own-votes", { votes: this.#own.size, most });
  }

  /** In L numbers there are L/K multiples of K, and of the others as many as their distance from the last one allows. */
  get #ownVotesMax(): number {
    const { windowSize, interval: checkpointInterval } = this.#options;
    const ordered = Math.ceil(windowSize / checkpointSpacing({ checkpointInterval }));
    return windowSize / checkpointInterval + ordered + 1;
  }

  #vote(seq: SequenceNumber, stateRoot: Digest, out: Outbox): void {
    if (seq <= (this.#options.silentUpTo ?? 0)) return;
    const { epoch } = this.#membership;
    const vote = this.#options.signer.sign({ type: "checkpoint", epoch, seq, stateRoot });
    if (this.#own.has(seq)) this.#own.set(seq, { stateRoot, vote });
    out.push({ type: "broadcast", frame: { type: "signed", envelope: vote } });
    this.#record(vote, out);
    this.#certify(seq);
  }

  /** Keeps a vote; of one member only the newest few, so that the far future costs nobody else anything. */
  #record(vote: VerifiedEnvelope<Checkpoint>, out: Outbox): void {
    let votes = this.#votes.get(vote.from);
    if (votes === undefined) {
      votes = new Map();
      this.#votes.set(vote.from, votes);
    }
    votes.set(vote.message.seq, vote);
    if (votes.size <= VOTES_PER_MEMBER_MAX) return;
    const oldest = sequenceNumber(Math.min(...votes.keys()));
    votes.delete(oldest);
    out.push({ type: "rejected", rejection: { code: "checkpoint.displaced", from: vote.from, seq: oldest } });
  }

  #certify(seq: SequenceNumber): void {
    if (seq <= this.#certified.seq) return;
    const votes = [...this.#votes.values()].flatMap((byNumber) => byNumber.get(seq) ?? []);
    const quorum = quorumSize(this.#membership);
    for (const { message } of votes) {
      const matching = votes.filter((vote) => vote.message.stateRoot === message.stateRoot);
      if (matching.length < quorum) continue;
      const signatures = matching
        .map(({ from, signature }) => ({ from, signature }))
        .sort((a, b) => a.from - b.from)
        .slice(0, quorum);
      this.#adopt({ epoch: message.epoch, seq, stateRoot: message.stateRoot, signatures });
      return;
    }
  }

  #adopt(certificate: CheckpointCertificate): void {
    const before = this.#certified;
    if (before.seq > this.#stable.seq && this.#passed.size < PASSED_MAX) this.#passed.set(before.seq, before);
    this.#certified = certificate;
    for (const [id, votes] of this.#votes) {
      for (const seq of votes.keys()) if (seq <= certificate.seq) votes.delete(seq);
      if (votes.size === 0) this.#votes.delete(id);
    }
  }

  /** Moves h to the highest certificate whose state is held here, durably. */
  #advance(): CheckpointCertificate | undefined {
    let stable: CheckpointCertificate | undefined;
    for (const certificate of [...this.#passed.values(), this.#certified]) {
      const { seq, stateRoot: certified } = certificate;
      const own = this.#own.get(seq);
      if (own === undefined || seq <= this.#stable.seq) continue;
      if (own.stateRoot !== certified) {
        this.#contradiction = { by: "certificate", seq, own: own.stateRoot, certified };
        return undefined;
      }
      stable = certificate;
    }
    if (stable === undefined) return undefined;
    this.#stable = stable;
    for (const kept of [this.#own, this.#passed])
      for (const seq of kept.keys()) if (seq <= stable.seq) kept.delete(seq);
    return stable;
  }
}
