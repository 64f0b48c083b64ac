import { compareBytes, type Digest, type Hasher, invariant } from "@quorate/protocol";
import {
  BUCKET_LEAVES_MAX,
  bucketDigest,
  bucketOf,
  changedBucket,
  isBucket,
  keysDigest,
  type Leaf,
  type LeafChange,
  leafCount,
  leavesOf,
} from "./bucket.ts";
import { CHILDREN, childDigest, InnerPageWriter, innerDigest, isGroupWhole, leavesBelow } from "./inner-page.ts";
import { pageDigest } from "./page-digest.ts";
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
  readonly digest: Digest | undefined;
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
  return new Update(hasher, read, root, proven).run(sorted);
}

/** A page of the tree before. */
interface OldPage {
  readonly page: Uint8Array;
  /** The digest of the keys of a bucket. */
  readonly keys: Digest | undefined;
}

/** A subtree after the update. */
interface Subtree {
  /** That of the page at its prefix. */
  readonly change: Writable<PageChange>;
  /** Leaves that it has more than before. */
  readonly added: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

class Update {
  readonly #hasher: Hasher;
  readonly #read: ReadPage;
  readonly #root: Digest | undefined;
  readonly #proven: ProvenPages;
  readonly #changes: PageChange[] = [];

  constructor(hasher: Hasher, read: ReadPage, root: Digest | undefined, proven: ProvenPages) {
    this.#hasher = hasher;
    this.#read = read;
    this.#root = root;
    this.#proven = proven;
  }

  run(changes: readonly LeafChange[]): UpdatedTree {
    const { digest } = this.#inner(ROOT_PREFIX, this.#page(ROOT_PREFIX, this.#root)?.page, changes).change;
    invariant(digest !== undefined, "state-tree.no-root");
    return { root: digest, pages: this.#changes };
  }

  #subtree(prefix: Uint8Array, changes: readonly LeafChange[], before: Digest | undefined): Subtree {
    const old = this.#page(prefix, before);
    return old === undefined || isBucket(old.page)
      ? this.#bucket(prefix, old, changes)
      : this.#inner(prefix, old.page, changes);
  }

  #bucket(prefix: Uint8Array, old: OldPage | undefined, changes: readonly LeafChange[]): Subtree {
    const page = old?.page;
    const count = page === undefined ? 0 : leafCount(page);
    if (count + changes.length > BUCKET_LEAVES_MAX) {
      const leaves = mergedLeaves(page, changes);
      return { change: this.#build(prefix, page, leaves), added: leaves.length - count };
    }
    const { bucket, hasSameKeys } = changedBucket(page, changes);
    if (bucket === undefined) return { change: this.#write(prefix, page, undefined, undefined), added: -count };
    const digest = bucketDigest(this.#hasher, bucket, hasSameKeys ? old?.keys : undefined);
    return { change: this.#write(prefix, page, bucket, digest), added: leafCount(bucket) - count };
  }

  #inner(prefix: Uint8Array, page: Uint8Array | undefined, changes: readonly LeafChange[]): Subtree {
    const writer = new InnerPageWriter(this.#hasher, page);
    const below = new Map<number, Subtree>();
    let added = 0;
    let checkedGroup = -1;
    for (const [child, run] of runsByChild(changes, prefix.length)) {
      if (page !== undefined && child >> 4 !== checkedGroup) this.#checkGroup(prefix, page, child);
      checkedGroup = child >> 4;
      const before = page === undefined ? undefined : childDigest(page, child);
      const subtree = this.#subtree(childPrefix(prefix, child), run, before);
      writer.set(child, subtree.change.digest);
      below.set(child, subtree);
      added += subtree.added;
    }
    const leaves = (page === undefined ? 0 : leavesBelow(page)) + added;
    const updated = writer.finish(leaves);
    if (prefix.length > 0 && leaves <= BUCKET_LEAVES_MAX)
      return { change: this.#build(prefix, page, this.#takeLeaves(prefix, updated, below)), added };
    return { change: this.#write(prefix, page, updated, innerDigest(this.#hasher, updated)), added };
  }

  /** Writes the subtree of these leaves where nothing is below the prefix. */
  #build(prefix: Uint8Array, before: Uint8Array | undefined, leaves: readonly Leaf[]): Writable<PageChange> {
    if (leaves.length === 0) return this.#write(prefix, before, undefined, undefined);
    if (leaves.length <= BUCKET_LEAVES_MAX) {
      const bucket = bucketOf(leaves);
      return this.#write(prefix, before, bucket, bucketDigest(this.#hasher, bucket));
    }
    const writer = new InnerPageWriter(this.#hasher, undefined);
    for (const [child, run] of runsByChild(leaves, prefix.length))
      writer.set(child, this.#build(childPrefix(prefix, child), undefined, run).digest);
    const page = writer.finish(leaves.length);
    return this.#write(prefix, before, page, innerDigest(this.#hasher, page));
  }

  /** The leaves below an inner page that has too few for one: its children are buckets, and go. */
  #takeLeaves(prefix: Uint8Array, page: Uint8Array, changed: ReadonlyMap<number, Subtree>): Leaf[] {
    const leaves: Leaf[] = [];
    for (let child = 0; child < CHILDREN; child++) {
      const digest = childDigest(page, child);
      if (digest === undefined) continue;
      const below = childPrefix(prefix, child);
      const change =
        changed.get(child)?.change ?? this.#write(below, this.#page(below, digest)?.page, undefined, undefined);
      const bucket = change.page ?? change.before;
      invariant(bucket !== undefined && isBucket(bucket), "state-tree.not-a-bucket", { child });
      leaves.push(...leavesOf(bucket));
      change.page = undefined;
      change.digest = undefined;
    }
    // A group that nothing changed in was not checked: one that lost a child has lost its leaves.
    if (leaves.length !== leavesBelow(page)) throw new StateDamage("page", prefix);
    return leaves;
  }

  /** The page of the tree before at a prefix, where its parent says that there is one. */
  #page(prefix: Uint8Array, digest: Digest | undefined): OldPage | undefined {
    if (this.#root === undefined) return undefined;
    const proven = digest === undefined ? undefined : this.#proven.get(prefix, digest);
    if (proven !== undefined) return { page: proven, keys: undefined };
    const page = this.#read(prefix);
    if (page === undefined && digest === undefined) return undefined;
    if (page === undefined || digest === undefined) throw new StateDamage("page", prefix);
    const keys = isBucket(page) ? keysDigest(this.#hasher, page) : undefined;
    const found = keys === undefined ? this.#innerDigest(prefix, page) : bucketDigest(this.#hasher, page, keys);
    if (found !== digest) throw new StateDamage("page", prefix);
    if (keys === undefined) this.#proven.keep(prefix, page, digest);
    return { page, keys };
  }

  /** Where pages are kept, of the whole page; elsewhere each group is checked when something changes in it. */
  #innerDigest(prefix: Uint8Array, page: Uint8Array): Digest {
    return this.#proven.isFor(prefix) ? pageDigest(this.#hasher, page) : innerDigest(this.#hasher, page);
  }

  #checkGroup(prefix: Uint8Array, page: Uint8Array, child: number): void {
    if (!this.#proven.isFor(prefix) && !isGroupWhole(this.#hasher, page, child)) throw new StateDamage("page", prefix);
  }

  #write(
    prefix: Uint8Array,
    before: Uint8Array | undefined,
    page: Uint8Array | undefined,
    digest: Digest | undefined,
  ): Writable<PageChange> {
    const change = { prefix, before, page, digest };
    if (before !== undefined || page !== undefined) this.#changes.push(change);
    return change;
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
