import { compareBytes, type Digest, type Hasher, hexToBytes, invariant, readHex32 } from "@quorate/protocol";
import {
  BUCKET_LEAVES_MAX,
  bucketOf,
  changedBucket,
  isBucket,
  keysDigest,
  type Leaf,
  type LeafChange,
  leafCount,
  leavesOf,
  writeBucketDigest,
} from "./bucket.ts";
import {
  CHILDREN,
  childSlot,
  InnerPageWriter,
  isGroupWhole,
  isInnerPage,
  leavesBelow,
  writeInnerDigest,
} from "./inner-page.ts";
import { areSame, DIGEST_BYTES, isZero } from "./leaf.ts";
import { writePageDigest } from "./page-digest.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import { ProvenPages } from "./proven-pages.ts";
import { StateDamage } from "./state-damage.ts";

/** The page at a prefix of paths; undefined where there is none. */
export type ReadPage = (prefix: Uint8Array) => Uint8Array | undefined;

/** A page that an update made another one, or as `undefined` none. */
export interface PageChange {
  readonly prefix: Uint8Array;
  /** What stood there. */
  readonly before: Uint8Array | undefined;
  readonly page: Uint8Array | undefined;
  /** That of an inner page; undefined for others. */
  readonly innerDigest: Uint8Array | undefined;
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
 * @param proven pages that need not be read again; what is read and could be needed again is kept there.
 * @throws StateDamage for a page that is not what the tree before had there.
 */
export function updateTree(
  hasher: Hasher,
  read: ReadPage,
  changes: readonly LeafChange[],
  root: Digest | undefined,
  proven: ProvenPages = new ProvenPages(),
): UpdatedTree {
  const sorted = [...changes].sort((a, b) => compareBytes(a.path, b.path));
  return new Update(hasher, read, root === undefined, proven).run(sorted, root);
}

/** A page of the tree before. */
interface OldPage {
  readonly page: Uint8Array;
  /** The digest of the keys of a bucket. */
  readonly keys: Uint8Array | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Digests are bytes here, and stand in one place: the *slot* of a subtree, in the new page above it, has the digest that it
 * had before until it is given the new one. Zeros mean that nothing is there.
 */
class Update {
  readonly #hasher: Hasher;
  readonly #read: ReadPage;
  readonly #isNew: boolean;
  readonly #proven: ProvenPages;
  readonly #changes: Writable<PageChange>[] = [];

  constructor(hasher: Hasher, read: ReadPage, isNew: boolean, proven: ProvenPages) {
    this.#hasher = hasher;
    this.#read = read;
    this.#isNew = isNew;
    this.#proven = proven;
  }

  run(changes: readonly LeafChange[], root: Digest | undefined): UpdatedTree {
    const slot = root === undefined ? new Uint8Array(DIGEST_BYTES) : hexToBytes(root);
    this.#inner(ROOT_PREFIX, this.#page(ROOT_PREFIX, slot)?.page, changes, slot);
    return { root: readHex32(slot, 0) as Digest, pages: this.#changes };
  }

  /** @returns how many leaves it has more than before, as do the others. */
  #subtree(prefix: Uint8Array, changes: readonly LeafChange[], slot: Uint8Array): number {
    const old = this.#page(prefix, slot);
    return old === undefined || isBucket(old.page)
      ? this.#bucket(prefix, old, changes, slot)
      : this.#inner(prefix, old.page, changes, slot);
  }

  #bucket(prefix: Uint8Array, old: OldPage | undefined, changes: readonly LeafChange[], slot: Uint8Array): number {
    const page = old?.page;
    const count = page === undefined ? 0 : leafCount(page);
    if (count + changes.length > BUCKET_LEAVES_MAX) {
      const leaves = mergedLeaves(page, changes);
      this.#build(prefix, page, leaves, slot);
      return leaves.length - count;
    }
    const { bucket, hasSameKeys } = changedBucket(page, changes);
    this.#writeBucket(prefix, page, bucket, hasSameKeys ? old?.keys : undefined, slot);
    return (bucket === undefined ? 0 : leafCount(bucket)) - count;
  }

  #inner(prefix: Uint8Array, page: Uint8Array | undefined, changes: readonly LeafChange[], slot: Uint8Array): number {
    const writer = new InnerPageWriter(this.#hasher, page);
    const firstBelow = this.#changes.length;
    let added = 0;
    let checkedGroup = -1;
    for (const [child, run] of runsByChild(changes, prefix.length)) {
      if (page !== undefined && child >> 4 !== checkedGroup) this.#checkGroup(prefix, page, child);
      checkedGroup = child >> 4;
      added += this.#subtree(childPrefix(prefix, child), run, writer.slot(child));
    }
    const leaves = (page === undefined ? 0 : leavesBelow(page)) + added;
    const updated = writer.finish(leaves);
    if (prefix.length > 0 && leaves <= BUCKET_LEAVES_MAX)
      this.#build(prefix, page, this.#takeLeaves(prefix, updated, firstBelow), slot);
    else this.#writeInner(prefix, page, updated, slot);
    return added;
  }

  /** Writes the subtree of these leaves where nothing is below the prefix. */
  #build(prefix: Uint8Array, before: Uint8Array | undefined, leaves: readonly Leaf[], slot: Uint8Array): void {
    if (leaves.length <= BUCKET_LEAVES_MAX) {
      this.#writeBucket(prefix, before, leaves.length === 0 ? undefined : bucketOf(leaves), undefined, slot);
      return;
    }
    const writer = new InnerPageWriter(this.#hasher, undefined);
    for (const [child, run] of runsByChild(leaves, prefix.length))
      this.#build(childPrefix(prefix, child), undefined, run, writer.slot(child));
    this.#writeInner(prefix, before, writer.finish(leaves.length), slot);
  }

  /**
   * The leaves below an inner page that has too few for one: its children are buckets, and go.
   *
   * @param firstBelow from here on changes are of what is below the page.
   */
  #takeLeaves(prefix: Uint8Array, page: Uint8Array, firstBelow: number): Leaf[] {
    const changes = new Map<number, Writable<PageChange>>();
    for (const change of this.#changes.slice(firstBelow))
      if (change.prefix.length === prefix.length + 1) changes.set(change.prefix[prefix.length] ?? 0, change);
    const leaves: Leaf[] = [];
    for (let child = 0; child < CHILDREN; child++) {
      const slot = childSlot(page, child);
      if (isZero(slot)) continue;
      const below = childPrefix(prefix, child);
      const change = changes.get(child);
      const bucket = change === undefined ? this.#page(below, slot)?.page : change.page;
      invariant(bucket !== undefined && isBucket(bucket), "state-tree.not-a-bucket", { child });
      leaves.push(...leavesOf(bucket));
      if (change === undefined) this.#write(below, bucket, undefined, undefined);
      else change.page = undefined;
    }
    // A group that nothing changed in was not checked: one that lost a child has lost its leaves.
    if (leaves.length !== leavesBelow(page)) throw new StateDamage("page", prefix);
    return leaves;
  }

  /** The page of the tree before at a prefix: that of the digest in the slot. */
  #page(prefix: Uint8Array, slot: Uint8Array): OldPage | undefined {
    if (this.#isNew) return undefined;
    const proven = this.#proven.get(prefix, slot);
    if (proven !== undefined) return { page: proven, keys: undefined };
    const page = this.#read(prefix);
    if (page === undefined && isZero(slot)) return undefined;
    if (page === undefined || isZero(slot)) throw new StateDamage("page", prefix);
    const keys = isBucket(page) ? keysDigest(this.#hasher, page) : undefined;
    if (keys !== undefined) writeBucketDigest(this.#hasher, page, keys, FOUND);
    // Where pages are kept, all of it; elsewhere each group is checked when something changes in it.
    else if (this.#proven.isFor(prefix) || !isInnerPage(page)) writePageDigest(this.#hasher, page, FOUND);
    else writeInnerDigest(this.#hasher, page, FOUND);
    if (!areSame(FOUND, 0, slot, 0, DIGEST_BYTES)) throw new StateDamage("page", prefix);
    if (keys === undefined) this.#proven.keep(prefix, page, new Uint8Array(slot));
    return { page, keys };
  }

  #checkGroup(prefix: Uint8Array, page: Uint8Array, child: number): void {
    if (!this.#proven.isFor(prefix) && !isGroupWhole(this.#hasher, page, child)) throw new StateDamage("page", prefix);
  }

  #writeBucket(
    prefix: Uint8Array,
    before: Uint8Array | undefined,
    bucket: Uint8Array | undefined,
    keys: Uint8Array | undefined,
    slot: Uint8Array,
  ): void {
    if (bucket === undefined) slot.fill(0);
    else writeBucketDigest(this.#hasher, bucket, keys ?? keysDigest(this.#hasher, bucket), slot);
    this.#write(prefix, before, bucket, undefined);
  }

  #writeInner(prefix: Uint8Array, before: Uint8Array | undefined, page: Uint8Array, slot: Uint8Array): void {
    writeInnerDigest(this.#hasher, page, slot);
    this.#write(prefix, before, page, new Uint8Array(slot));
  }

  #write(
    prefix: Uint8Array,
    before: Uint8Array | undefined,
    page: Uint8Array | undefined,
    innerDigest: Uint8Array | undefined,
  ): void {
    if (before !== undefined || page !== undefined) this.#changes.push({ prefix, before, page, innerDigest });
  }
}
/** Holds a digest while it is compared. */
const FOUND: Uint8Array = new Uint8Array(DIGEST_BYTES);

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
