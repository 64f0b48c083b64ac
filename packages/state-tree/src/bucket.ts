import {
  allocateBytes,
  compareBytes,
  type Digest,
  type Hasher,
  invariant,
  readHex32,
  writeHex32,
} from "@quorate/protocol";
import { areSame, DIGEST_BYTES, DOMAIN, PATH_BYTES, writePath } from "./leaf.ts";
import { pageBytes } from "./page-bytes.ts";

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

/**
 * A bucket: `1 ‖ number of leaves (2 bytes)`, a slot for each leaf, in the order of their paths, `path ‖ digest`, then
 * `5` and for each leaf `length of the key (2 bytes) ‖ key`. Its digest is that of the slots followed by that of the keys,
 * so the page proves its keys, and a proof of one leaf carries no key of others.
 */
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

/**
 * Writes the digest of a bucket, which covers every byte of it; zeros for bytes that are none.
 *
 * @param keys what `keysDigest` says, where that is known.
 */
export function writeBucketDigest(hasher: Hasher, bucket: Uint8Array, keys: Uint8Array, target: Uint8Array): void {
  const count = leafCount(bucket);
  if (!isBucket(bucket) || count > BUCKET_LEAVES_MAX || bucket[keysStart(count)] !== DOMAIN.keys) target.fill(0);
  else hasher.digestInto(preimageOf(bucket, keys), target, 0);
}

/** What a bucket's digest has of its keys; the same as long as no key comes or goes. */
export function keysDigest(hasher: Hasher, bucket: Uint8Array): Uint8Array {
  const digest = allocateBytes(DIGEST_BYTES);
  hasher.digestInto(bucket.subarray(keysStart(leafCount(bucket))), digest, 0);
  return digest;
}

/** Holds until the next call. */
function preimageOf(bucket: Uint8Array, keys: Uint8Array): Uint8Array {
  const end = keysStart(leafCount(bucket));
  const preimage = PREIMAGE.subarray(0, end + DIGEST_BYTES);
  preimage.set(bucket.subarray(0, end));
  preimage.set(keys, end);
  return preimage;
}

function keysStart(count: number): number {
  return HEAD_BYTES + count * SLOT_BYTES;
}

/** The leaves of a bucket, in the order of their paths. */
export function leavesOf(bucket: Uint8Array): Leaf[] {
  const count = leafCount(bucket);
  const leaves: Leaf[] = [];
  let at = keysStart(count) + 1;
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

/** The keys of a bucket's leaves, in the order of their paths: all that most who read one need beside `digestPlace`. */
export function keysOf(bucket: Uint8Array): Uint8Array[] {
  const count = leafCount(bucket);
  const keys: Uint8Array[] = [];
  let at = keysStart(count) + 1;
  for (let i = 0; i < count; i++) {
    const start = at + LENGTH_BYTES;
    at = start + keyLength(bucket, at);
    keys.push(bucket.subarray(start, at));
  }
  return keys;
}

/** Where a bucket has the digest of the leaf at an index. */
export function digestPlace(index: number): number {
  return HEAD_BYTES + index * SLOT_BYTES + PATH_BYTES;
}

/** What is sent of a bucket: for each leaf its digest and, behind its length, its key. A path follows from the key. */
export function packedBucket(bucket: Uint8Array): Uint8Array {
  const count = leafCount(bucket);
  let from = keysStart(count) + 1;
  const packed = allocateBytes(1 + count * DIGEST_BYTES + bucket.length - from);
  packed[0] = DOMAIN.bucket;
  let at = 1;
  for (let i = 0; i < count; i++) {
    copyPart(bucket, digestPlace(i), DIGEST_BYTES, packed, at);
    const length = LENGTH_BYTES + keyLength(bucket, from);
    copyPart(bucket, from, length, packed, at + DIGEST_BYTES);
    at += DIGEST_BYTES + length;
    from += length;
  }
  return packed;
}

/**
 * The bucket at a prefix that was sent so: undefined unless its leaves are below the prefix, ascend, and stand where their
 * keys belong.
 */
export function unpackedBucket(hasher: Hasher, prefix: Uint8Array, packed: Uint8Array): Uint8Array | undefined {
  const count = packedLeaves(packed);
  if (count === undefined) return undefined;
  let key = keysStart(count) + 1;
  const bucket = pageBytes(key + packed.length - 1 - count * DIGEST_BYTES);
  bucket[0] = DOMAIN.bucket;
  bucket[1] = count >>> 8;
  bucket[2] = count;
  bucket[key - 1] = DOMAIN.keys;
  let at = 1;
  for (let i = 0; i < count; i++) {
    const slot = HEAD_BYTES + i * SLOT_BYTES;
    const length = LENGTH_BYTES + keyLength(packed, at + DIGEST_BYTES);
    copyPart(packed, at, DIGEST_BYTES, bucket, slot + PATH_BYTES);
    copyPart(packed, at + DIGEST_BYTES, length, bucket, key);
    writePath(hasher, prefix[0] ?? 0, bucket, key + LENGTH_BYTES, key + length, slot);
    if (!isBelow(bucket, slot, prefix) || (i > 0 && !isAscending(bucket, slot - SLOT_BYTES, slot))) return undefined;
    at += DIGEST_BYTES + length;
    key += length;
  }
  return bucket;
}

/** How many leaves were sent; undefined unless there are some, no more than a bucket has, and each of them is whole. */
function packedLeaves(packed: Uint8Array): number | undefined {
  let count = 0;
  for (let at = 1; at < packed.length; count++) {
    const start = at + DIGEST_BYTES + LENGTH_BYTES;
    if (start > packed.length || count === BUCKET_LEAVES_MAX) return undefined;
    at = start + keyLength(packed, start - LENGTH_BYTES);
    if (at > packed.length) return undefined;
  }
  return count === 0 ? undefined : count;
}

/** A view costs more than a few bytes do. */
function copyPart(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > COPIED_BY_HAND_MAX) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i] ?? 0;
}
const COPIED_BY_HAND_MAX = 48;

function isBelow(bucket: Uint8Array, path: number, prefix: Uint8Array): boolean {
  return prefix.length <= PATH_BYTES && areSame(bucket, path, prefix, 0, prefix.length);
}

function isAscending(bucket: Uint8Array, first: number, second: number): boolean {
  for (let i = 0; i < PATH_BYTES; i++) {
    const difference = (bucket[first + i] ?? 0) - (bucket[second + i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** A bucket of these leaves, which are in the order of their paths. */
export function bucketOf(leaves: readonly Leaf[]): Uint8Array {
  let size = keysStart(leaves.length) + 1 + leaves.length * LENGTH_BYTES;
  for (const { key } of leaves) size += key.length;
  const writer = new BucketWriter(size, leaves.length);
  for (const leaf of leaves) writer.add(leaf);
  return writer.finish();
}

/** A bucket after changes. */
export interface ChangedBucket {
  /** Undefined when nothing is left. */
  readonly bucket: Uint8Array | undefined;
  readonly hasSameKeys: boolean;
}

/** A bucket after changes, which are in the order of their paths. What did not change is copied in whole runs. */
export function changedBucket(bucket: Uint8Array | undefined, changes: readonly LeafChange[]): ChangedBucket {
  const old = bucket ?? EMPTY;
  const placed = changes.map((change) => ({ change, place: placeOf(old, change.path) }));
  let count = leafCount(old);
  let size = old.length;
  let hasSameKeys = true;
  for (const { change, place } of placed) {
    if (place.isThere === (change.digest !== undefined)) continue;
    hasSameKeys = false;
    const leaves = place.isThere ? -1 : 1;
    count += leaves;
    size += leaves * (SLOT_BYTES + LENGTH_BYTES + change.key.length);
  }
  if (count === 0) return { bucket: undefined, hasSameKeys };
  if (hasSameKeys) return { bucket: withDigests(old, placed), hasSameKeys };
  const writer = new BucketWriter(size, count);
  let next = 0;
  for (const { change, place } of placed) {
    writer.copy(old, next, place.index);
    next = place.index + (place.isThere ? 1 : 0);
    if (change.digest !== undefined) writer.add(change as Leaf);
  }
  writer.copy(old, next, leafCount(old));
  return { bucket: writer.finish(), hasSameKeys };
}

interface PlacedChange {
  readonly change: LeafChange;
  readonly place: Place;
}

function withDigests(bucket: Uint8Array, placed: readonly PlacedChange[]): Uint8Array {
  const changed = pageBytes(bucket.length);
  changed.set(bucket);
  for (const { change, place } of placed)
    if (change.digest !== undefined)
      writeHex32(changed, HEAD_BYTES + place.index * SLOT_BYTES + PATH_BYTES, change.digest);
  return changed;
}

/** Where a path stands in a bucket, or would. */
interface Place {
  readonly index: number;
  readonly isThere: boolean;
}

function placeOf(bucket: Uint8Array, path: Uint8Array): Place {
  let low = 0;
  let high = leafCount(bucket);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = comparePath(bucket, HEAD_BYTES + middle * SLOT_BYTES, path);
    if (order === 0) return { index: middle, isThere: true };
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return { index: low, isThere: false };
}

/** As `compareBytes`, of the path at an offset. */
function comparePath(bucket: Uint8Array, at: number, path: Uint8Array): number {
  for (let i = 0; i < PATH_BYTES; i++) {
    const difference = (bucket[at + i] ?? 0) - (path[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

class BucketWriter {
  readonly #bytes: Uint8Array;
  #slot = HEAD_BYTES;
  #key: number;

  constructor(size: number, count: number) {
    this.#bytes = pageBytes(size);
    this.#bytes[0] = DOMAIN.bucket;
    this.#bytes[1] = count >>> 8;
    this.#bytes[2] = count;
    this.#key = keysStart(count) + 1;
    this.#bytes[this.#key - 1] = DOMAIN.keys;
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
  let at = start ?? keysStart(leafCount(bucket)) + 1;
  for (let i = from; i < index; i++) at += LENGTH_BYTES + keyLength(bucket, at);
  return at;
}

function keyLength(bucket: Uint8Array, at: number): number {
  return ((bucket[at] ?? 0) << 8) | (bucket[at + 1] ?? 0);
}

const EMPTY: Uint8Array = Uint8Array.of(DOMAIN.bucket, 0, 0, DOMAIN.keys);
/** Where what a bucket's digest is over is put together; nothing of it is kept. */
const PREIMAGE = new Uint8Array(HEAD_BYTES + BUCKET_LEAVES_MAX * SLOT_BYTES + DIGEST_BYTES);

/** Whether bytes from elsewhere have the form of a bucket: every leaf whole, paths ascending under `prefix`, nothing behind. */
export function isBucketUnder(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (!isBucket(bytes) || bytes.length < HEAD_BYTES) return false;
  const count = leafCount(bytes);
  if (count === 0 || count > BUCKET_LEAVES_MAX) return false;
  let at = keysStart(count);
  if (bytes[at++] !== DOMAIN.keys) return false;
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

/** What `bucketDigest` is over: paths and digests, and the digest of the keys, which is all that a proof needs. */
export function slotsOf(hasher: Hasher, bucket: Uint8Array): Uint8Array {
  return new Uint8Array(preimageOf(bucket, keysDigest(hasher, bucket)));
}

/**
 * The digest of the leaf at a path in what `slotsOf` made of a bucket; undefined if there is none, `"wrong"` if these are no
 * slots. It may be believed when their digest is that of the bucket.
 */
export function leafInSlots(slots: Uint8Array, path: Uint8Array): Digest | undefined | "wrong" {
  if (!isBucket(slots) || slots.length !== keysStart(leafCount(slots)) + DIGEST_BYTES) return "wrong";
  const { index, isThere } = placeOf(slots, path);
  return isThere ? (readHex32(slots, HEAD_BYTES + index * SLOT_BYTES + PATH_BYTES) as Digest) : undefined;
}
