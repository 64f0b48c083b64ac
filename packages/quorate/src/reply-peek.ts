import type { Digest } from "@quorate/protocol";

/** Headers of CBOR: arrays of two, four and nine; the type number of a reply; what follows an unsigned integer's. */
const FRAME = 0x82;
const REPLY = 0x01;
const REPLY_FIELDS = 0x89;
const STATEMENT_FIELDS = 0x84;
const UINT_INLINE_MAX = 0x17;
const UINT_8 = 0x18;
const UINT_64 = 0x1b;
/** Byte strings with their headers. */
const HASH_SIZE = 2 + 32;
const SIGNATURE_SIZE = 2 + 64;
const HASH_HEADER = [0x58, 32] as const;

/**
 * Whether a frame is a reply to a request other than `requests`, by the digest at its place in the layout of a reply
 * (docs/wire.md, "To and from clients"). Nothing else is looked at, for this is to drop what nobody waits for at a
 * twentieth of what decoding costs: where it is false, the frame may still be anything, also malformed.
 */
export function answersOther(frame: Uint8Array, requests: Iterable<Digest>): boolean {
  const at = requestDigestAt(frame);
  if (at === undefined) return false;
  for (const digest of requests) if (isSpelledAt(frame, at, digest)) return false;
  return true;
}

function requestDigestAt(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== FRAME || bytes[1] !== REPLY || bytes[2] !== REPLY_FIELDS) return undefined;
  const statement = afterUint(bytes, 3);
  if (bytes[statement] !== STATEMENT_FIELDS) return undefined;
  const hashes = afterUint(bytes, afterUint(bytes, statement + 1));
  // History digest, outputs root, signature, session.
  const at = afterUint(bytes, hashes + 2 * HASH_SIZE + SIGNATURE_SIZE + HASH_SIZE);
  const isHash = bytes[at] === HASH_HEADER[0] && bytes[at + 1] === HASH_HEADER[1];
  return isHash && at + HASH_SIZE <= bytes.length ? at + HASH_HEADER.length : undefined;
}

/** Where the item behind the unsigned integer at `at` starts; the end of the bytes if there is no such integer. */
function afterUint(bytes: Uint8Array, at: number): number {
  const initial = bytes[at] ?? UINT_64 + 1;
  if (initial <= UINT_INLINE_MAX) return at + 1;
  return initial <= UINT_64 ? at + 1 + (1 << (initial - UINT_8)) : bytes.length;
}

/** Compared without making a string of the bytes: a Map would have to hash it. */
function isSpelledAt(bytes: Uint8Array, at: number, hex: string): boolean {
  for (let i = 0; i < hex.length; i += 2) {
    const byte = bytes[at + i / 2] ?? 0;
    if (digitOf(byte >> 4) !== hex.charCodeAt(i) || digitOf(byte & 15) !== hex.charCodeAt(i + 1)) return false;
  }
  return true;
}

/** The code of a lower-case hex digit. */
function digitOf(nibble: number): number {
  return nibble < 10 ? 0x30 + nibble : 0x61 - 10 + nibble;
}
