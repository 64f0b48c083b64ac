import { allocateBytes, invariant, isCounter, writeHex32 } from "@quorate/protocol";

/** Each kind of item as its header has it: the upper three bits. */
const UINT = 0x00;
const BYTES = 0x40;
const ARRAY = 0x80;

const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
const HEADER_SIZE_MAX = 9;

const ARENA_SIZE = 4096;
/** A larger arena is given back after its frame. */
const ARENA_SIZE_MAX: number = 256 * 1024;

/**
 * Writes one value of the canonical subset after the other, each header in its shortest form, into an arena that is
 * used again and again. It knows no other items, so nothing else can be written by mistake.
 *
 * @throws InvariantViolation from every method for a value that has no encoding: that is our own bug.
 */
export class Writer {
  #arena = new Uint8Array(ARENA_SIZE);
  #at = 0;

  /** How many bytes were written since `restart`. */
  get length(): number {
    return this.#at;
  }

  /** Forgets what was written. */
  restart(): void {
    this.#at = 0;
    if (this.#arena.length > ARENA_SIZE_MAX) this.#arena = new Uint8Array(ARENA_SIZE);
  }

  /** The header of an array; its `length` elements follow. */
  array(length: number): this {
    this.#header(ARRAY, length, 0);
    return this;
  }

  /** An unsigned integer below 2^53. */
  uint(value: number): this {
    if (!isCounter(value)) invariant(false, "codec.counter", { value });
    this.#header(UINT, value, 0);
    return this;
  }

  /** A digest, key or id: 32 bytes, given as hex. */
  hex32(hex: string): this {
    if (hex.length !== 2 * HASH_SIZE) invariant(false, "codec.hex32", { length: hex.length });
    this.#header(BYTES, HASH_SIZE, HASH_SIZE);
    writeHex32(this.#arena, this.#at, hex);
    this.#at += HASH_SIZE;
    return this;
  }

  signature(bytes: Uint8Array): this {
    if (bytes.length !== SIGNATURE_SIZE) invariant(false, "codec.signature", { length: bytes.length });
    return this.bytes(bytes);
  }

  /** A byte string of any length. */
  bytes(bytes: Uint8Array): this {
    if (!(bytes instanceof Uint8Array)) invariant(false, "codec.bytes", { type: typeof bytes });
    this.#header(BYTES, bytes.length, bytes.length);
    return this.#append(bytes);
  }

  /** A value that was written before. */
  written(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    return this.#append(bytes);
  }

  /** A copy of what was written from `start` on. */
  copyFrom(start: number): Uint8Array {
    const copy = allocateBytes(this.#at - start);
    copy.set(this.#arena.subarray(start, this.#at));
    return copy;
  }

  #append(bytes: Uint8Array): this {
    this.#arena.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** A header in its shortest form, with room for `content` bytes behind it. */
  #header(major: number, argument: number, content: number): void {
    this.#reserve(HEADER_SIZE_MAX + content);
    const arena = this.#arena;
    if (argument < 24) arena[this.#at++] = major | argument;
    else if (argument < 0x100) {
      arena[this.#at++] = major | 24;
      arena[this.#at++] = argument;
    } else if (argument < 0x1_0000) {
      arena[this.#at++] = major | 25;
      arena[this.#at++] = argument >>> 8;
      arena[this.#at++] = argument;
    } else if (argument < 0x1_0000_0000) {
      arena[this.#at++] = major | 26;
      this.#u32(argument);
    } else {
      arena[this.#at++] = major | 27;
      this.#u32(Math.floor(argument / 0x1_0000_0000));
      this.#u32(argument % 0x1_0000_0000);
    }
  }

  #u32(value: number): void {
    const arena = this.#arena;
    arena[this.#at++] = value >>> 24;
    arena[this.#at++] = value >>> 16;
    arena[this.#at++] = value >>> 8;
    arena[this.#at++] = value;
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#arena.length) return;
    const arena = new Uint8Array(Math.max(needed, 2 * this.#arena.length));
    arena.set(this.#arena.subarray(0, this.#at));
    this.#arena = arena;
  }
}
