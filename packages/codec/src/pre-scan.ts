import { isUtf8 } from "@quorate/protocol";
import type { DecodeError, DecodeErrorCode } from "./decode-error.ts";

/** How deep arrays nest at most: `new-view` → new view → VIEW-CHANGEs → envelope → message → claims → claim is seven. */
export const DEPTH_MAX = 8;

/** What a kind of frame may cost before its shape is known. */
export interface ScanLimits {
  readonly bytesMax: number;
  /** Integers, strings and arrays together: each becomes an object, and most take but one byte on the wire. */
  readonly itemsMax: number;
  /** The elements of one array. */
  readonly elementsMax: number;
}

/**
 * Walks the bytes once, without recursion or allocation in proportion to any claim, and says whether they are exactly
 * one value of the closed, canonical subset: unsigned integers below 2^53 in shortest form, byte strings, well-formed
 * text and arrays, all of definite length (protocol rule 2.4). The decoder behind it is far more permissive and sees
 * only what has passed here.
 */
export function preScan(bytes: Uint8Array, limits: ScanLimits): DecodeError | undefined {
  if (bytes.length > limits.bytesMax)
    return { code: "too-large", path: "@0", expected: `at most ${limits.bytesMax} bytes`, got: `${bytes.length}` };
  return new Scan(bytes, limits).run();
}

const UINT = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const FORBIDDEN: readonly (string | undefined)[] = [
  undefined,
  "a negative integer",
  undefined,
  undefined,
  undefined,
  "a map",
  "a tag",
  "a float or simple value",
];

class Scan {
  readonly #bytes: Uint8Array;
  readonly #limits: ScanLimits;
  #at = 0;
  #items = 0;
  #error: DecodeError | undefined;

  constructor(bytes: Uint8Array, limits: ScanLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  run(): DecodeError | undefined {
    const outer: number[] = [];
    let remaining = 1;
    for (;;) {
      while (remaining === 0) {
        const next = outer.pop();
        if (next === undefined) return this.#atEnd();
        remaining = next;
      }
      remaining--;
      const elements = this.#item();
      if (this.#error !== undefined) return this.#error;
      if (elements < 0) continue;
      // The outermost value sits in no array, so `outer` is as long as the arrays that are open around this one.
      if (outer.length >= DEPTH_MAX) return this.#fail("too-deep", `at most ${DEPTH_MAX} nested arrays`, "one more");
      outer.push(remaining);
      remaining = elements;
    }
  }

  #atEnd(): DecodeError | undefined {
    const rest = this.#bytes.length - this.#at;
    return rest === 0 ? undefined : this.#fail("trailing-bytes", "the end of the frame", `${rest} more bytes`);
  }

  /** Reads one header, and the content of a string; the number of elements of an array, -1 for anything else. */
  #item(): number {
    const { itemsMax, elementsMax } = this.#limits;
    if (++this.#items > itemsMax) return this.#fault("too-large", `at most ${itemsMax} items`, "one more");
    const initial = this.#bytes[this.#at];
    if (initial === undefined) return this.#fault("truncated", "an item", "the end of the frame");
    const major = initial >> 5;
    const forbidden = FORBIDDEN[major];
    if (forbidden !== undefined)
      return this.#fault("forbidden-type", "an unsigned integer, byte string, text or array", forbidden);
    this.#at++;
    const argument = this.#argument(initial & 31);
    if (this.#error !== undefined || major === UINT) return -1;
    // Every element takes a byte at least, so this bounds arrays as well as strings.
    if (argument > this.#bytes.length - this.#at)
      return this.#fault("truncated", `${argument} more bytes or elements`, `${this.#bytes.length - this.#at} bytes`);
    if (major === ARRAY)
      return argument > elementsMax
        ? this.#fault("too-many", `at most ${elementsMax} elements`, `${argument}`)
        : argument;
    if (major === TEXT && !isUtf8(this.#bytes, this.#at, this.#at + argument))
      return this.#fault("invalid-utf8", "well-formed UTF-8", "other bytes");
    if (major === BYTES || major === TEXT) this.#at += argument;
    return -1;
  }

  #argument(short: number): number {
    if (short < 24) return short;
    switch (short) {
      case 24:
        return this.#shortest(this.#unsigned(1), 24);
      case 25:
        return this.#shortest(this.#unsigned(2), 0x100);
      case 26:
        return this.#shortest(this.#unsigned(4), 0x1_0000);
      case 27: {
        const high = this.#unsigned(4);
        if (high > 0x1f_ffff)
          return this.#fault("integer-too-large", "an integer below 2^53", `${high} · 2^32 or more`);
        return this.#shortest(high * 0x1_0000_0000 + this.#unsigned(4), 0x1_0000_0000);
      }
      default:
        return this.#fault(
          "forbidden-type",
          "a definite length",
          short === 31 ? "an indefinite one" : "a reserved one",
        );
    }
  }

  #shortest(value: number, least: number): number {
    if (this.#error === undefined && value < least)
      return this.#fault("not-shortest", "the shortest form", `${value} in a longer one`);
    return value;
  }

  #unsigned(width: number): number {
    if (width > this.#bytes.length - this.#at)
      return this.#fault("truncated", `${width} bytes of a header`, "the end of the frame");
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 0x100 + (this.#bytes[this.#at++] ?? 0);
    return value;
  }

  #fault(code: DecodeErrorCode, expected: string, got: string): -1 {
    this.#fail(code, expected, got);
    return -1;
  }
  #fail(code: DecodeErrorCode, expected: string, got: string): DecodeError {
    this.#error ??= { code, path: `@${this.#at}`, expected, got };
    return this.#error;
  }
}
