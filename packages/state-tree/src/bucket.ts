import {
  allocateBytes,
  compareBytes,
  type Digest,
  type Hasher,
  invariant,
  readHex32,
  writeHex32,
} from "@quorate/protocol";
import { DIGEST_BYTES, DOMAIN, PATH_BYTES } from "./leaf.ts";

/**
 * The most leaves of a bucket: a prefix with more of them has an inner page. An inner page takes 8.7 kB, so a leaf never
 * costs more than 135 bytes of them.
 */
export const BUCKET_LEAVES_MAX = 64;

/** A leaf of the tree that changed; without a digest it is gone. */
export interface LeafChange {
  readonly path: Uint8Array;
  readonly key: Uint8Array;
  readonly digest: Digest | undefined;
}

/** A leaf as a bucket has it. */
export interface Leaf extends LeafChange {
  readonly digest: Digest;
}

const HEAD_BYTES = 3;
const SLOT_BYTES: number = PATH_BYTES + DIGEST_BYTES;
const LENGTH_BYTES = 2;

/** Whether a page is a bucket. */
export function isBucket(page: Uint8Array): boolean {
  return page[0] === DOMAIN.bucket;
}

/** How many leaves a bucket has. */
export function leafCount(bucket: Uint8Array): number {
  return ((bucket[1] ?? 0) << 8) | (bucket[2] ?? 0);
}

/** Covers paths and digests of the leaves; their keys follow behind, and the digests cover them. */
export function bucketDigest(hasher: Hasher, bucket: Uint8Array): Digest {
  return hasher.digest(bucket.subarray(0, HEAD_BYTES + leafCount(bucket) * SLOT_BYTES));
}

/** The leaves of a bucket, in the order of their paths. */
export function leavesOf(bucket: Uint8Array): Leaf[] {
  const count = leafCount(bucket);
  const leaves: Leaf[] = [];
  let at = HEAD_BYTES + count * SLOT_BYTES;
  for (let i = 0; i < count; i++) {
    const slot = HEAD_BYTES + i * SLOT_BYTES;
    const start = at + LENGTH_BYTES;
    at = start + keyLength(bucket, at);
    leaves.push({
      path: bucket.subarray(slot, slot + PATH_BYTES),
      digest: readHex32(bucket, slot + PATH_BYTES) as Digest,
      key: bucket.subarray(start, at),
    });
  }
  return leaves;
}

/** A bucket of these leaves, which are in the order of their paths. */
export function bucketOf(leaves: readonly Leaf[]): Uint8Array {
  let size = HEAD_BYTES + leaves.length * (SLOT_BYTES + LENGTH_BYTES);
  for (const { key } of leaves) size += key.length;
  const writer = new BucketWriter(size, leaves.length);
  for (const leaf of leaves) writer.add(leaf);
  return writer.finish();
}

/**
 * A bucket after changes, which are in the order of their paths; undefined when nothing is left of it. What did not change is
 * copied in whole runs.
 */
export function changedBucket(bucket: Uint8Array | undefined, changes: readonly LeafChange[]): Uint8Array | undefined {
  const old = bucket ?? EMPTY;
  const places = changes.map((change) => ({ change, place: placeOf(old, change.path) }));
  let count = leafCount(old);
  let size = old.length;
  for (const { change, place } of places) {
    const { digest, key } = change;
    const whole = SLOT_BYTES + LENGTH_BYTES + key.length;
    if (digest === undefined && place.isThere) [count, size] = [count - 1, size - whole];
    else if (digest !== undefined && !place.isThere) [count, size] = [count + 1, size + whole];
  }
  if (count === 0) return undefined;
  const writer = new BucketWriter(size, count);
  let next = 0;
  for (const { change, place } of places) {
    writer.copy(old, next, place.index);
    next = place.index + (place.isThere ? 1 : 0);
    if (change.digest !== undefined) writer.add(change as Leaf);
  }
  writer.copy(old, next, leafCount(old));
  return writer.finish();
}

/** Where a path stands in a bucket, or would. */
function placeOf(bucket: Uint8Array, path: Uint8Array): { readonly index: number; readonly isThere: boolean } {
  let low = 0;
  let high = leafCount(bucket);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const slot = HEAD_BYTES + middle * SLOT_BYTES;
    const order = compareBytes(bucket.subarray(slot, slot + PATH_BYTES), path);
    if (order === 0) return { index: middle, isThere: true };
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return { index: low, isThere: false };
}

class BucketWriter {
  readonly #bytes: Uint8Array;
  #slot = HEAD_BYTES;
  #key: number;

  constructor(size: number, count: number) {
    this.#bytes = allocateBytes(size);
    this.#bytes[0] = DOMAIN.bucket;
    this.#bytes[1] = count >>> 8;
    this.#bytes[2] = count;
    this.#key = HEAD_BYTES + count * SLOT_BYTES;
  }

  add({ path, digest, key }: Leaf): void {
    this.#bytes.set(path, this.#slot);
    writeHex32(this.#bytes, this.#slot + PATH_BYTES, digest);
    this.#slot += SLOT_BYTES;
    this.#bytes[this.#key] = key.length >>> 8;
    this.#bytes[this.#key + 1] = key.length;
    this.#bytes.set(key, this.#key + LENGTH_BYTES);
    this.#key += LENGTH_BYTES + key.length;
  }

  /** The leaves from index `from` to before `to` of another bucket. */
  copy(bucket: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    const slots = bucket.subarray(HEAD_BYTES + from * SLOT_BYTES, HEAD_BYTES + to * SLOT_BYTES);
    this.#bytes.set(slots, this.#slot);
    this.#slot += slots.length;
    const start = keyAt(bucket, from);
    const keys = bucket.subarray(start, keyAt(bucket, to, from, start));
    this.#bytes.set(keys, this.#key);
    this.#key += keys.length;
  }

  finish(): Uint8Array {
    invariant(this.#key === this.#bytes.length, "state-tree.bucket-size", { at: this.#key, size: this.#bytes.length });
    return this.#bytes;
  }
}

/** Where the key of a leaf starts, counted from that of an earlier one. */
function keyAt(bucket: Uint8Array, index: number, from = 0, start?: number): number {
  let at = start ?? HEAD_BYTES + leafCount(bucket) * SLOT_BYTES;
  for (let i = from; i < index; i++) at += LENGTH_BYTES + keyLength(bucket, at);
  return at;
}

function keyLength(bucket: Uint8Array, at: number): number {
  return ((bucket[at] ?? 0) << 8) | (bucket[at + 1] ?? 0);
}

const EMPTY: Uint8Array = Uint8Array.of(DOMAIN.bucket, 0, 0);

/** Whether bytes from elsewhere have the form of a bucket: every leaf whole, paths ascending under `prefix`, nothing behind. */
export function isBucketUnder(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (!isBucket(bytes) || bytes.length < HEAD_BYTES) return false;
  const count = leafCount(bytes);
  if (count === 0 || count > BUCKET_LEAVES_MAX) return false;
  let at = HEAD_BYTES + count * SLOT_BYTES;
  for (let i = 0; i < count; i++) {
    if (at + LENGTH_BYTES > bytes.length) return false;
    at += LENGTH_BYTES + keyLength(bytes, at);
  }
  if (at !== bytes.length) return false;
  const leaves = leavesOf(bytes);
  return leaves.every(({ path }, i) => {
    const before = leaves[i - 1];
    return prefix.every((byte, j) => path[j] === byte) && (before === undefined || compareBytes(before.path, path) < 0);
  });
}

/** What `bucketDigest` is over: paths and digests without the keys, which is all that a proof needs. */
export function slotsOf(bucket: Uint8Array): Uint8Array {
  return bucket.subarray(0, HEAD_BYTES + leafCount(bucket) * SLOT_BYTES);
}

/**
 * The digest of the leaf at a path in what `slotsOf` made of a bucket; undefined if there is none, `"wrong"` if these are no
 * slots. It may be believed when their digest is that of the bucket.
 */
export function leafInSlots(slots: Uint8Array, path: Uint8Array): Digest | undefined | "wrong" {
  if (!isBucket(slots) || slots.length !== HEAD_BYTES + leafCount(slots) * SLOT_BYTES) return "wrong";
  const { index, isThere } = placeOf(slots, path);
  return isThere ? (readHex32(slots, HEAD_BYTES + index * SLOT_BYTES + PATH_BYTES) as Digest) : undefined;
}
