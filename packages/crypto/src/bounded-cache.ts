import { invariant } from "@quorate/protocol";

/**
 * A map that forgets what was not used for longest, in two generations: when the young one is full it becomes the old
 * one, and what the old one still held is gone. Constant time, no list to keep; holds at most `entriesMax` entries, and
 * the most recently used half of them for sure.
 */
export class BoundedCache<K, V> {
  readonly #generationMax: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** `entriesMax`: at least 2. */
  constructor(entriesMax: number) {
    invariant(Number.isSafeInteger(entriesMax) && entriesMax >= 2, "cache.entries-max", { entriesMax });
    this.#generationMax = Math.floor(entriesMax / 2);
  }

  /** How many entries it holds now, one in both generations counted twice; at most `entriesMax`. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#generationMax && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
