import type { OrderedEntry } from "./ordered-map.ts";
import { RunCursor, type RunPlace } from "./sorted-runs.ts";
import type { SpoolFile } from "./spool-file.ts";

interface Source {
  readonly cursor: RunCursor;
  readonly run: number;
}

/**
 * The entries of all runs in the order of their keys; those of one key in the order of their runs. A heap of cursors: it holds a
 * block of each run.
 *
 * @throws StorageError `storage.damaged`.
 */
export function* mergedRuns(file: SpoolFile, places: readonly RunPlace[]): Generator<OrderedEntry> {
  const heap = places.map((place, run): Source => ({ cursor: new RunCursor(file, place), run }));
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, at);
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    yield top.cursor.entry;
    top.cursor.advance();
    if (top.cursor.text === undefined) {
      const last = heap.pop() as Source;
      if (heap.length > 0) heap[0] = last;
    }
    siftDown(heap, 0);
  }
}

function siftDown(heap: Source[], from: number): void {
  const sinking = heap[from];
  if (sinking === undefined) return;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Source, heap[child] as Source)) child++;
    const below = heap[child] as Source;
    if (!isBefore(below, sinking)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = sinking;
}

function isBefore(a: Source, b: Source): boolean {
  const [left, right] = [a.cursor.text ?? "", b.cursor.text ?? ""];
  return left === right ? a.run < b.run : left < right;
}
