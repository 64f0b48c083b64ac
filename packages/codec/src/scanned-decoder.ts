/** How byte strings are copied: each by itself, or all with the whole frame, for many that are soon forgotten together. */
export type Copying = "each" | "whole";

const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;

/**
 * The value of bytes that have passed the pre-scan: numbers, byte strings and arrays of them. The value shares no memory with the bytes.
 * It judges nothing, for the scan has: every header is there, in its shortest form, and promises no more than is there; arrays nest no
 * deeper than `DEPTH_MAX`, so recursion is bounded. Bytes that have not passed give any value, and nothing outside of them is read.
 */
export function decodeScanned(bytes: Uint8Array, copying: Copying): unknown {
  return new ScannedDecoder(bytes, copying).value();
}

class ScannedDecoder {
  readonly #bytes: Uint8Array;
  readonly #copying: Copying;
  #at = 0;

  constructor(bytes: Uint8Array, copying: Copying) {
    // A plain view of our own: a Buffer would give Buffers.
    this.#bytes =
      copying === "each" ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes);
    this.#copying = copying;
  }

  value(): unknown {
    const initial = this.#byte();
    const argument = this.#argument(initial & 31);
    switch (initial >> 5) {
      case BYTES:
        return this.#content(argument);
      case TEXT:
        this.#at += argument;
        // No field of any shape is text. That it was one is all that its reader has to be told.
        return "";
      case ARRAY: {
        const values: unknown[] = [];
        for (let i = 0; i < argument; i++) values.push(this.value());
        return values;
      }
      default:
        return argument;
    }
  }

  #content(length: number): Uint8Array {
    const from = this.#at;
    this.#at += length;
    return this.#copying === "each" ? this.#bytes.slice(from, this.#at) : this.#bytes.subarray(from, this.#at);
  }

  #argument(short: number): number {
    if (short < 24) return short;
    let value = 0;
    for (let width = 1 << (short - 24); width > 0; width--) value = value * 0x100 + this.#byte();
    return value;
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
}
