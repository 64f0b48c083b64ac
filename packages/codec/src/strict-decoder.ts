import { invariant } from "@quorate/protocol";
import type { Decoded } from "./decode-error.ts";
import { preScan, type ScanLimits } from "./pre-scan.ts";
import { type Copying, decodeScanned } from "./scanned-decoder.ts";
import { Decoding, Tuple } from "./tuple.ts";
import type { WireLimits } from "./wire-limits.ts";

/** Reads a value of its shape; nothing when there is none, and then a fault is noted in the `Decoding`. */
type Read<T> = (tuple: Tuple) => T | undefined;

/**
 * Decodes what has any shape: the pre-scan, then the values, then the reader of the shape. Never throws; the value shares no
 * memory with the bytes.
 */
export function decodeStrictly<T>(
  bytes: Uint8Array,
  name: string,
  scan: ScanLimits,
  limits: WireLimits,
  read: Read<T>,
  copying: Copying = "each",
): Decoded<T> {
  const structural = preScan(bytes, scan);
  if (structural !== undefined) return { ok: false, error: structural };
  const decoding = new Decoding(limits);
  const value = read(new Tuple(decoding, undefined, name, decodeScanned(bytes, copying)));
  const { error } = decoding;
  if (error !== undefined) return { ok: false, error };
  invariant(value !== undefined, "codec.reader-without-verdict", { name });
  return { ok: true, value };
}
