import {
  type AuditedPart,
  type Digest,
  type Divergence,
  type Fill,
  faultThreshold,
  type Membership,
  type ReplicaId,
  type SequenceNumber,
  sequenceNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { type Compared, Comparison } from "./comparison.ts";

export interface AuditOptions {
  readonly self: ReplicaId;
  readonly membership: Membership;
  /** Own outputs are kept for so many numbers. */
  readonly outputsMax: number;
  /** Of these numbers and those below it claims nothing: it was quarantined there, and may have claimed something already. */
  readonly silentUpTo?: SequenceNumber | undefined;
}

/** The last number and the digest of what was executed, as far as they are known. */
export interface ExecutedSoFar {
  readonly executed: SequenceNumber;
  readonly executionDigest: Digest | undefined;
}

/** Own checkpoints that are kept. */
const STATES_MAX = 8;

/**
 * Compares what the members put out and what states they come to with the own, all the time (protocol rule 9.5). f+1 that say
 * something else cannot all be faulty, so this replica is wrong, whatever they say. One that says something else, while
 * this replica has f others or a certificate with it, is wrong itself.
 */
export class Audit {
  readonly #options: AuditOptions;
  readonly #comparisons: Readonly<Record<AuditedPart, Comparison>>;
  /** Of each member the first that is neither taken back nor judged. */
  readonly #open = new Map<ReplicaId, Divergence>();
  /** Members that are wrong, until they agree again. */
  readonly #convicted = new Map<ReplicaId, Divergence>();
  readonly #agreed: Readonly<Record<AuditedPart, Map<ReplicaId, SequenceNumber>>> = {
    outputs: new Map(),
    state: new Map(),
  };
  #stable: SequenceNumber = sequenceNumber(0);
  #news: Divergence[] = [];

  constructor(options: AuditOptions, { executed, executionDigest }: ExecutedSoFar) {
    this.#options = options;
    this.#comparisons = { outputs: new Comparison(options.outputsMax), state: new Comparison(STATES_MAX) };
    if (executionDigest !== undefined) this.#comparisons.outputs.onOwn(executed, executionDigest);
  }

  /** What others say that is not what this replica says, of each member one; what is judged is not among it. */
  get open(): readonly Divergence[] {
    return [...this.#open.values()];
  }
  /** f+1 members contradict this replica: it is wrong. */
  get isContradicted(): boolean {
    return this.#open.size >= weakQuorumSize(this.#options.membership);
  }
  /** The members that are wrong now, with the first that showed it. */
  get convicted(): readonly Divergence[] {
    return [...this.#convicted.values()];
  }
  get fills(): readonly Fill[] {
    const { outputs, state } = this.#comparisons;
    return [
      { of: "outputs claimed ahead of execution", ...outputs.fill },
      { of: "states claimed ahead of execution", ...state.fill },
    ];
  }

  /** The last own outputs, ascending. */
  recentOutputs(count: number): readonly (readonly [SequenceNumber, Digest])[] {
    return this.#comparisons.outputs.recent(count);
  }

  /** What this replica claims to have put out up to a number. */
  claimAt(seq: SequenceNumber): Digest | undefined {
    if (seq <= (this.#options.silentUpTo ?? 0)) return undefined;
    return this.#comparisons.outputs.ownAt(seq);
  }

  /** What this replica itself says of a number. */
  onOwn(part: AuditedPart, seq: SequenceNumber, digest: Digest): void {
    for (const compared of this.#comparisons[part].onOwn(seq, digest)) this.#onCompared(part, compared);
  }

  /** What a member has signed of a number. */
  onClaim(part: AuditedPart, from: ReplicaId, seq: SequenceNumber, digest: Digest): void {
    if (from === this.#options.self) return;
    const compared = this.#comparisons[part].onClaim(from, seq, digest);
    if (compared !== undefined) this.#onCompared(part, compared);
  }

  /** A quorum has the own state at this number: whoever says something else up to there is wrong. */
  onStable(seq: SequenceNumber): void {
    this.#stable = seq;
    this.#judge();
  }

  /** Whether a CHECKPOINT that nothing else waits for shows that its sender is wrong, which is not known. */
  isNews(from: ReplicaId, seq: SequenceNumber, stateRoot: Digest): boolean {
    const own = this.#comparisons.state.ownAt(seq);
    return own !== undefined && own !== stateRoot && !this.#open.has(from) && !this.#convicted.has(from);
  }

  /** Members that were found to be wrong since the last call. */
  takeNews(): readonly Divergence[] {
    if (this.#news.length === 0) return this.#news;
    const news = this.#news;
    this.#news = [];
    return news;
  }

  #onCompared(part: AuditedPart, { from, seq, own, theirs }: Compared): void {
    if (own === theirs) this.#onAgreement(part, from, seq);
    else if (!this.#open.has(from)) this.#open.set(from, { from, part, seq, own, theirs });
    this.#judge();
  }

  /** Who agrees has put out the same all the way; the state at a checkpoint says so, too. */
  #onAgreement(part: AuditedPart, from: ReplicaId, seq: SequenceNumber): void {
    const agreed = this.#agreed[part];
    if (seq > (agreed.get(from) ?? -1)) agreed.set(from, seq);
    for (const divergences of [this.#open, this.#convicted]) {
      const before = divergences.get(from);
      if (before !== undefined && before.seq <= seq && covers(part, before.part)) divergences.delete(from);
    }
  }

  #judge(): void {
    if (this.#open.size === 0) return;
    const f = faultThreshold(this.#options.membership);
    for (const [from, divergence] of this.#open) {
      if (divergence.seq > this.#stable && this.#agreeing(divergence) < f) continue;
      this.#open.delete(from);
      if (!this.#convicted.has(from)) this.#news.push(divergence);
      this.#convicted.set(from, this.#convicted.get(from) ?? divergence);
    }
  }

  /** Others that have said at or behind its number what this replica says. */
  #agreeing({ from, part, seq }: Divergence): number {
    const members = new Set<ReplicaId>();
    for (const by of ["outputs", "state"] as const)
      if (covers(by, part))
        for (const [member, agreedAt] of this.#agreed[by]) if (member !== from && agreedAt >= seq) members.add(member);
    return members.size;
  }
}

/** Whether who agrees in one part agrees in the other. */
function covers(agreed: AuditedPart, part: AuditedPart): boolean {
  return agreed === "state" || part === "outputs";
}
