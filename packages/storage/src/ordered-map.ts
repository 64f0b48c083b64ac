/** One entry; `value` undefined is a deletion that is remembered. */
export interface OrderedEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** The bytes as a string of the same order: JavaScript compares code units, and these are the bytes. */
export function orderedText(key: Uint8Array): string {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return bytes.toString("latin1");
}

/** Additions fewer than this are sorted in one by one. */
const SPLICE_MAX = 16;

/** So many deletions wait for their sweep, beside as many as there are entries. */
const UNSWEPT_MAX = 1024;

/** A map from byte strings, ordered when a range is asked for and not before: most maps here are never ranged. */
export class OrderedMap {
  readonly #entries: Map<string, OrderedEntry>;
  #sorted: string[] = [];
  #unsorted: string[] = [];
  /** Gone from the map and still among the sorted or unsorted: swept when they are as many as what is left. */
  readonly #deleted = new Set<string>();

  /** Starts with `entries`, which become its own. */
  constructor(entries: Map<string, OrderedEntry> = new Map()) {
    this.#entries = entries;
    this.#unsorted = [...entries.keys()];
  }

  get size(): number {
    return this.#entries.size;
  }

  get(text: string): OrderedEntry | undefined {
    return this.#entries.get(text);
  }

  set(text: string, entry: OrderedEntry): void {
    const before = this.#entries.size;
    this.#entries.set(text, entry);
    if (this.#entries.size > before && !this.#deleted.delete(text)) this.#unsorted.push(text);
  }

  delete(text: string): void {
    if (this.#entries.delete(text)) this.#deleted.add(text);
    if (this.#deleted.size > this.#entries.size + UNSWEPT_MAX) this.#settle();
  }

  values(): Iterable<OrderedEntry> {
    return this.#entries.values();
  }

  /** The entries with `from ≤ key < to` as they are now; later changes do not show. */
  range(from: string, to: string): OrderedEntry[] {
    this.#settle();
    const found: OrderedEntry[] = [];
    for (let at = position(this.#sorted, from); at < this.#sorted.length; at++) {
      const text = this.#sorted[at] as string;
      if (text >= to) break;
      const entry = this.#entries.get(text);
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  #settle(): void {
    if (this.#unsorted.length > 0) this.#sortIn();
    if (this.#deleted.size <= this.#entries.size) return;
    this.#sorted = this.#sorted.filter((text) => this.#entries.has(text));
    this.#deleted.clear();
  }

  #sortIn(): void {
    if (this.#unsorted.length <= SPLICE_MAX) {
      for (const text of this.#unsorted) this.#sorted.splice(position(this.#sorted, text), 0, text);
    } else {
      // Two sorted runs, which the sort merges without sorting again.
      this.#sorted = this.#sorted.concat(this.#unsorted.sort(byCodeUnit)).sort(byCodeUnit);
    }
    this.#unsorted = [];
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Where `text` is or would be. */
function position(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
