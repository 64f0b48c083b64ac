const SCALE = 2 ** 32;
/** Outputs thrown away after seeding, so that similar seeds do not start alike. */
const WARM_UP = 15;

/**
 * Seeded randomness (sfc32, 128 bits of state). Streams are forked by purpose, so that one more draw in one place does
 * not change what happens in all others. Not for keys of anything real.
 */
export class Prng {
  readonly #name: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Equal names give equal streams. */
  constructor(name: string) {
    this.#name = name;
    this.#a = hash(name, 0x9e3779b9);
    this.#b = hash(name, 0x243f6a88);
    this.#c = hash(name, 0xb7e15162);
    for (let i = 0; i < WARM_UP; i++) this.uint32();
  }

  /** A stream of its own, which depends on this one's name but not on what was drawn from it. */
  fork(purpose: string): Prng {
    return new Prng(`${this.#name}/${purpose}`);
  }

  /** An integer in `0 … 2^32 - 1`. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number in `[0, 1)`. */
  unit(): number {
    return this.uint32() / SCALE;
  }

  /** A number in `[from, to)`. */
  between(from: number, to: number): number {
    return from + this.unit() * (to - from);
  }

  /** An integer in `from … to`, both included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.unit() * (to - from + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of `choices`, of which there is at least one. */
  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.integer(0, choices.length - 1)] ?? choices[0];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 0xff);
  }
}

/** FNV-1a with a final mix, over UTF-16 units. */
function hash(text: string, basis: number): number {
  let value = basis;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
