import type { HistoryOperation } from "../history/history-operation.ts";
import { KeySearch, type KeyVerdict } from "./key-search.ts";

/** Configurations that the search of one key looks at, at most, unless told otherwise: some hundred megabytes. */
export const CONFIGURATIONS_MAX = 1_000_000;

/** Why a history is no linearizable one, or that nobody knows. */
export interface HistoryFinding {
  readonly key: string;
  readonly verdict: Exclude<KeyVerdict["type"], "linearizable">;
  /** Operations of this key. */
  readonly operations: number;
  /** How many answered ones the best order found accounts for. */
  readonly explained: number;
  /** What the key holds after these. */
  readonly state: string | null;
  /** Answered operations, each of which cannot come next in that order. */
  readonly stuck: readonly HistoryOperation[];
}

/** What a check of a whole history found. */
export interface HistoryVerdict {
  /** `undecided` when no key is wrong but the search for at least one was given up: that is not a pass. */
  readonly type: KeyVerdict["type"];
  readonly keys: number;
  readonly operations: number;
  /** Configurations looked at, over all keys. */
  readonly configurations: number;
  /** Of the keys that are not linearizable, then of those undecided. */
  readonly findings: readonly HistoryFinding[];
}

/**
 * Whether a history of key-value calls is linearizable (Herlihy and Wing 1990): whether there is one order of all
 * operations that keeps the order of any two of which one was answered before the other was called, and in which a store
 * that starts out empty gives every answer that came. Linearizability is local, so each key is judged by itself.
 *
 * @param configurationsMax per key; the search is exponential in how many calls overlap, so it has a bound.
 */
export function checkHistory(
  history: Iterable<HistoryOperation>,
  { configurationsMax = CONFIGURATIONS_MAX }: { readonly configurationsMax?: number } = {},
): HistoryVerdict {
  const keys = new Map<string, HistoryOperation[]>();
  for (const operation of history) {
    const ofKey = keys.get(operation.key);
    if (ofKey === undefined) keys.set(operation.key, [operation]);
    else ofKey.push(operation);
  }
  const [wrong, undecided]: [HistoryFinding[], HistoryFinding[]] = [[], []];
  let [operations, configurations] = [0, 0];
  for (const [key, ofKey] of keys) {
    const verdict = new KeySearch(ofKey, configurationsMax).run();
    operations += ofKey.length;
    configurations += verdict.configurations;
    if (verdict.type === "linearizable") continue;
    const { type, explained, state, stuck } = verdict;
    const finding = { key, verdict: type, operations: ofKey.length, explained, state, stuck };
    (type === "violation" ? wrong : undecided).push(finding);
  }
  const type = wrong.length > 0 ? "violation" : undecided.length > 0 ? "undecided" : "linearizable";
  return { type, keys: keys.size, operations, configurations, findings: [...wrong, ...undecided] };
}
