import { allocateBytes, type Hasher } from "@quorate/protocol";
import { isBucket, packedBucket, unpackedBucket } from "./bucket.ts";
import { CHILDREN, childSlot, InnerPageWriter, leavesBelow } from "./inner-page.ts";
import { DIGEST_BYTES, DOMAIN, isZero } from "./leaf.ts";

/**
 * A page as it is sent: nothing that the reader can work out. An inner page is `2 ‖ leaves below it (8 bytes) ‖ a bit for
 * each child, the first one in the lowest bit of the first byte (32 bytes) ‖ the digests of those that are there`; a bucket
 * is `1 ‖ for each leaf: its digest ‖ length of the key (2 bytes) ‖ the key`.
 */
export function packedPage(page: Uint8Array): Uint8Array {
  return isBucket(page) ? packedBucket(page) : packedInner(page);
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
