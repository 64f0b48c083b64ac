import { fstatSync, readSync, writeSync } from "node:fs";

/** All that a file has from byte `from`, wherever its descriptor stands. */
export function readFrom(descriptor: number, from: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - from));
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(descriptor, bytes, length, bytes.length - length, from + length);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Writes all of `bytes` from byte `at`; a write may be cut short without an error, and the next one then tells why. */
export function writeAt(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let length = 0; length < bytes.length; )
    length += writeSync(descriptor, bytes, length, bytes.length - length, at + length);
}
