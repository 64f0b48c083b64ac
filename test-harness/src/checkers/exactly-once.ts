import type { CallOutcome } from "@quorate/client-proxy";
import { counterOf, parseOperation } from "../workload.ts";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Exactly once, in the caller's order: each call runs at most once in the whole history, a client's calls in the order
 * in which it made them, a call whose failure says "no effect" never; and the counters add up.
 */
export class ExactlyOnceChecker implements Checker {
  readonly #isCorrect: (client: number) => boolean;
  readonly #ranAt = new Map<string, number>();
  readonly #lastCall = new Map<number, number>();
  readonly #checkedTo = { seq: 0 };
  readonly #increments = new Map<number, bigint>();
  readonly #operations = new Map<string, Uint8Array>();
  readonly #withoutEffect = new Set<string>();
  readonly #acknowledged = new Set<string>();

  /** @param isCorrect only these keep to an order, and increment counters. */
  constructor(isCorrect: (client: number) => boolean = () => true) {
    this.#isCorrect = isCorrect;
  }

  onRestored(entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    for (const { key, value } of entries) {
      const counter = counterOf(key);
      if (counter !== undefined) this.#increments.set(counter, BigInt(String.fromCharCode(...value)));
    }
  }

  onSubmitted(client: number, call: number, operation: Uint8Array): void {
    if (this.#isCorrect(client)) this.#operations.set(`${client}/${call}`, operation);
  }

  onSettled(client: number, call: number, outcome: CallOutcome): void {
    const name = `${client}/${call}`;
    if (outcome.type === "result") this.#acknowledged.add(name);
    else if (outcome.failure.effect === "none") this.#withoutEffect.add(name);
  }

  /** Looks at each number once: the state checker sees to it that all replicas ran the same. */
  onExecuted({ seq, operations }: ExecutionStep): void {
    if (seq <= this.#checkedTo.seq) return;
    this.#checkedTo.seq = seq;
    for (const { client, call, result } of operations) {
      if (!this.#isCorrect(client)) continue;
      const name = `${client}/${call}`;
      const before = this.#ranAt.get(name);
      demand(before === undefined, "once.twice", { name, seq, before });
      const last = this.#lastCall.get(client) ?? -1;
      demand(call > last, "once.order", { client, call, after: last, seq });
      this.#ranAt.set(name, seq);
      this.#lastCall.set(client, call);
      const operation = this.#operations.get(name);
      demand(operation !== undefined, "once.never-submitted", { name, seq });
      if (operation === undefined || result === undefined) continue;
      const { counter, by } = parseOperation(operation);
      if (counter !== undefined) this.#increments.set(counter, (this.#increments.get(counter) ?? 0n) + by);
    }
  }

  atEnd({ counters }: Ending): void {
    for (const name of this.#withoutEffect)
      demand(!this.#ranAt.has(name), "once.ran-without-effect", { name, at: this.#ranAt.get(name) });
    for (const name of this.#acknowledged) demand(this.#ranAt.has(name), "once.never-ran", { name });
    // Acknowledged and unknown calls have all run by now, as none is on its way any more.
    for (const name of this.#operations.keys())
      demand(this.#ranAt.has(name) || this.#withoutEffect.has(name), "once.vanished", { name });
    for (const [counter, value] of counters.entries()) {
      const expected = this.#increments.get(counter) ?? 0n;
      demand(value === expected, "once.counter", { counter, value, expected });
    }
  }
}
