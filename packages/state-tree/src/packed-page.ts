import { allocateBytes, compareBytes, type Hasher, readHex32, writeHex32 } from "@quorate/protocol";
import { BUCKET_LEAVES_MAX, bucketOf, isBucket, type Leaf, leavesOf } from "./bucket.ts";
import { CHILDREN, childSlot, InnerPageWriter, leavesBelow } from "./inner-page.ts";
import { DIGEST_BYTES, DOMAIN, isZero, pathOf } from "./leaf.ts";

/**
 * A page as it is sent: nothing that the reader can work out. An inner page is `2 ‖ leaves below it (8 bytes) ‖ a bit for
 * each child, the first one in the lowest bit of the first byte (32 bytes) ‖ the digests of those that are there`; a bucket
 * is `1 ‖ for each leaf: its digest ‖ length of the key (2 bytes) ‖ the key`.
 */
export function packedPage(page: Uint8Array): Uint8Array {
  return isBucket(page) ? packedBucket(leavesOf(page)) : packedInner(page);
}

/**
 * The page at a prefix that was sent so. What comes out has the exact form of a page, whatever came in: the leaves of a
 * bucket are below the prefix, ascend, and stand where their keys belong; undefined when there is no such page.
 */
export function unpackedPage(hasher: Hasher, prefix: Uint8Array, packed: Uint8Array): Uint8Array | undefined {
  if (packed[0] === DOMAIN.inner) return unpackedInner(hasher, packed);
  return packed[0] === DOMAIN.bucket && prefix.length > 0 ? unpackedBucket(hasher, prefix, packed) : undefined;
}

const COUNT_BYTES = 8;
const BITMAP_AT: number = 1 + COUNT_BYTES;
const INNER_HEAD_BYTES: number = BITMAP_AT + 32;
const LENGTH_BYTES = 2;

function packedInner(page: Uint8Array): Uint8Array {
  const children: (readonly [child: number, digest: Uint8Array])[] = [];
  for (let child = 0; child < CHILDREN; child++) {
    const digest = childSlot(page, child);
    if (!isZero(digest)) children.push([child, digest]);
  }
  const packed = allocateBytes(INNER_HEAD_BYTES + children.length * DIGEST_BYTES);
  packed[0] = DOMAIN.inner;
  packed.set(page.subarray(1, 1 + COUNT_BYTES), 1);
  let at = INNER_HEAD_BYTES;
  for (const [child, digest] of children) {
    const bits = BITMAP_AT + (child >> 3);
    packed[bits] = (packed[bits] ?? 0) | (1 << (child & 7));
    packed.set(digest, at);
    at += DIGEST_BYTES;
  }
  return packed;
}

function unpackedInner(hasher: Hasher, packed: Uint8Array): Uint8Array | undefined {
  if (packed.length < INNER_HEAD_BYTES) return undefined;
  const leaves = leavesBelow(packed);
  if (leaves > Number.MAX_SAFE_INTEGER) return undefined;
  const writer = new InnerPageWriter(hasher, undefined);
  let at = INNER_HEAD_BYTES;
  for (let child = 0; child < CHILDREN; child++) {
    if (((packed[BITMAP_AT + (child >> 3)] ?? 0) & (1 << (child & 7))) === 0) continue;
    const digest = packed.subarray(at, at + DIGEST_BYTES);
    // One page, one form: what is not there has no bit.
    if (digest.length < DIGEST_BYTES || isZero(digest)) return undefined;
    writer.slot(child).set(digest);
    at += DIGEST_BYTES;
  }
  return at === packed.length ? writer.finish(leaves) : undefined;
}

function packedBucket(leaves: readonly Leaf[]): Uint8Array {
  let size = 1;
  for (const { key } of leaves) size += DIGEST_BYTES + LENGTH_BYTES + key.length;
  const packed = allocateBytes(size);
  packed[0] = DOMAIN.bucket;
  let at = 1;
  for (const { digest, key } of leaves) {
    writeHex32(packed, at, digest);
    at += DIGEST_BYTES;
    packed[at] = key.length >>> 8;
    packed[at + 1] = key.length;
    packed.set(key, at + LENGTH_BYTES);
    at += LENGTH_BYTES + key.length;
  }
  return packed;
}

function unpackedBucket(hasher: Hasher, prefix: Uint8Array, packed: Uint8Array): Uint8Array | undefined {
  const leaves: Leaf[] = [];
  let before: Uint8Array | undefined;
  for (let at = 1; at < packed.length; ) {
    const start = at + DIGEST_BYTES + LENGTH_BYTES;
    if (start > packed.length || leaves.length === BUCKET_LEAVES_MAX) return undefined;
    const end = start + ((packed[start - 2] ?? 0) << 8) + (packed[start - 1] ?? 0);
    if (end > packed.length) return undefined;
    const key = packed.subarray(start, end);
    const path = pathOf(hasher, prefix[0] ?? 0, key);
    if (!prefix.every((byte, i) => path[i] === byte)) return undefined;
    if (before !== undefined && compareBytes(before, path) >= 0) return undefined;
    leaves.push({ path, digest: readHex32(packed, at) as Leaf["digest"], key });
    [before, at] = [path, end];
  }
  return leaves.length === 0 ? undefined : bucketOf(leaves);
}
