import type { CallOutcome } from "@quorate/client-proxy";
import { decodeKvOperation } from "@quorate/kv";
import { describeOperation, type HistoryOperation } from "../history/history-operation.ts";
import { answerOfResult, requestOfOperation } from "../history/kv-history.ts";
import { type Checker, demand, type Ending } from "./checker.ts";
import { checkHistory } from "./linearizability.ts";

/** Configurations per key; runs need some hundred. */
const CONFIGURATIONS_MAX = 200_000;
const NS_PER_MS = 1e6;

/**
 * Linearizability of all that correct clients saw, whatever replicas say among themselves. Ranges are left out: they are
 * of more than one key. A history that is too tangled to be judged counts as a failure, for it is no pass.
 */
export class ClientHistoryChecker implements Checker {
  readonly #nowMs: () => number;
  readonly #isCorrect: (client: number) => boolean;
  readonly #calls = new Map<string, HistoryOperation>();

  /** @param isCorrect only their calls count; what others write must be kept to keys of their own. */
  constructor(nowMs: () => number, isCorrect: (client: number) => boolean = () => true) {
    this.#nowMs = nowMs;
    this.#isCorrect = isCorrect;
  }

  /** As if somebody had put them there before. */
  onRestored(entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    for (const [i, { key, value }] of entries.entries()) {
      const asked = requestOfOperation({ type: "put", key, value });
      const answer = { type: "existed", existed: false } as const;
      if (asked !== undefined)
        this.#calls.set(`restored/${i}`, { client: -1, ...asked, answer, callNs: -2, returnNs: -1 });
    }
  }

  onSubmitted(client: number, call: number, operation: Uint8Array): void {
    if (!this.#isCorrect(client)) return;
    const asked = requestOfOperation(decodeKvOperation(operation));
    if (asked === undefined) return;
    const unanswered = { answer: undefined, returnNs: undefined };
    this.#calls.set(`${client}/${call}`, { client, ...asked, ...unanswered, callNs: this.#nowNs() });
  }

  onSettled(client: number, call: number, outcome: CallOutcome): void {
    const name = `${client}/${call}`;
    const asked = this.#calls.get(name);
    if (asked === undefined) return;
    if (outcome.type === "result") {
      const answer = answerOfResult(asked.request.op, outcome.result);
      this.#calls.set(name, { ...asked, answer, returnNs: this.#nowNs() });
    } else if (outcome.failure.effect === "none") this.#calls.delete(name);
  }

  atEnd(_ending: Ending): void {
    const { type, findings } = checkHistory(this.#calls.values(), { configurationsMax: CONFIGURATIONS_MAX });
    const [finding] = findings;
    const property = type === "undecided" ? "linearizability.undecided" : "linearizability.violated";
    const stuck = finding?.stuck.map(describeOperation);
    demand(type === "linearizable", property, { ...finding, stuck });
  }

  #nowNs(): number {
    return Math.round(this.#nowMs() * NS_PER_MS);
  }
}
