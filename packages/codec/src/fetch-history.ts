/** Questions for committed batches, signed or not. */
import { FETCH_COMMITTED_MAX, type FetchHistory } from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

export function writeFetchHistory(writer: Writer, { epoch, first, last }: FetchHistory): void {
  writer.array(3).uint(epoch).uint(first).uint(last);
}

export function readFetchHistory(tuple: Tuple): FetchHistory {
  return { epoch: tuple.shape(3).counter(0, "epoch"), ...readAskedNumbers(tuple, 1) };
}

/** The numbers that are asked for, `first` at place `at` and `last` behind it: one at least, and not too many. */
export function readAskedNumbers(tuple: Tuple, at: number): Pick<FetchHistory, "first" | "last"> {
  const asked: Pick<FetchHistory, "first" | "last"> = {
    first: tuple.counter(at, "first"),
    last: tuple.counter(at + 1, "last"),
  };
  const count = asked.last - asked.first + 1;
  if (count < 1 || count > FETCH_COMMITTED_MAX)
    tuple.fault("inconsistent", "last", `1 to ${FETCH_COMMITTED_MAX} numbers from first`, `${count}`);
  return asked;
}
