import { allocateBytes } from "./bytes.ts";
import { writeHex32 } from "./hex.ts";
import { invariant } from "./invariant.ts";

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
    if (!Number.isSafeInteger(value) || value < 0) invariant(false, "preimage.counter", { value });
    const at = this.#claim(8);
    this.#writeU32(at, Math.floor(value / 0x1_0000_0000));
    this.#writeU32(at + 4, value >>> 0);
    return this;
  }
  /** 32 bytes given as hex. */
  hex32(hex: string): this {
    if (hex.length !== 64) invariant(false, "preimage.hex32", { length: hex.length });
    writeHex32(this.#bytes, this.#claim(32), hex);
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
    if (this.#at !== this.#bytes.length)
      invariant(false, "preimage.size", { written: this.#at, size: this.#bytes.length });
    return this.#bytes;
  }

  /** Where the next field of `count` bytes starts. */
  #claim(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length)
      invariant(false, "preimage.size", { written: this.#at, size: this.#bytes.length });
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
