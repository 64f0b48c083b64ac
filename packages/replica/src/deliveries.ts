import type { Decision } from "@quorate/pbft-core";
import {
  type Effect,
  FETCH_COMMITTED_MAX,
  type Fill,
  invariant,
  nextSequenceNumber,
  type SequenceNumber,
} from "@quorate/protocol";

/** What is decided goes to execution in order, and comes back executed, one by one. */
export class Deliveries {
  /** Handed out for execution and not yet executed. */
  readonly #executing = new Map<SequenceNumber, Decision>();
  #executed: SequenceNumber;

  /** @param executed the last number that is part of the state. */
  constructor(executed: SequenceNumber) {
    this.#executed = executed;
  }

  /** The last number that was executed. */
  get executed(): SequenceNumber {
    return this.#executed;
  }

  /** @param windowSize L of genesis. */
  fill(windowSize: number): Fill {
    // While a flush takes its time: the window, and what was asked for of a history.
    const max = windowSize + FETCH_COMMITTED_MAX;
    return { of: "batches handed out for execution", size: this.#executing.size, max };
  }

  deliver(decisions: readonly Decision[], out: Effect[]): void {
    for (const decision of decisions) {
      const { seq, batch } = decision;
      invariant(seq === this.#executed + this.#executing.size + 1, "replica.delivered-out-of-order", { seq });
      this.#executing.set(seq, decision);
      out.push({ type: "execute", seq, batch });
    }
  }

  /** @returns what was executed. */
  onExecuted(seq: SequenceNumber): Decision {
    invariant(seq === this.#executed + 1, "replica.executed-out-of-order", { seq, executed: this.#executed });
    const decision = this.#executing.get(seq);
    invariant(decision !== undefined, "replica.executed-unasked", { seq });
    this.#executing.delete(seq);
    this.#executed = seq;
    return decision;
  }

  checkInvariants(lowWatermark: SequenceNumber, lastDelivered: SequenceNumber): void {
    const executing = this.#executing.size;
    invariant(lowWatermark <= this.#executed, "replica.stable-above-executed", { h: lowWatermark });
    invariant(this.#executed <= lastDelivered, "replica.executed-above-delivered", { executed: this.#executed });
    invariant(nextSequenceNumber(lastDelivered) - this.#executed - 1 === executing, "replica.executing", { executing });
  }
}
