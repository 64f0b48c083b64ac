import { bytesToHex, type Change, type Digest, equalBytes, type Hasher, type OrderedReader } from "@quorate/protocol";
import {
  bucketOf,
  childDigest,
  childPrefix,
  digestOfSealed,
  isBucket,
  isBucketUnder,
  isWholeInnerPage,
  type Leaf,
  leavesOf,
  pageDigest,
  pageKey,
  pageRange,
  pageRangeOfChildren,
  pathOf,
  prefixOfPageKey,
  type TreeChanges,
  unsealed,
} from "@quorate/state-tree";
import { KeyCounter } from "./key-list.ts";
import type { OpenBucket } from "./open-page.ts";
import type { Work } from "./work.ts";
import { WriteGroup } from "./write-group.ts";

export interface LocalTreeOptions {
  readonly hasher: Hasher;
  readonly state: OrderedReader;
  readonly local: OrderedReader;
}

/** What only adds, where nothing is. */
interface BulkGroup {
  readonly state: Change[];
  readonly local: Change[];
}

/** A page of the local tree with the digest that its bytes have, whatever others say. */
interface LocalPage {
  readonly page: Uint8Array;
  readonly digest: Digest;
}

const CHILDREN = 256;
const NONE: ReadonlySet<string> = new Set();
/** What the digest of a record and the head of its leaf take. */
const RECORD_BYTES_MIN = 37;

/**
 * The local tree while it turns into another one. After each group of changes it holds that
 *
 * - the entries which a bucket lists are there, with the digests that it has;
 * - every entry is listed in exactly one bucket, and nothing is below a bucket;
 * - an inner page is there only if all that is below it is, and nothing else.
 *
 * The bulk, which only adds, and only where nothing is, holds it by its own order: a prefix of it on top of what is written, at
 * least of what was written before the last group of that prefix, is such a tree, too. An inner page above any of it goes through it.
 *
 * So a page with the right digest needs no further look, no matter where an earlier installation, perhaps towards another
 * target, was interrupted; and what is too much is always found. Damage breaks this: who finds some distrusts everything.
 */
export class LocalTree {
  readonly #o: LocalTreeOptions;
  /** Keys whose entries were not those of the target. */
  readonly differing: KeyCounter = new KeyCounter();
  #group = new WriteGroup();
  #bulk: BulkGroup | undefined;
  #awaitsSettling = false;
  #distrustsEntries: boolean;
  #isDamaged = false;

  constructor(options: LocalTreeOptions, distrustsEntries: boolean) {
    this.#o = options;
    this.#distrustsEntries = distrustsEntries;
  }

  /** Whether entries are read before they are taken for what buckets say of them. */
  get distrustsEntries(): boolean {
    return this.#distrustsEntries;
  }
  /** Whether something was found that can only be damage, while entries are trusted. */
  get isDamaged(): boolean {
    return this.#isDamaged && !this.#distrustsEntries;
  }

  distrust(): void {
    this.#distrustsEntries = true;
  }

  /** The group of this step, for what is not about the tree itself. */
  get group(): WriteGroup {
    return this.#group;
  }

  /** The changes since the last call, which are written before the next one of any method. */
  take(): TreeChanges | undefined {
    const { changes } = this.#group;
    this.#group = new WriteGroup();
    return changes;
  }

  /** Whether something waits to be settled, and so is not to be read yet. */
  get awaitsSettling(): boolean {
    return this.#awaitsSettling;
  }

  onSettled(): void {
    this.#awaitsSettling = false;
  }

  /** The bulk since the last call, which is added before the next one of any method, behind what `take` says. */
  takeBulk(): TreeChanges | undefined {
    const bulk = this.#bulk;
    this.#bulk = undefined;
    return bulk;
  }

  /** Undefined where there is no page, or one that is none. */
  page(prefix: Uint8Array): LocalPage | undefined {
    const key = pageKey(prefix);
    const change = this.#group.changeOfLocal(key);
    const page = change === undefined ? this.#o.local.get(key) : change.value;
    if (page === undefined) return undefined;
    if (this.#isWhole(prefix, page)) return { page, digest: pageDigest(this.#o.hasher, page) };
    this.#isDamaged = true;
    return undefined;
  }

  /** Whether nothing at all stands at a prefix. */
  isVacant(prefix: Uint8Array): boolean {
    const key = pageKey(prefix);
    const change = this.#group.changeOfLocal(key);
    return (change === undefined ? this.#o.local.get(key) : change.value) === undefined;
  }

  /** Whether there is any page below a prefix. */
  hasBelow(prefix: Uint8Array): boolean {
    for (const _page of this.#o.local.range(...pageRangeOfChildren(prefix, 0, CHILDREN - 1))) return true;
    return false;
  }

  /** Whether the entry of a leaf is here. */
  hasEntry({ key, digest }: Leaf): boolean {
    const record = this.#o.state.get(key);
    if (record === undefined || record.length < RECORD_BYTES_MIN || digestOfSealed(record) !== digest) return false;
    return !this.#distrustsEntries || unsealed(this.#o.hasher, key, record) !== undefined;
  }

  /**
   * Makes room for an inner page of the target, which is written when all below it is: what stands there is no more whole
   * from the first change below on, and the leaves of a bucket become local leaves of the children.
   */
  open(prefix: Uint8Array, target: Uint8Array): void {
    const here = this.page(prefix);
    this.#group.local({ key: pageKey(prefix), value: undefined });
    if (here === undefined) return;
    if (isBucket(here.page)) this.#split(prefix, here.page, target);
    else if (!this.#distrustsEntries) this.#checkChildren(prefix, here.page);
  }

  /** An inner page whose whole subtree is written, or waits: then the page waits behind it. */
  close(prefix: Uint8Array, page: Uint8Array): void {
    const change = { key: pageKey(prefix), value: page };
    if (this.#awaitsSettling) this.#openBulk().local.push(change);
    else this.#group.local(change);
  }

  /** Removes what is below these children, with all entries; false if that takes another step. */
  remove(prefix: Uint8Array, first: number, last: number, work: Work): boolean {
    return this.#prune(pageRangeOfChildren(prefix, first, last), NONE, work) !== undefined;
  }

  /** Adds a bucket with all its entries where nothing is, and where nobody looks again before all is settled. */
  add(prefix: Uint8Array, page: Uint8Array, keys: readonly Uint8Array[], records: readonly Uint8Array[]): void {
    const bulk = this.#openBulk();
    keys.forEach((key, index) => {
      this.differing.add(key);
      bulk.state.push({ key, value: records[index] });
    });
    bulk.local.push({ key: pageKey(prefix), value: page });
  }

  /**
   * Writes the entries that have come for a bucket, and the bucket with those that are here; removes all else that is at its
   * prefix or below. False if that takes another step.
   */
  settle({ prefix, page, leaves, wanted, asked, records }: OpenBucket, work: Work): boolean {
    const kept = this.#prune(pageRange(prefix), new Set(leaves.map(({ key }) => bytesToHex(key))), work);
    if (kept === undefined) return false;
    for (const key of kept) this.#group.local({ key, value: undefined });
    const listed: Leaf[] = [];
    leaves.forEach((leaf, index) => {
      const record = records.get(index);
      if (record !== undefined) this.#group.state(leaf.key, record);
      const isHere = record !== undefined || !(wanted.has(index) || asked.has(index));
      const digest = isHere ? leaf.digest : this.#storedDigest(leaf.key);
      if (digest !== undefined) listed.push({ ...leaf, digest });
    });
    work.spend(leaves.length);
    const isWhole = wanted.size === 0 && asked.size === 0;
    const bucket = listed.length === 0 ? undefined : bucketOf(listed);
    this.#group.local({ key: pageKey(prefix), value: isWhole ? page : bucket });
    return true;
  }

  #openBulk(): BulkGroup {
    this.#awaitsSettling = true;
    this.#bulk ??= { state: [], local: [] };
    return this.#bulk;
  }

  #storedDigest(key: Uint8Array): Digest | undefined {
    const record = this.#o.state.get(key);
    return record === undefined || record.length < RECORD_BYTES_MIN ? undefined : digestOfSealed(record);
  }

  #split(prefix: Uint8Array, bucket: Uint8Array, target: Uint8Array): void {
    const leavesOfChild = new Map<number, Leaf[]>();
    for (const leaf of this.#ownLeaves(bucket)) {
      const child = leaf.path[prefix.length] ?? 0;
      if (childDigest(target, child) === undefined) this.#removeEntry(leaf.key);
      else if (leavesOfChild.get(child)?.push(leaf) === undefined) leavesOfChild.set(child, [leaf]);
    }
    for (const [child, leaves] of leavesOfChild)
      this.#group.local({ key: pageKey(childPrefix(prefix, child)), value: bucketOf(leaves) });
  }

  /**
   * Of all pages in a range only buckets stay, and of them only leaves that are to be kept. The keys of those that stay;
   * undefined if there is more to do.
   */
  #prune(range: readonly [Uint8Array, Uint8Array], keep: ReadonlySet<string>, work: Work): Uint8Array[] | undefined {
    const kept: Uint8Array[] = [];
    for (const [key, page] of this.#o.local.range(...range)) {
      if (!work.isLeft) return undefined;
      if (this.#pruned(new Uint8Array(key), page, keep, work)) kept.push(new Uint8Array(key));
    }
    return kept;
  }

  /** Whether anything of the page stays. */
  #pruned(key: Uint8Array, page: Uint8Array, keep: ReadonlySet<string>, work: Work): boolean {
    const isList = isBucket(page) && this.#isWhole(prefixOfPageKey(key), page);
    const leaves = isList ? this.#ownLeaves(page) : [];
    const stay = leaves.filter((leaf) => keep.has(bytesToHex(leaf.key)));
    // What stays as it is costs nothing: it would stand in the way of all else in each step again.
    if (isList && stay.length > 0 && stay.length === leaves.length) return true;
    for (const leaf of leaves) if (!keep.has(bytesToHex(leaf.key))) this.#removeEntry(leaf.key);
    this.#group.local({ key, value: stay.length === 0 ? undefined : bucketOf(stay) });
    work.spend(1 + leaves.length);
    return stay.length > 0;
  }

  #removeEntry(key: Uint8Array): void {
    const copy = new Uint8Array(key);
    this.differing.add(copy);
    this.#group.state(copy, undefined);
  }

  /** The leaves of a bucket that stand where their keys belong: an entry that stands elsewhere must not go with them. */
  #ownLeaves(bucket: Uint8Array): Leaf[] {
    const leaves = leavesOf(bucket);
    const own = leaves.filter((leaf) => this.#isOwn(leaf));
    if (own.length < leaves.length) this.#isDamaged = true;
    return own;
  }

  #isOwn({ path, key }: Leaf): boolean {
    return equalBytes(path, pathOf(this.#o.hasher, path[0] ?? 0, key));
  }

  #isWhole(prefix: Uint8Array, page: Uint8Array): boolean {
    if (!isBucket(page)) return isWholeInnerPage(this.#o.hasher, page);
    if (!isBucketUnder(page, prefix)) return false;
    return !this.#distrustsEntries || leavesOf(page).every((leaf) => this.#isOwn(leaf));
  }

  /** A page that says of its children what they are not tells that one of them is lost, and with it what was below. */
  #checkChildren(prefix: Uint8Array, page: Uint8Array): void {
    for (let child = 0; child < CHILDREN; child++)
      if (this.page(childPrefix(prefix, child))?.digest !== childDigest(page, child)) this.#isDamaged = true;
  }
}
