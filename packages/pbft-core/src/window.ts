import {
  FETCH_COMMITTED_MAX,
  type Fill,
  invariant,
  type Lack,
  nextSequenceNumber,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  STATUS_LACKS_MAX,
  sequenceNumber,
  type ViewNumber,
} from "@quorate/protocol";
import type { Decision } from "./decision.ts";
import type { EndOfEpoch } from "./ordering-options.ts";
import { Slot } from "./slot.ts";

/**
 * The log between the watermarks (OSDI'99 §4.2): a slot for each number of (h, h+L] that is of this epoch, and the decisions that wait for
 * their predecessors. Slots stay until a stable checkpoint passes them; a batch leaves memory when it is delivered,
 * for from then on the history serves it.
 */
export class Window {
  readonly #size: number;
  #low: SequenceNumber;
  #high: SequenceNumber;
  #lastDelivered: SequenceNumber;
  #highestHeard: SequenceNumber;
  #end: EndOfEpoch | undefined;
  readonly #slots = new Map<SequenceNumber, Slot>();
  readonly #decisions = new Map<SequenceNumber, Decision>();

  /**
   * @param size L; at least one.
   * @param end as far as it is known, see `endAt`.
   */
  constructor(size: number, low: SequenceNumber, delivered: SequenceNumber, end?: EndOfEpoch) {
    this.#size = size;
    this.#low = low;
    this.#high = sequenceNumber(low + size);
    this.#lastDelivered = delivered;
    this.#highestHeard = delivered;
    if (end?.isKnown === true) this.endAt(end.seq);
    else this.#end = end;
    this.#setHigh();
  }

  /** h. */
  get low(): SequenceNumber {
    return this.#low;
  }
  /** h + L, or where the epoch ends, or may end, if that is lower. */
  get high(): SequenceNumber {
    return this.#high;
  }
  /** All numbers up to this one were handed out for execution, in order. */
  get lastDelivered(): SequenceNumber {
    return this.#lastDelivered;
  }

  /** The last number of the epoch: undefined while no change waits for its activation (protocol rule 11.2). */
  get activation(): SequenceNumber | undefined {
    return this.#end?.isKnown === true ? this.#end.seq : undefined;
  }
  /** Nothing above is voted for: the activation, or where there may be one. */
  get end(): SequenceNumber | undefined {
    return this.#end?.seq;
  }
  /**
   * There is no slot above. Where the epoch only may end, what was voted for above while that was known better stands: nothing is
   * added to it.
   */
  get top(): SequenceNumber {
    return this.#end?.isKnown === false ? sequenceNumber(this.#low + this.#size) : this.#high;
  }

  /** The highest number of which a proposal or a vote was taken. */
  get highestHeard(): SequenceNumber {
    return this.#highestHeard;
  }

  /** Decisions may come from far above the window only as far as they were asked for. */
  get fills(): readonly Fill[] {
    const max = this.#size + FETCH_COMMITTED_MAX;
    return [
      { of: "slots", size: this.#slots.size, max: this.#size },
      { of: "decisions that wait", size: this.#decisions.size, max },
    ];
  }

  /** The slots that are not delivered, in no particular order. */
  *undelivered(): Iterable<Slot> {
    for (const slot of this.#slots.values()) if (slot.seq > this.#lastDelivered) yield slot;
  }

  find(seq: SequenceNumber): Slot | undefined {
    return this.#slots.get(seq);
  }

  /** The slot of `seq`, made when there is none. The caller has checked that `seq` lies in the window. */
  slotAt(view: ViewNumber, seq: SequenceNumber): Slot {
    invariant(seq > this.#low && seq <= this.top, "window.outside", { seq, h: this.#low });
    let slot = this.#slots.get(seq);
    if (slot === undefined) {
      slot = new Slot(view, seq);
      this.#slots.set(seq, slot);
      this.#highestHeard = sequenceNumber(Math.max(this.#highestHeard, seq));
    }
    return slot;
  }

  /**
   * A change that was ordered at n takes effect at `activation`, a ≥ n+L: nothing above it is of this epoch (protocol rule
   * 11.2). Nothing above it is here either. Whoever makes a place for m > a has h+L ≥ m > n+L, so h > n: it has executed n, and
   * knew of a before. That holds for every correct member. So no number above a prepares in this epoch, for one of the quorum
   * would be correct; no VIEW-CHANGE proves one, no NEW-VIEW proposes one again, and none commits.
   */
  endAt(activation: SequenceNumber): void {
    const known = this.activation;
    invariant(known === undefined || known === activation, "window.two-activations", { known: known ?? 0, activation });
    const highest = Math.max(this.#lastDelivered, this.#highestHeard, ...this.#decisions.keys());
    invariant(highest <= activation, "window.above-activation", { highest, activation });
    this.#end = { seq: activation, isKnown: true };
    this.#setHigh();
  }

  isDecided(seq: SequenceNumber): boolean {
    return seq <= this.#lastDelivered || this.#decisions.has(seq);
  }
  decisionAt(seq: SequenceNumber): Decision | undefined {
    return this.#decisions.get(seq);
  }

  /** Adds a decision and returns those that are now next in order. */
  decide(decision: Decision): Decision[] {
    invariant(!this.isDecided(decision.seq), "window.decided-twice", { seq: decision.seq });
    const last = this.activation ?? decision.seq;
    invariant(decision.seq <= last, "window.decided-above-activation", { seq: decision.seq, activation: last });
    this.#decisions.set(decision.seq, decision);
    const delivered: Decision[] = [];
    for (;;) {
      const next = this.#decisions.get(nextSequenceNumber(this.#lastDelivered));
      if (next === undefined) return delivered;
      this.#lastDelivered = next.seq;
      this.#decisions.delete(next.seq);
      const slot = this.#slots.get(next.seq);
      if (slot !== undefined) slot.batch = undefined;
      delivered.push(next);
    }
  }

  /** h moves up to `stable`. */
  collectGarbage(stable: SequenceNumber): void {
    invariant(stable >= this.#low, "window.moved-back", { from: this.#low, to: stable });
    invariant(stable <= this.#lastDelivered, "window.stable-above-delivered", { stable, at: this.#lastDelivered });
    this.#low = stable;
    this.#setHigh();
    for (const seq of this.#slots.keys()) if (seq <= stable) this.#slots.delete(seq);
  }

  /** What is missing of the numbers up to `upTo`, for a status message; at most `STATUS_LACKS_MAX` of them. */
  lacks(upTo: SequenceNumber): Lack[] {
    const lacks: Lack[] = [];
    const last = Math.min(upTo, this.#high);
    for (let at = this.#lastDelivered + 1; at <= last && lacks.length < STATUS_LACKS_MAX; at++) {
      const seq = sequenceNumber(at);
      if (this.#decisions.has(seq)) continue;
      const slot = this.#slots.get(seq);
      lacks.push({ seq, prePrepare: slot?.isAccepted !== true, prepares: slot?.isPrepared !== true, commits: true });
    }
    return lacks;
  }

  /**
   * What answers a peer's lack of a number that is not delivered here: the pre-prepare and the messages of `self`.
   * Nothing is signed anew (protocol rule 8.2).
   */
  framesFor(lack: Lack, self: ReplicaId): ReplicaFrame[] {
    const decision = this.#decisions.get(lack.seq);
    if (decision !== undefined)
      return [{ type: "committed", entry: { batch: decision.batch.batch, certificate: decision.certificate } }];
    const slot = this.#slots.get(lack.seq);
    if (slot === undefined || !slot.isAccepted) return [];
    const frames: ReplicaFrame[] = [];
    if (lack.prePrepare && slot.prePrepare !== undefined && slot.batch !== undefined)
      frames.push({ type: "pre-prepare", envelope: slot.prePrepare, batch: slot.batch.batch });
    const prepare = slot.prepareOf(self);
    if (lack.prepares && prepare !== undefined) frames.push({ type: "signed", envelope: prepare });
    const commit = slot.commitOf(self);
    if (lack.commits && commit !== undefined) frames.push({ type: "signed", envelope: commit });
    return frames;
  }

  /** A view was entered: votes of others count no more. What is decided stays decided. */
  clearSlots(): void {
    this.#slots.clear();
    this.#highestHeard = this.#lastDelivered;
  }

  #setHigh(): void {
    const high = this.#low + this.#size;
    this.#high = sequenceNumber(Math.min(high, this.#end?.seq ?? high));
  }

  checkInvariants(): void {
    invariant(this.#low <= this.#lastDelivered, "window.low-above-delivered", { h: this.#low });
    invariant(this.#slots.size <= this.#size, "window.too-many-slots", { slots: this.#slots.size });
  }
}
