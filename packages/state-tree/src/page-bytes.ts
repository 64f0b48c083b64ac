/**
 * Memory for what is made many at once, written and then forgotten: zeros, and no byte is anybody else's. Blocks of their own would
 * cost more than the hashes.
 */
class Slab {
  readonly #size: number;
  #memory: ArrayBuffer;
  #used = 0;

  constructor(size: number) {
    this.#size = size;
    this.#memory = new ArrayBuffer(size);
  }

  take(size: number): Uint8Array {
    if (size > this.#size / 4) return new Uint8Array(size);
    if (this.#used + size > this.#size) {
      this.#memory = new ArrayBuffer(this.#size);
      this.#used = 0;
    }
    const bytes = new Uint8Array(this.#memory, this.#used, size);
    this.#used += (size + 7) & ~7;
    return bytes;
  }
}

const PAGES = new Slab(32 * 1024);
const RECORDS = new Slab(128 * 1024);

/** Memory for a bucket that is made: a root makes a thousand of them at once. */
export function pageBytes(size: number): Uint8Array {
  return PAGES.take(size);
}

/** Memory for the entries of a bucket that is brought here: eight buckets with values of a kilobyte share one. */
export function recordBytes(size: number): Uint8Array {
  return RECORDS.take(size);
}
