import { compareBytes } from "@quorate/protocol";

type Entry = readonly [key: Uint8Array, record: Uint8Array];

/** One stream, and the entry that it has come to. */
interface Head {
  readonly iterator: Iterator<Entry, unknown>;
  next: Entry | undefined;
}

/** All entries of some ascending streams, ascending. Of those with one key the entry of the first stream stands for all. */
export function* overlaidEntries(streams: readonly Iterable<Entry>[]): Generator<Entry> {
  const heads: Head[] = streams.map((stream) => {
    const iterator = stream[Symbol.iterator]();
    return { iterator, next: nextOf(iterator) };
  });
  try {
    for (let least = leastOf(heads); least !== undefined; least = leastOf(heads)) {
      for (const head of heads) if (hasKey(head, least[0])) head.next = nextOf(head.iterator);
      yield least;
    }
  } finally {
    // Whoever stops early leaves no cursor of a store open.
    for (const { iterator } of heads) iterator.return?.();
  }
}

/** Of equals the first. */
function leastOf(heads: readonly Head[]): Entry | undefined {
  let least: Entry | undefined;
  for (const { next } of heads)
    if (next !== undefined && (least === undefined || compareBytes(next[0], least[0]) < 0)) least = next;
  return least;
}

function hasKey({ next }: Head, key: Uint8Array): boolean {
  return next !== undefined && compareBytes(next[0], key) === 0;
}

function nextOf(iterator: Iterator<Entry, unknown>): Entry | undefined {
  const result = iterator.next();
  return result.done === true ? undefined : result.value;
}
