import { invariant } from "@quorate/protocol";
import type { ClientLimits } from "./options.ts";

/** One operation between its submit and its settle. */
export interface Call {
  readonly id: number;
  readonly operation: Uint8Array;
  readonly deadlineAtMs: number;
}

/** The calls that are not settled: those that wait to be packed, in order, and those on the way. */
export class CallTable {
  readonly #waiting = new Map<number, Call>();
  readonly #sent = new Map<number, Call>();
  #waitingBytes = 0;

  get waiting(): number {
    return this.#waiting.size;
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  /** Calls on the way whose callers still wait. */
  get sent(): number {
    return this.#sent.size;
  }

  has(id: number): boolean {
    return this.#waiting.has(id) || this.#sent.has(id);
  }
  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  add(call: Call): void {
    invariant(!this.has(call.id), "client.call-twice", { call: call.id });
    this.#waiting.set(call.id, call);
    this.#waitingBytes += call.operation.length;
  }

  /** A call on the way whose caller waits again. */
  addSent(call: Call): void {
    invariant(!this.has(call.id), "client.call-twice", { call: call.id });
    this.#sent.set(call.id, call);
  }

  /** Whether what waits fills a request, so that waiting longer would not make it larger. */
  fillsRequest(limits: ClientLimits): boolean {
    return this.#waiting.size >= limits.requestOperationsMax || this.#waitingBytes >= limits.requestBytesMax;
  }

  /** Takes the oldest waiting calls, as many as one request holds; they are on the way from now on. */
  pack(limits: ClientLimits): readonly Call[] {
    const packed: Call[] = [];
    let bytes = 0;
    for (const call of this.#waiting.values()) {
      if (packed.length === limits.requestOperationsMax || bytes + call.operation.length > limits.requestBytesMax)
        break;
      bytes += call.operation.length;
      packed.push(call);
    }
    for (const call of packed) {
      this.#waiting.delete(call.id);
      this.#sent.set(call.id, call);
    }
    this.#waitingBytes -= bytes;
    return packed;
  }

  /** Puts calls that were sent and did not run back in front of those that wait; the settled ones are left out. */
  postpone(calls: readonly Call[]): void {
    // Those of the table: a caller that waits again has another deadline.
    const postponed = calls.flatMap(({ id }) => this.#sent.get(id) ?? []);
    for (const { id } of postponed) this.#sent.delete(id);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const call of [...postponed, ...waiting]) this.#waiting.set(call.id, call);
    for (const { operation } of postponed) this.#waitingBytes += operation.length;
  }

  /** Forgets a call; false if it is settled already. */
  remove(id: number): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return this.#sent.delete(id);
    this.#waiting.delete(id);
    this.#waitingBytes -= waiting.operation.length;
    return true;
  }

  waitingIds(): readonly number[] {
    return [...this.#waiting.keys()];
  }

  /** Ids of the calls whose deadline is not after `nowMs`. */
  overdue(nowMs: number): readonly number[] {
    return [...this.#sent.values(), ...this.#waiting.values()]
      .filter((call) => call.deadlineAtMs <= nowMs)
      .map((call) => call.id);
  }

  /** The earliest deadline. Looks at every call: for when the alarm has rung, not for each step. */
  earliestDeadline(): number | undefined {
    let earliest: number | undefined;
    for (const calls of [this.#sent, this.#waiting])
      for (const { deadlineAtMs } of calls.values())
        if (earliest === undefined || deadlineAtMs < earliest) earliest = deadlineAtMs;
    return earliest;
  }
}
