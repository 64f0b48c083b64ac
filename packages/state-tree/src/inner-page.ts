import { type Digest, type Hasher, invariant, readHex32, writeHex32 } from "@quorate/protocol";
import { DIGEST_BYTES, DOMAIN, NOTHING, readU32, writeU32 } from "./leaf.ts";

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

function isInnerPage(page: Uint8Array): boolean {
  return page[0] === DOMAIN.inner && page.length === INNER_PAGE_BYTES;
}

/** Leaves in all of its subtrees. */
export function leavesBelow(page: Uint8Array): number {
  return readU32(page, COUNT_AT) * 0x1_0000_0000 + readU32(page, COUNT_AT + 4);
}

/** The digest of a child; undefined where there is none. */
export function childDigest(page: Uint8Array, child: number): Digest | undefined {
  const at = childAt(child);
  // Most bytes of a digest are not zero: the first one tells, nearly always.
  for (let i = 0; i < DIGEST_BYTES; i++) if (page[at + i] !== 0) return readHex32(page, at) as Digest;
  return undefined;
}

/** The digest of a page: that of its head, which has those of its groups. `NOTHING` for bytes that are none. */
export function innerDigest(hasher: Hasher, page: Uint8Array): Digest {
  return isInnerPage(page) ? hasher.digest(page.subarray(0, HEAD_BYTES)) : NOTHING;
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

  set(child: number, digest: Digest | undefined): void {
    writeHex32(this.#page, childAt(child), digest ?? NOTHING);
    this.#changedGroups |= 1 << (child >> 4);
  }

  /** @param leaves all that are below it now. */
  finish(leaves: number): Uint8Array {
    const page = this.#page;
    writeU32(page, COUNT_AT, Math.floor(leaves / 0x1_0000_0000));
    writeU32(page, COUNT_AT + 4, leaves >>> 0);
    for (let group = 0; group < GROUPS; group++)
      if ((this.#changedGroups & (1 << group)) !== 0)
        writeHex32(page, COUNT_AT + 8 + group * DIGEST_BYTES, groupDigest(this.#hasher, page, group));
    return page;
  }
}

/** Whether bytes from elsewhere are an inner page whose groups are what its head says. */
export function isWholeInnerPage(hasher: Hasher, bytes: Uint8Array): boolean {
  if (!isInnerPage(bytes) || leavesBelow(bytes) > Number.MAX_SAFE_INTEGER) return false;
  for (let group = 0; group < GROUPS; group++) {
    if (bytes[HEAD_BYTES + group * GROUP_BYTES] !== DOMAIN.group) return false;
    if (readHex32(bytes, COUNT_AT + 8 + group * DIGEST_BYTES) !== groupDigest(hasher, bytes, group)) return false;
  }
  return true;
}

/** Whether the group of a child is what the head of its page says. */
export function isGroupWhole(hasher: Hasher, page: Uint8Array, child: number): boolean {
  const group = child >> 4;
  return readHex32(page, COUNT_AT + 8 + group * DIGEST_BYTES) === groupDigest(hasher, page, group);
}

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
  const isEmpty = group.subarray(1).every((byte) => byte === 0);
  if (expected !== (isEmpty ? NOTHING : hasher.digest(group))) return "wrong";
  const digest = readHex32(group, 1 + (child & 15) * DIGEST_BYTES) as Digest;
  return digest === NOTHING ? undefined : digest;
}

function groupDigest(hasher: Hasher, page: Uint8Array, group: number): Digest {
  const at = HEAD_BYTES + group * GROUP_BYTES;
  const bytes = page.subarray(at, at + GROUP_BYTES);
  return bytes.subarray(1).every((byte) => byte === 0) ? NOTHING : hasher.digest(bytes);
}

function childAt(child: number): number {
  invariant(child >= 0 && child < CHILDREN, "state-tree.child", { child });
  return HEAD_BYTES + (child >> 4) * GROUP_BYTES + 1 + (child & 15) * DIGEST_BYTES;
}
