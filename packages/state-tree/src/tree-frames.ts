import type { Digest, Hasher } from "@quorate/protocol";
import { isBucket, type Leaf, leavesOf } from "./bucket.ts";
import { CHILDREN, childDigest } from "./inner-page.ts";
import { leafDigest, PATH_BYTES } from "./leaf.ts";
import { packedPage, unpackedPage } from "./packed-page.ts";
import { pageDigest } from "./page-digest.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import type { Snapshot } from "./snapshot.ts";
import { StateDamage } from "./state-damage.ts";

/**
 * A whole state as frames that prove themselves one by one: the pages from the root down, packed, a page before what is below
 * it, and behind each bucket the values of its leaves.
 *
 * @throws StateDamage for what is not what the root covers.
 */
export function* treeFrames(hasher: Hasher, snapshot: Snapshot): Generator<Uint8Array> {
  const expected: (readonly [prefix: Uint8Array, digest: Digest])[] = [[ROOT_PREFIX, snapshot.root]];
  for (let next = expected.pop(); next !== undefined; next = expected.pop()) {
    const [prefix, digest] = next;
    const page = snapshot.pageOf(prefix, digest);
    yield packedPage(page);
    if (isBucket(page)) for (const leaf of leavesOf(page)) yield leafValue(hasher, snapshot, leaf);
    else for (const child of childrenOf(prefix, page).reverse()) expected.push(child);
  }
}

function leafValue(hasher: Hasher, snapshot: Snapshot, { key, digest }: Leaf): Uint8Array {
  const value = snapshot.get(key);
  if (value === undefined || leafDigest(hasher, key, value) !== digest) throw new StateDamage("entry", key);
  return value;
}

/** What a frame was. */
export type TreePiece =
  | { readonly type: "page"; readonly prefix: Uint8Array; readonly page: Uint8Array }
  | { readonly type: "entry"; readonly key: Uint8Array; readonly value: Uint8Array };

type Expected =
  | { readonly type: "page"; readonly prefix: Uint8Array; readonly digest: Digest }
  | { readonly type: "entry"; readonly key: Uint8Array; readonly digest: Digest };

/** Reads what `treeFrames` wrote, and believes nothing but the root. It holds the pages' digests on the way down, and no more. */
export class TreeFrameReader {
  readonly #hasher: Hasher;
  /** What comes next is at the end. */
  readonly #expected: Expected[];

  constructor(hasher: Hasher, root: Digest) {
    this.#hasher = hasher;
    this.#expected = [{ type: "page", prefix: ROOT_PREFIX, digest: root }];
  }

  /** All that the root covers has been read. */
  get isWhole(): boolean {
    return this.#expected.length === 0;
  }

  /** @returns what the next frame is; undefined when it is not what the root covers, and nothing can be read any more. */
  accept(frame: Uint8Array): TreePiece | undefined {
    const next = this.#expected.pop();
    if (next === undefined) return undefined;
    if (next.type === "page") return this.#page(next.prefix, next.digest, frame);
    const { key, digest } = next;
    return leafDigest(this.#hasher, key, frame) === digest ? { type: "entry", key, value: frame } : undefined;
  }

  #page(prefix: Uint8Array, digest: Digest, frame: Uint8Array): TreePiece | undefined {
    const page = unpackedPage(this.#hasher, prefix, frame);
    if (page === undefined || pageDigest(this.#hasher, page) !== digest || prefix.length > PATH_BYTES) return undefined;
    const below: Expected[] = isBucket(page)
      ? leavesOf(page).map((leaf) => ({ type: "entry", key: leaf.key, digest: leaf.digest }))
      : childrenOf(prefix, page).map(([child, of]) => ({ type: "page", prefix: child, digest: of }));
    for (const each of below.reverse()) this.#expected.push(each);
    return { type: "page", prefix, page };
  }
}

function childrenOf(prefix: Uint8Array, page: Uint8Array): (readonly [prefix: Uint8Array, digest: Digest])[] {
  const children: (readonly [Uint8Array, Digest])[] = [];
  for (let child = 0; child < CHILDREN; child++) {
    const digest = childDigest(page, child);
    if (digest !== undefined) children.push([childPrefix(prefix, child), digest]);
  }
  return children;
}
