import { type Digest, type Hasher, hexToBytes, invariant, readHex32 } from "@quorate/protocol";
import { areSame, DIGEST_BYTES, DOMAIN, isZero, NOTHING, readU32, writeU32 } from "./leaf.ts";

/**
 * An inner page: `2 ‖ leaves below it (8 bytes) ‖ 16 group digests`, then the sixteen groups, each `3 ‖ 16 digests`. A child
 * is a value of the next byte of the path; its upper four bits are its group. What is missing has zeros for a digest. With
 * groups a proof carries 30 digests for each page instead of 255, and a root hashes what changed of it.
 */
export const CHILDREN = 256;
const GROUPS = 16;
const COUNT_AT = 1;
const HEAD_BYTES: number = 1 + 8 + GROUPS * DIGEST_BYTES;
const GROUP_BYTES: number = 1 + GROUPS * DIGEST_BYTES;

/** Every inner page has so many bytes. */
const INNER_PAGE_BYTES: number = HEAD_BYTES + GROUPS * GROUP_BYTES;

/** Whether bytes have the size of an inner page and begin like one. */
export function isInnerPage(page: Uint8Array): boolean {
  return page[0] === DOMAIN.inner && page.length === INNER_PAGE_BYTES;
}

/** Leaves in all of its subtrees. */
export function leavesBelow(page: Uint8Array): number {
  return readU32(page, COUNT_AT) * 0x1_0000_0000 + readU32(page, COUNT_AT + 4);
}

/** The digest of a child; undefined where there is none. */
export function childDigest(page: Uint8Array, child: number): Digest | undefined {
  const at = childAt(child);
  return isZero(page, at, at + DIGEST_BYTES) ? undefined : (readHex32(page, at) as Digest);
}

/** The bytes of the digest of a child; zeros where there is none. */
export function childSlot(page: Uint8Array, child: number): Uint8Array {
  const at = childAt(child);
  return page.subarray(at, at + DIGEST_BYTES);
}

/** Writes the digest of a page: that of its head, which has those of its groups. */
export function writeInnerDigest(hasher: Hasher, page: Uint8Array, target: Uint8Array): void {
  hasher.digestInto(page.subarray(0, HEAD_BYTES), target, 0);
}

/** An inner page without children. */
function emptyInnerPage(): Uint8Array {
  const page = new Uint8Array(INNER_PAGE_BYTES);
  page[0] = DOMAIN.inner;
  for (let group = 0; group < GROUPS; group++) page[HEAD_BYTES + group * GROUP_BYTES] = DOMAIN.group;
  return page;
}

/** Makes another page of one, child by child. */
export class InnerPageWriter {
  readonly #hasher: Hasher;
  readonly #page: Uint8Array;
  #changedGroups = 0;

  constructor(hasher: Hasher, page: Uint8Array | undefined) {
    this.#hasher = hasher;
    // Not `slice`: that of a Buffer, which a store may hand out, is no copy.
    this.#page = page === undefined ? emptyInnerPage() : new Uint8Array(page);
  }

  /** The place of the digest of a child that changes: still the one before, for whoever writes the new one. */
  slot(child: number): Uint8Array {
    this.#changedGroups |= 1 << (child >> 4);
    return childSlot(this.#page, child);
  }

  /** @param leaves all that are below it now. */
  finish(leaves: number): Uint8Array {
    const page = this.#page;
    writeU32(page, COUNT_AT, Math.floor(leaves / 0x1_0000_0000));
    writeU32(page, COUNT_AT + 4, leaves >>> 0);
    for (let group = 0; group < GROUPS; group++)
      if ((this.#changedGroups & (1 << group)) !== 0)
        writeGroupDigest(this.#hasher, page, group, page, COUNT_AT + 8 + group * DIGEST_BYTES);
    return page;
  }
}

/** The inner page of these children, by their numbers. @param leaves all that are below it. */
export function innerPageOf(hasher: Hasher, children: ReadonlyMap<number, Digest>, leaves: number): Uint8Array {
  const writer = new InnerPageWriter(hasher, undefined);
  for (const [child, childDigest] of children) writer.slot(child).set(hexToBytes(childDigest));
  return writer.finish(leaves);
}

/** Whether bytes from elsewhere are an inner page whose groups are what its head says. */
export function isWholeInnerPage(hasher: Hasher, bytes: Uint8Array): boolean {
  if (!isInnerPage(bytes) || leavesBelow(bytes) > Number.MAX_SAFE_INTEGER) return false;
  for (let group = 0; group < GROUPS; group++) {
    if (bytes[HEAD_BYTES + group * GROUP_BYTES] !== DOMAIN.group) return false;
    if (!isGroupWhole(hasher, bytes, 16 * group)) return false;
  }
  return true;
}

/** Whether the group of a child is what the head of its page says. */
export function isGroupWhole(hasher: Hasher, page: Uint8Array, child: number): boolean {
  const group = child >> 4;
  writeGroupDigest(hasher, page, group, FOUND, 0);
  return areSame(FOUND, 0, page, COUNT_AT + 8 + group * DIGEST_BYTES, DIGEST_BYTES);
}
/** Holds a digest while it is compared. */
const FOUND = new Uint8Array(DIGEST_BYTES);

/** The head of a page and the group of one child: what a proof needs of it. */
export function excerptFor(page: Uint8Array, child: number): { readonly head: Uint8Array; readonly group: Uint8Array } {
  const at = HEAD_BYTES + (child >> 4) * GROUP_BYTES;
  return { head: page.subarray(0, HEAD_BYTES), group: page.subarray(at, at + GROUP_BYTES) };
}

/** What the excerpt of a page with this digest says of a child; `"wrong"` if it is not an excerpt of such a page. */
export function childInExcerpt(
  hasher: Hasher,
  pageDigest: Digest,
  { head, group }: { readonly head: Uint8Array; readonly group: Uint8Array },
  child: number,
): Digest | undefined | "wrong" {
  if (head.length !== HEAD_BYTES || head[0] !== DOMAIN.inner || hasher.digest(head) !== pageDigest) return "wrong";
  if (group.length !== GROUP_BYTES || group[0] !== DOMAIN.group) return "wrong";
  const expected = readHex32(head, COUNT_AT + 8 + (child >> 4) * DIGEST_BYTES);
  if (expected !== (isZero(group, 1) ? NOTHING : hasher.digest(group))) return "wrong";
  const digest = readHex32(group, 1 + (child & 15) * DIGEST_BYTES) as Digest;
  return digest === NOTHING ? undefined : digest;
}

function writeGroupDigest(hasher: Hasher, page: Uint8Array, group: number, target: Uint8Array, offset: number): void {
  const at = HEAD_BYTES + group * GROUP_BYTES;
  if (isZero(page, at + 1, at + GROUP_BYTES)) target.fill(0, offset, offset + DIGEST_BYTES);
  else hasher.digestInto(page.subarray(at, at + GROUP_BYTES), target, offset);
}

function childAt(child: number): number {
  invariant(child >= 0 && child < CHILDREN, "state-tree.child", { child });
  return HEAD_BYTES + (child >> 4) * GROUP_BYTES + 1 + (child & 15) * DIGEST_BYTES;
}
