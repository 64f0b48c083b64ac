import type { Digest, Fill, ReplicaId, SequenceNumber } from "@quorate/protocol";

/** Claims of one member for numbers that are not reached here; of more the rest is not compared. */
const WAITING_PER_MEMBER_MAX = 8;

/** What a member says of a number, beside what this replica says of it. */
export interface Compared {
  readonly from: ReplicaId;
  readonly seq: SequenceNumber;
  readonly own: Digest;
  readonly theirs: Digest;
}

/**
 * Compares what others say of numbers with what this replica says of the same ones. What lies too far back is not compared:
 * who is slow is not wrong.
 */
export class Comparison {
  readonly #ownMax: number;
  /** Ascending. */
  readonly #own = new Map<SequenceNumber, Digest>();
  #last = 0;
  readonly #waiting = new Map<ReplicaId, Map<SequenceNumber, Digest>>();

  /** @param ownMax how many of the own are kept. */
  constructor(ownMax: number) {
    this.#ownMax = ownMax;
  }

  get fill(): Pick<Fill, "size" | "max"> {
    const sizes = [...this.#waiting.values()].map(({ size }) => size);
    return { size: Math.max(0, ...sizes), max: WAITING_PER_MEMBER_MAX };
  }

  /** What this replica says of a number that is still known. */
  ownAt(seq: SequenceNumber): Digest | undefined {
    return this.#own.get(seq);
  }

  /** The last `count` of what this replica says, ascending. */
  recent(count: number): readonly (readonly [SequenceNumber, Digest])[] {
    return [...this.#own].slice(-count);
  }

  /** What this replica says of a number, above all before. @returns what others have said of it already. */
  onOwn(seq: SequenceNumber, own: Digest): readonly Compared[] {
    this.#own.set(seq, own);
    this.#last = seq;
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= this.#ownMax) break;
      this.#own.delete(oldest);
    }
    return this.#waiting.size === 0 ? [] : this.#reached(seq, own);
  }

  /** @returns undefined if it cannot be compared, or not yet. */
  onClaim(from: ReplicaId, seq: SequenceNumber, theirs: Digest): Compared | undefined {
    const own = this.#own.get(seq);
    if (own !== undefined) return { from, seq, own, theirs };
    if (seq > this.#last) this.#wait(from, seq, theirs);
    return undefined;
  }

  #wait(from: ReplicaId, seq: SequenceNumber, theirs: Digest): void {
    let claims = this.#waiting.get(from);
    if (claims === undefined) {
      claims = new Map();
      this.#waiting.set(from, claims);
    }
    if (claims.size < WAITING_PER_MEMBER_MAX && !claims.has(seq)) claims.set(seq, theirs);
  }

  #reached(upTo: SequenceNumber, own: Digest): readonly Compared[] {
    const compared: Compared[] = [];
    for (const [from, claims] of this.#waiting) {
      const theirs = claims.get(upTo);
      if (theirs !== undefined) compared.push({ from, seq: upTo, own, theirs });
      for (const seq of claims.keys()) if (seq <= upTo) claims.delete(seq);
      if (claims.size === 0) this.#waiting.delete(from);
    }
    return compared;
  }
}
