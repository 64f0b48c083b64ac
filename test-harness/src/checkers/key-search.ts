import type { HistoryOperation, KvText } from "../history/history-operation.ts";
import { isReadOnly, isSameAnswer, stepModel } from "../history/kv-model.ts";

/** What a search of the operations of one key came to. */
export type KeyVerdict =
  | { readonly type: "linearizable"; readonly configurations: number }
  | {
      readonly type: "violation" | "undecided";
      readonly configurations: number;
      readonly explained: number;
      readonly state: KvText;
      readonly stuck: readonly HistoryOperation[];
    };

/** An answered operation in the order of calls; the list links those that have no place in the order yet. */
interface Answered {
  readonly operation: HistoryOperation;
  readonly index: number;
  readonly returnNs: number;
  readonly isReadOnly: boolean;
  previous: Answered | undefined;
  next: Answered | undefined;
}

/** An operation without an answer. */
interface Unanswered {
  readonly operation: HistoryOperation;
  readonly index: number;
  /** Equal for those that ask the same. */
  readonly asked: string;
  isPlaced: boolean;
}

/** One decision of the search: what came next, what else could have, and the state before. */
interface Decision {
  readonly choices: readonly (Answered | Unanswered)[];
  readonly before: KvText;
  next: number;
  placed: Answered | Unanswered | undefined;
}

/**
 * Looks for a linearization of the operations of one key: the depth-first search of Wing and Gong (1993) with Lowe's
 * memory (2017) of the configurations, pairs of what was placed and of the state, from which it need not go on again.
 * Two shortcuts keep it exact: an answered operation that changes nothing and is right now is placed without
 * alternatives, for it may move to the front of any order that goes on from here; and unanswered operations are tried
 * last, for the end of the order is always open to them.
 */
export class KeySearch {
  readonly #configurationsMax: number;
  readonly #answered: number;
  readonly #unanswered: readonly Unanswered[];
  readonly #seen = new Set<string>();
  readonly #decisions: Decision[] = [];
  #first: Answered | undefined;
  #state: KvText = null;
  #placed = 0;
  #best: { explained: number; state: KvText; stuck: readonly HistoryOperation[] } = {
    explained: -1,
    state: null,
    stuck: [],
  };

  constructor(operations: readonly HistoryOperation[], configurationsMax: number) {
    this.#configurationsMax = configurationsMax;
    const inOrder = [...operations].sort((a, b) => a.callNs - b.callNs);
    const answered = linked(inOrder);
    this.#first = answered[0];
    this.#answered = answered.length;
    // A read that nobody was told of is true anywhere.
    this.#unanswered = inOrder
      .filter(({ answer, request }) => answer === undefined && request.op !== "get")
      .map((operation, index) => ({ operation, index, asked: nameOf(operation.request), isPlaced: false }));
  }

  run(): KeyVerdict {
    while (this.#placed < this.#answered) {
      if (this.#seen.size >= this.#configurationsMax) return this.#end("undecided");
      if (this.#isNew()) this.#decisions.push(this.#decide());
      if (!this.#tryNext()) return this.#end("violation");
    }
    return { type: "linearizable", configurations: this.#seen.size };
  }

  #end(type: "violation" | "undecided"): KeyVerdict {
    return { type, configurations: this.#seen.size, ...this.#best };
  }

  /** Takes the next alternative of the latest decision that has one. False when there is none left at all. */
  #tryNext(): boolean {
    for (let decision = this.#decisions.at(-1); decision !== undefined; decision = this.#decisions.at(-1)) {
      if (decision.placed !== undefined) this.#unplace(decision);
      const choice = decision.choices[decision.next++];
      if (choice !== undefined) {
        this.#place(decision, choice);
        return true;
      }
      this.#decisions.pop();
    }
    return false;
  }

  /** Those that may come next: no other one that is left was answered before they were called. */
  #candidates(): readonly Answered[] {
    const untilNs = this.#earliestReturn();
    const candidates: Answered[] = [];
    for (let at = this.#first; at !== undefined && at.operation.callNs <= untilNs; at = at.next) candidates.push(at);
    return candidates;
  }

  #earliestReturn(): number {
    let untilNs = Number.POSITIVE_INFINITY;
    // None that was called later can have been answered earlier than that.
    for (let at = this.#first; at !== undefined && at.operation.callNs <= untilNs; at = at.next)
      untilNs = Math.min(untilNs, at.returnNs);
    return untilNs;
  }

  #decide(): Decision {
    const candidates = this.#candidates();
    const right = candidates.filter((candidate) => this.#isRight(candidate));
    if (this.#placed > this.#best.explained) {
      const stuck = candidates.filter((candidate) => !right.includes(candidate)).map(({ operation }) => operation);
      this.#best = { explained: this.#placed, state: this.#state, stuck };
    }
    const read = right.find((candidate) => candidate.isReadOnly);
    const untilNs = this.#earliestReturn();
    const choices = read === undefined ? [...right, ...this.#unansweredUntil(untilNs)] : [read];
    return { choices, before: this.#state, next: 0, placed: undefined };
  }

  #isRight({ operation: { request, answer } }: Answered): boolean {
    return answer !== undefined && isSameAnswer(stepModel(this.#state, request).answer, answer);
  }

  /** Of several that ask the same the first is as good as any; one that would change nothing here can wait. */
  #unansweredUntil(untilNs: number): readonly Unanswered[] {
    const asked = new Set<string>();
    return this.#unanswered.filter((candidate) => {
      const { operation, isPlaced } = candidate;
      if (isPlaced || operation.callNs > untilNs || asked.has(candidate.asked)) return false;
      asked.add(candidate.asked);
      return stepModel(this.#state, operation.request).state !== this.#state;
    });
  }

  #place(decision: Decision, choice: Answered | Unanswered): void {
    decision.placed = choice;
    this.#state = stepModel(this.#state, choice.operation.request).state;
    if ("isPlaced" in choice) {
      choice.isPlaced = true;
      return;
    }
    this.#placed++;
    if (choice.previous === undefined) this.#first = choice.next;
    else choice.previous.next = choice.next;
    if (choice.next !== undefined) choice.next.previous = choice.previous;
  }

  #unplace(decision: Decision): void {
    const { placed } = decision;
    decision.placed = undefined;
    this.#state = decision.before;
    if (placed === undefined) return;
    if ("isPlaced" in placed) {
      placed.isPlaced = false;
      return;
    }
    this.#placed--;
    // Undone in the opposite order, so its neighbours are those that it had.
    if (placed.previous === undefined) this.#first = placed;
    else placed.previous.next = placed;
    if (placed.next !== undefined) placed.next.previous = placed;
  }

  /** Notes the configuration. @returns false when the search has been there. */
  #isNew(): boolean {
    const name = this.#configuration();
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }

  /** The set is named by how many answered ones are placed and which of those below the last of them are not. */
  #configuration(): string {
    const left: number[] = [];
    // Of k placed and i left ones before it, one at k + i or more has no placed one behind it.
    for (let at = this.#first; at !== undefined && at.index < this.#placed + left.length; at = at.next)
      left.push(at.index);
    const late = this.#unanswered.filter(({ isPlaced }) => isPlaced).map(({ index }) => index);
    return `${this.#placed} ${left.join()} ${late.join()} ${this.#state === null ? "" : `=${this.#state}`}`;
  }
}

function nameOf(request: HistoryOperation["request"]): string {
  return JSON.stringify(request, (_key, value) => (typeof value === "bigint" ? value.toString() : value));
}

function linked(inOrder: readonly HistoryOperation[]): readonly Answered[] {
  const answered: Answered[] = [];
  for (const operation of inOrder) {
    const { answer, request, returnNs } = operation;
    if (answer === undefined || returnNs === undefined) continue;
    const previous = answered.at(-1);
    const node = { operation, index: answered.length, returnNs, isReadOnly: isReadOnly(request, answer), previous };
    const added: Answered = { ...node, next: undefined };
    if (previous !== undefined) previous.next = added;
    answered.push(added);
  }
  return answered;
}
