import type { SequenceNumber, VerifiedCommittedEntry } from "@quorate/protocol";
import type { StoreReader } from "@quorate/storage";
import { type Cryptography, type Judges, judgesOf, openStoppedStore, readStoredState } from "./data-reader.ts";
import { isOfTheDisk } from "./disk-damage.ts";
import type { EntryJudge } from "./entry-judge.ts";
import { type HistoryItem, type NumberRange, readHistory } from "./history-reading.ts";
import { type LogProblem, type PreparedBatch, PreparedBatches } from "./prepared-batches.ts";
import { memberIn, type ReplicaFolder } from "./replica-folder.ts";
import type { ReplicaName } from "./replica-standing.ts";

/** What the log of one replica has for one number. */
export type LoggedNumber =
  /** Decided, and proven by its certificate. */
  | { readonly type: "committed"; readonly seq: SequenceNumber; readonly entry: VerifiedCommittedEntry }
  /** In the write-ahead log only: it may have been decided, but nothing here proves that. */
  | ({ readonly type: "prepared" } & PreparedBatch)
  /** Damaged or not proven. */
  | ({ readonly type: "problem" } & LogProblem);

/** The ordered log of a replica that does not run, from the files in its data folder. */
export interface StoppedLog {
  /** By the latest epoch in its store. */
  readonly replica: ReplicaName;
  /** One by one: one entry of the history is in memory, and what the write-ahead log has above the stable checkpoint. */
  items(range: NumberRange): Generator<LoggedNumber>;
  close(): Promise<void>;
}

/**
 * Opens the log of a stopped replica without a change to its folder.
 *
 * @throws StorageError when the replica runs, or its store cannot be read.
 */
export function openStoppedLog(folder: ReplicaFolder, cryptography: Cryptography): StoppedLog {
  const { store, close } = openStoppedStore(folder);
  const judges = judgesOf(folder, cryptography, store.local);
  const replica = memberIn(judges.epochs.membership, folder)?.id ?? "observer";
  return { replica, items: (range) => itemsOf(store, executedIn(folder, store, cryptography), judges, range), close };
}

/** What was read from a history, judged. */
export function judgeItem({ seq, bytes, problem }: HistoryItem, entries: EntryJudge): LoggedNumber {
  if (bytes === undefined) return { type: "problem", seq, problem };
  const verdict = entries.judge(seq, bytes);
  return verdict.entry === undefined
    ? { type: "problem", seq, problem: verdict.problem }
    : { type: "committed", seq, entry: verdict.entry };
}

function* itemsOf(store: StoreReader, executed: number, judges: Judges, range: NumberRange): Generator<LoggedNumber> {
  const { sorted, problems } = new PreparedBatches(store, judges);
  let waiting = sorted.filter(({ seq }) => seq >= range.from && seq <= range.to);
  for (const item of readHistory(store.openHistory(), executed, range)) {
    for (const one of waiting) if (one.seq < item.seq) yield { type: "prepared", ...one };
    waiting = waiting.filter(({ seq }) => seq > item.seq);
    yield judgeItem(item, judges.entries);
  }
  for (const one of waiting) yield { type: "prepared", ...one };
  for (const problem of problems) yield { type: "problem", ...problem };
}

/** A state that cannot be read says nothing about the log: then every number that is missing counts as lost. */
function executedIn(folder: ReplicaFolder, store: StoreReader, cryptography: Cryptography): number {
  try {
    return readStoredState(folder, store, cryptography).executor.executed;
  } catch (error) {
    if (isOfTheDisk(error)) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
