import type { CallOutcome } from "@quorate/client-proxy";
import { bytesToHex, type OperationResult } from "@quorate/protocol";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Durability: what a client accepted ran with that result at some correct replica before, and at every one in the end,
 * whatever crashed in between.
 */
export class DurabilityChecker implements Checker {
  /** Each call that ran, and how it ended. */
  readonly #ran = new Map<string, { readonly seq: number; readonly result: string }>();
  readonly #accepted = new Map<string, number>();

  onExecuted({ seq, operations }: ExecutionStep): void {
    for (const { client, call, result } of operations)
      this.#ran.set(`${client}/${call}`, { seq, result: result === undefined ? "failed" : bytesToHex(result) });
  }

  onSettled(client: number, call: number, outcome: CallOutcome): void {
    if (outcome.type !== "result") return;
    const name = `${client}/${call}`;
    const ran = this.#ran.get(name);
    demand(ran !== undefined, "durability.accepted-before-it-ran", { name });
    if (ran === undefined) return;
    const result = textOf(outcome.result);
    demand(ran.result === result, "durability.wrong-result", { name, ran: ran.result, accepted: result });
    // A retry may be answered under a later statement, never under an earlier one.
    const { seq = ran.seq } = outcome;
    demand(seq >= ran.seq, "durability.wrong-number", { name, ran: ran.seq, accepted: seq });
    this.#accepted.set(name, ran.seq);
  }

  atEnd({ replicas, history }: Ending): void {
    const last = Math.max(0, ...this.#accepted.values());
    for (const { id, status } of replicas)
      demand(status.executed >= last, "durability.lost", { id, executed: status.executed, last });
    demand(history.length >= last, "durability.history-lost", { held: history.length, last });
  }
}

function textOf({ status, value }: OperationResult): string {
  return status === "failed" ? "failed" : bytesToHex(value);
}
