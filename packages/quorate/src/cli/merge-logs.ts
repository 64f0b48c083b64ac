import type { LoggedNumber, NumberRange, ReplicaName } from "@quorate/server";
import type { ReplicaLog } from "./log-source.ts";

/** A proven or prepared batch of one number, and the replicas that hold the same. */
export interface MergedEntry {
  readonly type: "entry";
  readonly logged: Exclude<LoggedNumber, { type: "problem" }>;
  /** Those with a commit certificate of their own for this batch; of a prepared one, those in which it prepared. */
  readonly heldBy: readonly ReplicaName[];
}

/** What is wrong with one replica's log; without a number when it is the log as a whole. */
export interface MergedProblem {
  readonly type: "problem";
  readonly replica: ReplicaName;
  readonly seq: number | undefined;
  readonly problem: string;
}

interface Cursor {
  readonly replica: ReplicaName;
  readonly iterator: Iterator<LoggedNumber> | AsyncIterator<LoggedNumber>;
  head: LoggedNumber | undefined;
}

type Found = Exclude<LoggedNumber, { type: "problem" }>;

/**
 * Walks several logs side by side, in the order of their numbers; one number of each is in memory. Two batches that are
 * both proven for one number are the end of all guarantees, and a problem.
 */
export async function* mergeLogs(
  logs: readonly ReplicaLog[],
  range: NumberRange,
): AsyncGenerator<MergedEntry | MergedProblem> {
  const cursors: Cursor[] = logs.map((log) => ({
    replica: log.replica,
    iterator: iteratorOf(log.items(range)),
    head: undefined,
  }));
  try {
    for (const cursor of cursors) await advance(cursor);
    for (let seq = lowest(cursors); seq !== undefined; seq = lowest(cursors)) {
      const here = cursors.filter(({ head }) => head !== undefined && placeOf(head) === seq);
      yield* resultsOf(here);
      for (const cursor of here) await advance(cursor);
    }
  } finally {
    for (const { iterator } of cursors) await iterator.return?.();
  }
}

function* resultsOf(cursors: readonly Cursor[]): Generator<MergedEntry | MergedProblem> {
  const found: { readonly replica: ReplicaName; readonly logged: Found }[] = [];
  for (const { replica, head } of cursors) {
    if (head === undefined) continue;
    if (head.type === "problem") yield { type: "problem", replica, seq: head.seq, problem: head.problem };
    else found.push({ replica, logged: head });
  }
  // What is proven is shown, and not what others only prepared.
  const committed = found.filter(({ logged }) => logged.type === "committed");
  const shown = committed.length > 0 ? committed : found;
  const [first] = shown;
  if (first === undefined) return;
  const digest = digestOf(first.logged);
  const same = shown.filter(({ logged }) => digestOf(logged) === digest);
  yield { type: "entry", logged: first.logged, heldBy: same.map(({ replica }) => replica) };
  for (const { replica, logged } of committed)
    if (digestOf(logged) !== digest)
      yield {
        type: "problem",
        replica,
        seq: logged.seq,
        problem: `it holds a certificate for another batch, ${digestOf(logged)}: more than f members are faulty, stop the cluster`,
      };
}

/** The digest of the batch. */
export function digestOf(logged: Found): string {
  return logged.type === "committed" ? logged.entry.batch.digest : logged.batch.digest;
}

/** What belongs to no number comes last. */
function placeOf({ seq }: LoggedNumber): number {
  return seq ?? Number.POSITIVE_INFINITY;
}

function lowest(cursors: readonly Cursor[]): number | undefined {
  const places = cursors.flatMap(({ head }) => (head === undefined ? [] : [placeOf(head)]));
  return places.length === 0 ? undefined : Math.min(...places);
}

async function advance(cursor: Cursor): Promise<void> {
  const result = await cursor.iterator.next();
  cursor.head = result.done === true ? undefined : result.value;
}

function iteratorOf(
  items: Iterable<LoggedNumber> | AsyncIterable<LoggedNumber>,
): Iterator<LoggedNumber> | AsyncIterator<LoggedNumber> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}
