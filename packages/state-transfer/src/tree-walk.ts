import { type Digest, invariant, type ReplicaId } from "@quorate/protocol";
import { childDigest, childPrefix, isBucket, leafCount, leavesBelow, leavesOf, ROOT_PREFIX } from "@quorate/state-tree";
import type { WholeBucket } from "./chunk-judgement.ts";
import type { LocalTree } from "./local-tree.ts";
import { isComplete, type OpenBucket, type OpenInner, type OpenPage, openPageAt } from "./open-page.ts";
import type { Work } from "./work.ts";

export interface TreeWalkOptions {
  readonly tree: LocalTree;
  /** Pages and buckets that may be open at once, inner pages above them apart. */
  readonly openMax: number;
  /** Values that may wait in memory for the rest of their buckets, in bytes. */
  readonly heldBytesMax: number;
}

const CHILDREN = 256;

/**
 * Walks the tree of a target, depth first, and opens what differs from the local tree. Deepest first: so the inner pages that
 * are held are those above what is open, whatever the size of the state. An inner page is written after all that is below it.
 */
export class TreeWalk {
  readonly #o: TreeWalkOptions;
  readonly #wanted = new Set<OpenPage | OpenBucket>();
  /** Complete, to be written. */
  readonly #ready = new Set<OpenBucket>();
  /** With children that were not looked at. */
  readonly #inners = new Set<OpenInner>();
  /** The deepest of these, until one comes or goes: there are hundreds, and this is asked for each child. */
  #found: OpenInner | undefined;
  #root: OpenInner | undefined;
  #innerCount = 0;
  #heldBytes = 0;
  #isComplete = false;
  #skipped = 0;
  #fetched = 0;

  constructor(options: TreeWalkOptions) {
    this.#o = options;
  }

  /** Pages and buckets of which something is missing, in the order they were opened. */
  get wanted(): Iterable<OpenPage | OpenBucket> {
    return this.#wanted;
  }
  get openCount(): number {
    return this.#wanted.size + this.#ready.size + this.#innerCount;
  }
  get isStarted(): boolean {
    return this.#root !== undefined || this.#isComplete;
  }
  /** All but the root is written. */
  get isComplete(): boolean {
    return this.#isComplete;
  }
  /** Whether there is something to do without any answer of a donor. */
  get hasWork(): boolean {
    const hasRoom = this.#wanted.size < this.#o.openMax;
    return !this.#isComplete && (this.#ready.size > 0 || (hasRoom && this.#deepest() !== undefined));
  }
  /** The parts before this one are complete. */
  get partsComplete(): number {
    const root = this.#root;
    if (root === undefined) return this.#isComplete ? CHILDREN : 0;
    return root.open === 0 ? root.next : root.next - 1;
  }
  /** Leaves that were here, and that came. */
  get leaves(): { readonly skipped: number; readonly fetched: number } {
    return { skipped: this.#skipped, fetched: this.#fetched };
  }

  /** Forgets everything. */
  stop(): void {
    for (const set of [this.#wanted, this.#ready, this.#inners]) set.clear();
    this.#root = undefined;
    this.#found = undefined;
    this.#innerCount = 0;
    this.#heldBytes = 0;
    this.#isComplete = false;
    this.#skipped = 0;
    this.#fetched = 0;
  }

  /** Begins at the root page of the target. */
  start(page: Uint8Array, digest: Digest): void {
    this.stop();
    const { tree } = this.#o;
    const isHere = tree.page(ROOT_PREFIX)?.digest === digest;
    if (isHere && !tree.distrustsEntries) {
      this.#skipped = leavesBelow(page);
      this.#isComplete = true;
      return;
    }
    this.#root = this.#openInner(ROOT_PREFIX, page, undefined, isHere, !isHere && this.#isBareAt(ROOT_PREFIX));
  }

  /** The page that was asked for, proven. */
  onPage(open: OpenPage, page: Uint8Array): void {
    invariant(open.parent !== undefined, "tree-walk.root-asked");
    this.#wanted.delete(open);
    if (isBucket(page)) this.#openBucket(open.prefix, page, open.parent, false);
    else this.#openInner(open.prefix, page, open.parent, false, this.#isBare(open));
  }

  /** A bucket that came with its entries for a bare place, proven: it is written at once, unless the donor has not all of it. */
  onWhole(open: OpenPage, { page, keys, records }: WholeBucket, from: ReplicaId): void {
    const { parent, prefix } = open;
    invariant(parent !== undefined, "tree-walk.root-asked");
    this.#wanted.delete(open);
    const came = records.filter((record) => record !== undefined);
    this.#fetched += came.length;
    if (came.length === keys.length) {
      this.#o.tree.add(prefix, page, keys, came);
      return this.#closed(parent);
    }
    const leaves = leavesOf(page);
    const bucket: OpenBucket = {
      ...{ type: "bucket", prefix, page, parent, leaves, wanted: new Set(), asked: new Set(), records: new Map() },
      ...{ notAt: new Set([from]), tooLarge: undefined },
    };
    records.forEach((record, index) => {
      if (record === undefined) bucket.wanted.add(index);
      else bucket.records.set(index, record);
      this.#heldBytes += record?.length ?? 0;
    });
    for (const key of keys) this.#o.tree.differing.add(key);
    this.#wanted.add(bucket);
  }

  /** The entry of a leaf, proven, as it will be stored. */
  onEntry(bucket: OpenBucket, index: number, record: Uint8Array): void {
    bucket.asked.delete(index);
    bucket.records.set(index, record);
    this.#heldBytes += record.length;
    this.#fetched++;
    if (!isComplete(bucket)) return;
    this.#wanted.delete(bucket);
    this.#ready.add(bucket);
  }

  /** Writes what can be written, and opens what there is room for. */
  advance(work: Work): void {
    for (const bucket of this.#ready) {
      if (!this.#settle(bucket, work)) break;
      this.#ready.delete(bucket);
      this.#closed(bucket.parent);
    }
    if (this.#heldBytes > this.#o.heldBytesMax)
      for (const open of this.#wanted) if (open.type === "bucket" && open.records.size > 0) this.#settle(open, work);
    while (work.isLeft && this.#wanted.size < this.#o.openMax) {
      const inner = this.#deepest();
      if (inner === undefined) return;
      this.#lookAt(inner, work);
    }
  }

  /** The part that comes first must be complete before the next one is looked at (protocol rule 10.2). */
  #deepest(): OpenInner | undefined {
    if (this.#found !== undefined) return this.#found;
    let deepest: OpenInner | undefined;
    for (const inner of this.#inners) {
      if (inner.parent === undefined && inner.open > 0) continue;
      if (deepest === undefined || inner.prefix.length >= deepest.prefix.length) deepest = inner;
    }
    // The root comes and goes by what is open below it.
    if (deepest?.parent !== undefined) this.#found = deepest;
    return deepest;
  }

  /** The next child of a page, or a run of those that the target has not. */
  #lookAt(inner: OpenInner, work: Work): void {
    const { prefix, page, next, isBare } = inner;
    const digest = childDigest(page, next);
    work.spend(1);
    if (digest !== undefined) {
      this.#openChild(inner, childPrefix(prefix, next), digest, work);
      inner.next = next + 1;
    } else {
      let end = next + 1;
      while (end < CHILDREN && childDigest(page, end) === undefined) end++;
      if (!isBare && !this.#o.tree.remove(prefix, next, end - 1, work)) return;
      inner.next = end;
    }
    if (inner.next < CHILDREN) return;
    this.#inners.delete(inner);
    this.#found = undefined;
    this.#closeIfDone(inner);
  }

  #openChild(parent: OpenInner, prefix: Uint8Array, digest: Digest, work: Work): void {
    const { tree } = this.#o;
    const here = parent.isBare ? undefined : tree.page(prefix);
    if (here?.digest !== digest) {
      parent.open++;
      // Who distrusts its entries looks at them before it asks for any.
      const isBare = !tree.distrustsEntries && (parent.isBare || (here === undefined && this.#isBareAt(prefix)));
      this.#wanted.add(openPageAt(prefix, digest, parent, isBare));
    } else if (!tree.distrustsEntries) {
      this.#skipped += isBucket(here.page) ? leafCount(here.page) : leavesBelow(here.page);
    } else {
      parent.open++;
      if (!isBucket(here.page)) this.#openInner(prefix, here.page, parent, true, false);
      else {
        work.spend(leafCount(here.page));
        this.#openBucket(prefix, new Uint8Array(here.page), parent, true);
      }
    }
  }

  #openInner(
    prefix: Uint8Array,
    page: Uint8Array,
    parent: OpenInner | undefined,
    isHere: boolean,
    isBare: boolean,
  ): OpenInner {
    const { tree } = this.#o;
    if (!isHere && !isBare) tree.open(prefix, page);
    const inner: OpenInner = { type: "inner", prefix, page, parent, isHere, isBare, next: 0, open: 0 };
    this.#innerCount++;
    this.#inners.add(inner);
    this.#found = undefined;
    return inner;
  }

  #isBare({ isBare, parent, prefix }: OpenPage): boolean {
    return isBare || parent?.isBare === true || this.#isBareAt(prefix);
  }

  #isBareAt(prefix: Uint8Array): boolean {
    const { tree } = this.#o;
    return tree.isVacant(prefix) && !tree.hasBelow(prefix);
  }

  #openBucket(prefix: Uint8Array, page: Uint8Array, parent: OpenInner, isHere: boolean): void {
    const { tree } = this.#o;
    const leaves = leavesOf(page);
    const wanted = new Set<number>();
    leaves.forEach((leaf, index) => {
      if (tree.hasEntry(leaf)) return;
      wanted.add(index);
      tree.differing.add(leaf.key);
    });
    this.#skipped += leaves.length - wanted.size;
    if (isHere && wanted.size === 0 && !tree.hasBelow(prefix)) return this.#closed(parent);
    const bucket: OpenBucket = {
      ...{ type: "bucket", prefix, page, parent, leaves, wanted, asked: new Set(), records: new Map() },
      ...{ notAt: new Set(), tooLarge: undefined },
    };
    if (wanted.size === 0) this.#ready.add(bucket);
    else this.#wanted.add(bucket);
  }

  /** Whether everything that has come for a bucket is written. */
  #settle(bucket: OpenBucket, work: Work): boolean {
    if (!work.isLeft || !this.#o.tree.settle(bucket, work)) return false;
    for (const record of bucket.records.values()) this.#heldBytes -= record.length;
    bucket.records.clear();
    return true;
  }

  #closed(parent: OpenInner): void {
    parent.open--;
    this.#closeIfDone(parent);
  }

  #closeIfDone(inner: OpenInner): void {
    if (inner.next < CHILDREN || inner.open > 0) return;
    this.#innerCount--;
    if (inner.parent === undefined) {
      this.#root = undefined;
      this.#isComplete = true;
      return;
    }
    if (!inner.isHere) this.#o.tree.close(inner.prefix, inner.page);
    this.#closed(inner.parent);
  }
}
