/** Byte strings as lower-case hex, and the digests and keys among them, which are spelled again and again. */
import { invariant } from "./invariant.ts";

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const DIGITS: readonly number[] = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const NIBBLES = new Int8Array(128).fill(-1);
DIGITS.forEach((code, digit) => {
  NIBBLES[code] = digit;
});

const HASH_SIZE = 32;

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

/**
 * Writes the bytes that `hex` spells into `target` from `offset`, without a buffer in between.
 *
 * @throws InvariantViolation unless `hex` is an even number of lower-case hex digits.
 */
export function writeHex(target: Uint8Array, offset: number, hex: string): void {
  if (hex.length % 2 !== 0) invariant(false, "bytes.odd-hex", { length: hex.length });
  for (let i = 0; i < hex.length; i += 2) target[offset + i / 2] = byteAt(hex, i);
}

/** The 32 bytes of `bytes` from `offset` as hex: of the same bytes soon after the very same string. */
export function readHex32(bytes: Uint8Array, offset: number): string {
  if (offset + HASH_SIZE > bytes.length) invariant(false, "bytes.hex32-end", { offset, length: bytes.length });
  const spelling = spellingOf(bytes[offset] ?? 0);
  if (!spelling.isOf(bytes, offset)) spelling.take(bytes, offset);
  return spelling.hex;
}

/** As `writeHex`, of exactly 64 digits: a string that came by a moment ago costs a tenth of it. */
export function writeHex32(target: Uint8Array, offset: number, hex: string): void {
  if (hex.length !== 2 * HASH_SIZE) invariant(false, "bytes.hex32", { length: hex.length });
  const spelling = spellingOf(byteAt(hex, 0));
  if (spelling.hex !== hex) spelling.parse(hex);
  target.set(spelling.bytes, offset);
}

/** Remembered spellings: one for each first byte. */
const SPELLINGS_MAX = 256;
const spellings = new Array<Spelling | undefined>(SPELLINGS_MAX);

/** 32 bytes in both forms. One message names the same few keys and digests many times, and so do all of one batch. */
class Spelling {
  hex: string = "00".repeat(HASH_SIZE);
  readonly bytes: Uint8Array = new Uint8Array(HASH_SIZE);

  isOf(bytes: Uint8Array, offset: number): boolean {
    for (let i = 0; i < HASH_SIZE; i++) if (this.bytes[i] !== bytes[offset + i]) return false;
    return true;
  }

  take(bytes: Uint8Array, offset: number): void {
    for (let i = 0; i < HASH_SIZE; i++) this.bytes[i] = bytes[offset + i] ?? 0;
    this.hex = hexOfHash(this.bytes);
  }

  /** @throws InvariantViolation unless `hex` is lower-case hex digits; nothing is remembered then. */
  parse(hex: string): void {
    writeHex(PARSED, 0, hex);
    this.bytes.set(PARSED);
    this.hex = hex;
  }
}
const PARSED = new Uint8Array(HASH_SIZE);
const CODES = new Array<number>(2 * HASH_SIZE).fill(0);

/** In one piece: what is joined of pairs of digits is put together only when it is looked at. */
function hexOfHash(bytes: Uint8Array): string {
  for (let i = 0; i < HASH_SIZE; i++) {
    const byte = bytes[i] ?? 0;
    CODES[2 * i] = DIGITS[byte >> 4] ?? 0;
    CODES[2 * i + 1] = DIGITS[byte & 15] ?? 0;
  }
  return String.fromCharCode(...CODES);
}

function spellingOf(first: number): Spelling {
  let spelling = spellings[first];
  if (spelling === undefined) {
    spelling = new Spelling();
    spellings[first] = spelling;
  }
  return spelling;
}

function byteAt(hex: string, at: number): number {
  const high = NIBBLES[hex.charCodeAt(at)] ?? -1;
  const low = NIBBLES[hex.charCodeAt(at + 1)] ?? -1;
  if (high < 0 || low < 0) invariant(false, "bytes.not-hex", { at });
  return (high << 4) | low;
}
