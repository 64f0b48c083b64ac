import { allocateBytes, type Digest, type Hasher, invariant, readHex32 } from "@quorate/protocol";

/** What a digest of this tree is over, by its first byte; the preimages of messages start with a letter. */
export const DOMAIN = { leaf: 0, bucket: 1, inner: 2, group: 3, path: 4, keys: 5 } as const;

export const DIGEST_BYTES = 32;
/** Stands for the digest of what is not there, and is that of no bytes. */
export const NOTHING: Digest = "0".repeat(2 * DIGEST_BYTES) as Digest;
/** A path: the byte of a part, then a digest. */
export const PATH_BYTES: number = 1 + DIGEST_BYTES;

/** What stands before the key of a leaf. */
export const LEAF_HEAD_BYTES = 5;

/** Where a key stands in the tree: the byte of its part, then its digest. */
export function pathOf(hasher: Hasher, part: number, key: Uint8Array): Uint8Array {
  const preimage = allocateBytes(1 + key.length);
  preimage[0] = DOMAIN.path;
  preimage.set(key, 1);
  const path = allocateBytes(PATH_BYTES);
  path[0] = part;
  hasher.digestInto(preimage, path, 1);
  return path;
}

/** Writes the path of the key that is in `bytes` from `start` to `end` there, too. */
export function writePath(
  hasher: Hasher,
  part: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  at: number,
): void {
  const preimage = preimageOfLength(1 + end - start);
  preimage[0] = DOMAIN.path;
  for (let i = start; i < end; i++) preimage[1 + i - start] = bytes[i] ?? 0;
  bytes[at] = part;
  hasher.digestInto(preimage, bytes, at + 1);
}

/** Memory that holds until the next call: one view for each length is made once. */
function preimageOfLength(length: number): Uint8Array {
  if (length > PREIMAGE.length) return new Uint8Array(length);
  const view = PREIMAGES[length] ?? PREIMAGE.subarray(0, length);
  PREIMAGES[length] = view;
  return view;
}
const PREIMAGE = new Uint8Array(256);
const PREIMAGES = new Array<Uint8Array | undefined>(PREIMAGE.length + 1);

/**
 * An entry as it is stored: the digest of the leaf, then the leaf, `0 ‖ length of the key ‖ key ‖ value`. So what is read
 * can be checked at once, and what is hashed need not be put together for it.
 */
export function sealed(hasher: Hasher, key: Uint8Array, value: Uint8Array): Uint8Array {
  const record = allocateBytes(DIGEST_BYTES + LEAF_HEAD_BYTES + key.length + value.length);
  record[DIGEST_BYTES] = DOMAIN.leaf;
  writeU32(record, DIGEST_BYTES + 1, key.length);
  record.set(key, DIGEST_BYTES + LEAF_HEAD_BYTES);
  record.set(value, DIGEST_BYTES + LEAF_HEAD_BYTES + key.length);
  hasher.digestInto(record.subarray(DIGEST_BYTES), record, 0);
  return record;
}

/** The digest of the leaf of an entry. */
export function leafDigest(hasher: Hasher, key: Uint8Array, value: Uint8Array): Digest {
  return digestOfSealed(sealed(hasher, key, value));
}

/** The digest that a stored entry says it has. */
export function digestOfSealed(record: Uint8Array): Digest {
  return readHex32(record, 0) as Digest;
}

/** The value of a stored entry; undefined if it is not that of `key`, or not what was stored. */
export function unsealed(hasher: Hasher, key: Uint8Array, record: Uint8Array): Uint8Array | undefined {
  const start = DIGEST_BYTES + LEAF_HEAD_BYTES + key.length;
  if (record.length < start || record[DIGEST_BYTES] !== DOMAIN.leaf) return undefined;
  if (readU32(record, DIGEST_BYTES + 1) !== key.length) return undefined;
  for (let i = 0; i < key.length; i++) if (record[DIGEST_BYTES + LEAF_HEAD_BYTES + i] !== key[i]) return undefined;
  hasher.digestInto(record.subarray(DIGEST_BYTES), FOUND, 0);
  return areSame(FOUND, 0, record, 0, DIGEST_BYTES) ? record.subarray(start) : undefined;
}
/** Holds a digest while it is compared. */
const FOUND = new Uint8Array(DIGEST_BYTES);

/** Whether two byte strings are the same from these places on. */
export function areSame(a: Uint8Array, atA: number, b: Uint8Array, atB: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

/** Whether there are zeros only: for a digest, that there is none. */
export function isZero(bytes: Uint8Array, from = 0, to: number = bytes.length): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readU32(bytes: Uint8Array, at: number): number {
  invariant(at + 4 <= bytes.length, "state-tree.u32", { at, length: bytes.length });
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}
