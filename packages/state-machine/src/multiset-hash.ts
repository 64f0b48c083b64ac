import { type Digest, type Hasher, stateEntryPreimage } from "@quorate/protocol";

const WORDS = 8;

/**
 * A hash of a set of entries that can be kept up with each change: the sum of the entries' digests modulo 2^256. Equal
 * sets have equal sums, in whatever order they came to be. It finds accidents, not attacks: sums of 256 bits can be
 * made to collide by someone who chooses many entries, so it identifies a state among replicas that executed the same
 * inputs, and never proves one entry to anybody.
 */
export class MultisetHash {
  readonly #hasher: Hasher;
  /** Least significant word first. */
  readonly #words: Uint32Array;

  constructor(hasher: Hasher, sum: Uint8Array = new Uint8Array(4 * WORDS)) {
    this.#hasher = hasher;
    const view = new DataView(sum.buffer, sum.byteOffset, sum.byteLength);
    this.#words = Uint32Array.from({ length: WORDS }, (_, i) => view.getUint32(4 * (WORDS - 1 - i)));
  }

  add(key: Uint8Array, value: Uint8Array): void {
    const digest = this.#hasher.digest(stateEntryPreimage(key, value));
    let carry = 0;
    for (let i = 0; i < WORDS; i++) {
      const sum = (this.#words[i] ?? 0) + wordOf(digest, i) + carry;
      this.#words[i] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
  }

  remove(key: Uint8Array, value: Uint8Array): void {
    const digest = this.#hasher.digest(stateEntryPreimage(key, value));
    let borrow = 0;
    for (let i = 0; i < WORDS; i++) {
      const difference = (this.#words[i] ?? 0) - wordOf(digest, i) - borrow;
      this.#words[i] = difference;
      borrow = difference < 0 ? 1 : 0;
    }
  }

  /** The sum, 32 bytes big-endian. */
  sum(): Uint8Array {
    const bytes = new Uint8Array(4 * WORDS);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < WORDS; i++) view.setUint32(4 * (WORDS - 1 - i), this.#words[i] ?? 0);
    return bytes;
  }
}

/** The `i`-th word of a digest, the least significant first. Digit by digit: this runs for every change of every batch. */
function wordOf(digest: Digest, i: number): number {
  const start = 8 * (WORDS - 1 - i);
  let word = 0;
  for (let at = start; at < start + 8; at++) {
    const code = digest.charCodeAt(at);
    // Bit 6 tells a letter from a digit. No branch: half of the digits would be guessed wrong.
    word = (word << 4) | ((code & 15) + 9 * (code >> 6));
  }
  return word >>> 0;
}
