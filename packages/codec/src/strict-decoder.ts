import { invariant } from "@quorate/protocol";
import { Decoder } from "cbor-x/decode";
import type { Decoded } from "./decode-error.ts";
import { preScan, type ScanLimits } from "./pre-scan.ts";
import { Decoding, Tuple } from "./tuple.ts";
import type { WireLimits } from "./wire-limits.ts";

// Nothing is learnt from one frame for the next, and byte strings are copies: a view would keep the frame alive.
const decoder = new Decoder({ useRecords: false, copyBuffers: true });
const viewer = new Decoder({ useRecords: false, copyBuffers: false });

/** How byte strings are copied: each by itself, or all with the whole frame, for many that are soon forgotten together. */
export type Copying = "each" | "whole";

/** Reads a value of its shape; nothing when there is none, and then a fault is noted in the `Decoding`. */
type Read<T> = (tuple: Tuple) => T | undefined;

/**
 * Decodes what has any shape: the pre-scan, then cbor-x, then the reader of the shape. Never throws; the value shares no
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
  const scanned = decodeScanned(bytes, copying);
  if (!scanned.ok) return scanned;
  const decoding = new Decoding(limits);
  const value = read(new Tuple(decoding, undefined, name, scanned.value));
  const { error } = decoding;
  if (error !== undefined) return { ok: false, error };
  invariant(value !== undefined, "codec.reader-without-verdict", { name });
  return { ok: true, value };
}

function decodeScanned(bytes: Uint8Array, copying: Copying): Decoded<unknown> {
  // A plain view of our own: the decoder slices with the species of its source, so that a Buffer would give Buffers,
  // and it leaves a property on the object it is given.
  const source =
    copying === "each" ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes);
  try {
    return { ok: true, value: (copying === "each" ? decoder : viewer).decode(source) };
  } catch (thrown) {
    // It takes whatever the pre-scan takes, unless another part of the process lowers its process-wide limits. Then
    // one frame is refused: foreign bytes must not end a process on the way through a foreign library.
    const got = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, error: { code: "undecodable", path: "@0", expected: "what passed the pre-scan", got } };
  }
}
