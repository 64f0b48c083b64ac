import { invariant } from "./invariant.ts";

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const NIBBLES = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) NIBBLES[digit.toString(16).charCodeAt(0)] = digit;

const SLAB_SIZE = 8192;
/** A longer array is worth a memory block of its own. */
const IN_SLAB_MAX = 1024;
let slab = new ArrayBuffer(SLAB_SIZE);
let slabUsed = 0;

/**
 * As `new Uint8Array(size)`: zeros, and no byte is anybody else's. Short ones share a memory block, which costs a tenth
 * of a block of one's own and lives as long as any of them: for what is hashed, sent or written and then forgotten, not
 * for what is kept for long or handed to a service.
 */
export function allocateBytes(size: number): Uint8Array {
  if (size > IN_SLAB_MAX) return new Uint8Array(size);
  if (slabUsed + size > SLAB_SIZE) {
    slab = new ArrayBuffer(SLAB_SIZE);
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, size);
  // The next one starts at a multiple of eight, as blocks of their own do.
  slabUsed += (size + 7) & ~7;
  return bytes;
}

/** A copy made by `allocateBytes`. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = allocateBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Lower-case hex of `bytes`. */
export function bytesToHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** @throws InvariantViolation unless `hex` is an even number of lower-case hex digits. */
export function hexToBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  writeHex(bytes, 0, hex);
  return bytes;
}

/** Writes the bytes that `hex` spells into `target` from `offset`, without a buffer in between. */
export function writeHex(target: Uint8Array, offset: number, hex: string): void {
  invariant(hex.length % 2 === 0, "bytes.odd-hex", { length: hex.length });
  for (let i = 0; i < hex.length; i += 2) {
    const high = NIBBLES[hex.charCodeAt(i)] ?? -1;
    const low = NIBBLES[hex.charCodeAt(i + 1)] ?? -1;
    invariant(high >= 0 && low >= 0, "bytes.not-hex", { at: i });
    target[offset + i / 2] = (high << 4) | low;
  }
}

/** Lexicographic order of byte strings, a prefix first: the order of every ordered store. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Whether two byte strings are the same. Not constant in time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/**
 * Writes a preimage: fixed-width fields, big-endian, into a buffer of a size known beforehand.
 * `finish` asserts that the size was right, so a field can neither be forgotten nor added silently.
 */
export class PreimageWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.#bytes = allocateBytes(size);
  }

  /** A domain tag of at most 16 ASCII characters, zero-padded to 16 bytes. */
  tag(tag: string): this {
    invariant(tag.length <= 16, "preimage.tag-too-long", { tag });
    const at = this.#claim(16);
    for (let i = 0; i < tag.length; i++) this.#bytes[at + i] = tag.charCodeAt(i);
    return this;
  }
  u8(value: number): this {
    this.#bytes[this.#claim(1)] = value;
    return this;
  }
  u32(value: number): this {
    this.#writeU32(this.#claim(4), value);
    return this;
  }
  /** A counter below 2^53 in eight bytes. */
  u64(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, "preimage.counter", { value });
    const at = this.#claim(8);
    this.#writeU32(at, Math.floor(value / 0x1_0000_0000));
    this.#writeU32(at + 4, value >>> 0);
    return this;
  }
  /** 32 bytes given as hex. */
  hex32(hex: string): this {
    invariant(hex.length === 64, "preimage.hex32", { length: hex.length });
    writeHex(this.#bytes, this.#claim(32), hex);
    return this;
  }
  /** A four-byte length, then the bytes. */
  sized(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }
  raw(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#claim(bytes.length));
    return this;
  }
  finish(): Uint8Array {
    invariant(this.#at === this.#bytes.length, "preimage.size", { written: this.#at, size: this.#bytes.length });
    return this.#bytes;
  }

  /** Where the next field of `count` bytes starts. */
  #claim(count: number): number {
    const at = this.#at;
    this.#at += count;
    invariant(this.#at <= this.#bytes.length, "preimage.size", { written: this.#at, size: this.#bytes.length });
    return at;
  }

  // Byte by byte: a DataView for each preimage costs more than it saves.
  #writeU32(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }
}

/** UTF-8 of a well-formed string, for preimages of text. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return Uint8Array.from(bytes);
}
