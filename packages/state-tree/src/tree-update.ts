import { compareBytes, type Digest, type Hasher, invariant } from "@quorate/protocol";
import {
  BUCKET_LEAVES_MAX,
  bucketDigest,
  bucketOf,
  changedBucket,
  isBucket,
  type Leaf,
  type LeafChange,
  leafCount,
  leavesOf,
} from "./bucket.ts";
import { CHILDREN, childDigest, InnerPageWriter, innerDigest, isGroupWhole, leavesBelow } from "./inner-page.ts";
import { pageDigest } from "./page-digest.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import { StateDamage } from "./state-damage.ts";

/** The page at a prefix of paths; undefined where there is none. */
export type ReadPage = (prefix: Uint8Array) => Uint8Array | undefined;

/** A page that an update wrote, or as `undefined` one that is gone. */
export interface PageChange {
  readonly prefix: Uint8Array;
  readonly page: Uint8Array | undefined;
}

/** What an update brought. */
export interface UpdatedTree {
  /** The digest of the page at the empty prefix. */
  readonly root: Digest;
  readonly pages: readonly PageChange[];
}

/**
 * The tree after changes, one for each path, in any order. Its shape depends on the leaves alone: a prefix with at most
 * `BUCKET_LEAVES_MAX` leaves is a bucket, one with more an inner page; the root is always inner.
 *
 * @param root that of the tree before: every page that is changed is checked against it; undefined for a tree made from nothing.
 * @throws StateDamage for a page that is not what the tree before had there.
 */
export function updateTree(
  hasher: Hasher,
  read: ReadPage,
  changes: readonly LeafChange[],
  root: Digest | undefined,
): UpdatedTree {
  const sorted = [...changes].sort((a, b) => compareBytes(a.path, b.path));
  return new Update(hasher, read, root !== undefined).run(sorted, root);
}

/** A subtree after the update. */
interface Subtree {
  readonly digest: Digest | undefined;
  /** Leaves that it has more than before. */
  readonly added: number;
}

class Update {
  readonly #hasher: Hasher;
  readonly #read: ReadPage;
  readonly #isChecked: boolean;
  readonly #pages = new Map<string, PageChange>();

  constructor(hasher: Hasher, read: ReadPage, isChecked: boolean) {
    this.#hasher = hasher;
    this.#read = read;
    this.#isChecked = isChecked;
  }

  run(changes: readonly LeafChange[], root: Digest | undefined): UpdatedTree {
    const { digest } = this.#inner(ROOT_PREFIX, this.#page(ROOT_PREFIX, root), changes);
    invariant(digest !== undefined, "state-tree.no-root");
    return { root: digest, pages: [...this.#pages.values()] };
  }

  #subtree(prefix: Uint8Array, changes: readonly LeafChange[], before: Digest | undefined): Subtree {
    const page = this.#page(prefix, before);
    if (page !== undefined && !isBucket(page)) return this.#inner(prefix, page, changes);
    const count = page === undefined ? 0 : leafCount(page);
    if (count + changes.length > BUCKET_LEAVES_MAX) {
      const leaves = mergedLeaves(page, changes);
      return { digest: this.#build(prefix, leaves), added: leaves.length - count };
    }
    const bucket = changedBucket(page, changes);
    if (bucket !== undefined || page !== undefined) this.#write(prefix, bucket);
    if (bucket === undefined) return { digest: undefined, added: -count };
    return { digest: bucketDigest(this.#hasher, bucket), added: leafCount(bucket) - count };
  }

  #inner(prefix: Uint8Array, page: Uint8Array | undefined, changes: readonly LeafChange[]): Subtree {
    const writer = new InnerPageWriter(this.#hasher, page);
    let added = 0;
    let checkedGroup = -1;
    for (const [child, run] of runsByChild(changes, prefix.length)) {
      if (page !== undefined && child >> 4 !== checkedGroup) this.#checkGroup(prefix, page, child);
      checkedGroup = child >> 4;
      const before = page === undefined ? undefined : childDigest(page, child);
      const subtree = this.#subtree(childPrefix(prefix, child), run, before);
      writer.set(child, subtree.digest);
      added += subtree.added;
    }
    const leaves = (page === undefined ? 0 : leavesBelow(page)) + added;
    const updated = writer.finish(leaves);
    if (prefix.length > 0 && leaves <= BUCKET_LEAVES_MAX)
      return { digest: this.#build(prefix, this.#takeLeaves(prefix, updated)), added };
    this.#write(prefix, updated);
    return { digest: innerDigest(this.#hasher, updated), added };
  }

  /** Writes the subtree of these leaves where nothing is below the prefix. */
  #build(prefix: Uint8Array, leaves: readonly Leaf[]): Digest | undefined {
    if (leaves.length === 0) {
      this.#write(prefix, undefined);
      return undefined;
    }
    if (leaves.length <= BUCKET_LEAVES_MAX) {
      const bucket = bucketOf(leaves);
      this.#write(prefix, bucket);
      return bucketDigest(this.#hasher, bucket);
    }
    const writer = new InnerPageWriter(this.#hasher, undefined);
    for (const [child, run] of runsByChild(leaves, prefix.length))
      writer.set(child, this.#build(childPrefix(prefix, child), run));
    const page = writer.finish(leaves.length);
    this.#write(prefix, page);
    return innerDigest(this.#hasher, page);
  }

  /** The leaves below an inner page that has too few for one: its children are buckets, and go. */
  #takeLeaves(prefix: Uint8Array, page: Uint8Array): Leaf[] {
    const leaves: Leaf[] = [];
    for (let child = 0; child < CHILDREN; child++) {
      if (childDigest(page, child) === undefined) continue;
      const below = childPrefix(prefix, child);
      const bucket = this.#pages.get(nameOf(below))?.page ?? this.#page(below, childDigest(page, child));
      invariant(bucket !== undefined && isBucket(bucket), "state-tree.not-a-bucket", { child });
      leaves.push(...leavesOf(bucket));
      this.#write(below, undefined);
    }
    return leaves;
  }

  /** The page of the tree before at a prefix, where its parent says that there is one. */
  #page(prefix: Uint8Array, digest: Digest | undefined): Uint8Array | undefined {
    const page = this.#read(prefix);
    if (!this.#isChecked) return page;
    const found = page === undefined ? undefined : pageDigest(this.#hasher, page);
    if (found !== digest) throw new StateDamage("page", prefix);
    return page;
  }

  #checkGroup(prefix: Uint8Array, page: Uint8Array, child: number): void {
    if (this.#isChecked && !isGroupWhole(this.#hasher, page, child)) throw new StateDamage("page", prefix);
  }

  #write(prefix: Uint8Array, page: Uint8Array | undefined): void {
    this.#pages.set(nameOf(prefix), { prefix, page });
  }
}

/** The leaves of a bucket after changes, in the order of their paths. */
function mergedLeaves(bucket: Uint8Array | undefined, changes: readonly LeafChange[]): Leaf[] {
  const old = bucket === undefined ? [] : leavesOf(bucket);
  const merged: Leaf[] = [];
  let next = 0;
  for (const change of changes) {
    for (let leaf = old[next]; leaf !== undefined && compareBytes(leaf.path, change.path) < 0; leaf = old[next]) {
      merged.push(leaf);
      next++;
    }
    const same = old[next];
    if (same !== undefined && compareBytes(same.path, change.path) === 0) next++;
    if (isLeaf(change)) merged.push(change);
  }
  merged.push(...old.slice(next));
  return merged;
}

function isLeaf(change: LeafChange): change is Leaf {
  return change.digest !== undefined;
}

/** Runs of what stands below the same child, of what is sorted by path. */
function* runsByChild<T extends LeafChange>(
  changes: readonly T[],
  depth: number,
): Generator<readonly [child: number, run: readonly T[]]> {
  for (let from = 0; from < changes.length; ) {
    const child = changes[from]?.path[depth] ?? 0;
    let to = from + 1;
    while (to < changes.length && changes[to]?.path[depth] === child) to++;
    yield [child, changes.slice(from, to)];
    from = to;
  }
}

function nameOf(prefix: Uint8Array): string {
  return String.fromCharCode(...prefix);
}
