import { type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { type History, StorageError } from "@quorate/storage";

/** One number of a history as it was read: the encoded entry, or why there is none that can be used. */
export type HistoryItem =
  | { readonly seq: SequenceNumber; readonly bytes: Uint8Array; readonly problem?: undefined }
  | { readonly seq: SequenceNumber; readonly bytes?: undefined; readonly problem: string };

/** Which numbers are wanted; both ends are. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads a history in the order of its numbers, one entry at a time. What was executed was committed and archived before, so
 * a number up to `executed` that is not there has been lost; above it decisions are archived as they come.
 */
export function* readHistory(
  history: Pick<History, "get" | "first" | "last">,
  executed: number,
  { from, to }: NumberRange,
): Generator<HistoryItem> {
  const { first, last } = history;
  if (first === undefined || last === undefined) return;
  const end = Math.min(to, last);
  for (let number = Math.max(from, first); number <= end; number++) {
    const item = readOne(history, sequenceNumber(number));
    if (item !== undefined) yield item;
    else if (number <= executed) yield { seq: sequenceNumber(number), problem: "it is not there" };
  }
}

function readOne(history: Pick<History, "get">, seq: SequenceNumber): HistoryItem | undefined {
  try {
    const bytes = history.get(seq);
    return bytes && { seq, bytes };
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "storage.damaged")) throw error;
    return { seq, problem: "its checksum differs: the disk has changed what was written" };
  }
}
