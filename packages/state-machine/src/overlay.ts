import type { Change, OrderedReader } from "@quorate/protocol";

/** A key and its value. */
export type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** A place in the history of an overlay, to go back to. */
export type Mark = number;

/** What the base holds under a name. */
interface BaseRead {
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

/** A change, and what the base holds there if that was read just before. */
interface KnownChange extends Change {
  readonly base: BaseRead | undefined;
}

/** Bytes as a string of one character each: such strings sort as their bytes do, and are keys of a Map. */
function nameOf(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}

/** The least string above `name`. */
function successorOf(name: string): string {
  return `${name}\0`;
}

/** The entry at which a range of the base stands. */
class Cursor {
  readonly #iterator: Iterator<Entry>;
  entry: Entry | undefined;
  name: string | undefined;

  constructor(iterator: Iterator<Entry>) {
    this.#iterator = iterator;
  }

  advance(): void {
    const step = this.#iterator.next();
    this.entry = step.done === true ? undefined : step.value;
    this.name = this.entry === undefined ? undefined : nameOf(this.entry[0]);
  }

  close(): void {
    this.#iterator.return?.();
  }
}

/**
 * The changes of a batch that is being executed, over the state as it was before it. Any suffix of the changes can be
 * taken back, which is how a failed operation leaves no trace.
 */
export class Overlay implements OrderedReader {
  readonly #base: OrderedReader;
  readonly #changes = new Map<string, KnownChange>();
  /** The names of `#changes` in order; made when a range first needs it. */
  #sorted: string[] | undefined;
  readonly #journal: { readonly name: string; readonly before: KnownChange | undefined }[] = [];
  /** Most changes follow a read of the same key, which need not be read again to see what changed. */
  #lastRead: BaseRead | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(base: OrderedReader) {
    this.#base = base;
  }

  /** Set once a read of the base threw: nothing computed since then may be believed, whoever caught the error. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key);
    const change = this.#changes.get(name);
    if (change !== undefined) return change.value;
    const value = this.#guarded(() => this.#base.get(key));
    this.#lastRead = { name, value };
    return value;
  }

  /** Sets, or with `undefined` deletes. The overlay keeps both arrays: they must not be modified later. */
  put(key: Uint8Array, value: Uint8Array | undefined): void {
    const name = nameOf(key);
    const before = this.#changes.get(name);
    this.#journal.push({ name, before });
    const base = before === undefined ? this.#lastRead : before.base;
    this.#changes.set(name, { key, value, base: base?.name === name ? base : undefined });
    if (before === undefined) this.#sorted?.splice(this.#indexOf(this.#sorted, name), 0, name);
  }

  /** The order of bytes; changes made meanwhile are seen at keys that were not passed yet. */
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<Entry> {
    const end = to === undefined ? undefined : nameOf(to);
    const start = nameOf(from);
    if (end !== undefined && start >= end) return;
    const below = new Cursor(this.#guarded(() => this.#base.range(from, to)[Symbol.iterator]()));
    try {
      yield* this.#merge(below, start, end);
    } finally {
      below.close();
    }
  }

  /** The number of changes so far. */
  mark(): Mark {
    return this.#journal.length;
  }

  /** Takes back every change made since `mark`. */
  rollback(mark: Mark): void {
    while (this.#journal.length > mark) {
      const undone = this.#journal.pop();
      if (undone === undefined) return;
      if (undone.before === undefined) {
        this.#changes.delete(undone.name);
        this.#sorted?.splice(this.#indexOf(this.#sorted, undone.name), 1);
      } else this.#changes.set(undone.name, undone.before);
    }
  }

  /** What differs from the base, in the order of keys. */
  netChanges(): readonly Change[] {
    const net: Change[] = [];
    for (const name of this.#names()) {
      const change = this.#changes.get(name);
      if (change === undefined) continue;
      const before = change.base === undefined ? this.#guarded(() => this.#base.get(change.key)) : change.base.value;
      if (!isSame(before, change.value)) net.push({ key: change.key, value: change.value });
    }
    return net;
  }

  *#merge(below: Cursor, start: string, end: string | undefined): Generator<Entry> {
    this.#guarded(() => below.advance());
    for (let next = start; ; ) {
      const above = this.#firstChangeFrom(next, end);
      const { name, entry } = below;
      if (name !== undefined && entry !== undefined && (above === undefined || name < above)) {
        next = successorOf(name);
        this.#guarded(() => below.advance());
        yield entry;
      } else if (above !== undefined) {
        next = successorOf(above);
        if (name === above) this.#guarded(() => below.advance());
        const change = this.#changes.get(above);
        if (change?.value !== undefined) yield [change.key, change.value];
      } else return;
    }
  }

  #names(): string[] {
    // Code units are bytes here, so the default order of strings is the order of bytes.
    this.#sorted ??= [...this.#changes.keys()].sort();
    return this.#sorted;
  }

  #firstChangeFrom(name: string, end: string | undefined): string | undefined {
    const names = this.#names();
    const first = names[this.#indexOf(names, name)];
    return first !== undefined && (end === undefined || first < end) ? first : undefined;
  }

  /** Where `name` stands in `sorted`, or would. */
  #indexOf(sorted: readonly string[], name: string): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? "") < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      this.#failure ??= { cause };
      throw cause;
    }
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
