/** The first keys of many, and how many there were. */
export interface KeyList {
  readonly keys: readonly Uint8Array[];
  readonly count: number;
}

const KEYS_MAX = 100;

/** Counts keys and remembers the first hundred, for people to look at. */
export class KeyCounter implements KeyList {
  readonly #keys: Uint8Array[] = [];
  #count = 0;

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }
  get count(): number {
    return this.#count;
  }

  add(key: Uint8Array): void {
    this.#count++;
    if (this.#keys.length < KEYS_MAX) this.#keys.push(new Uint8Array(key));
  }
}
