import {
  allocateBytes,
  type Change,
  type Digest,
  type Hasher,
  hexToBytes,
  invariant,
  type KeyReader,
  type OrderedReader,
  type SequenceNumber,
} from "@quorate/protocol";
import { isBucket, type LeafChange, leafCount, leavesOf } from "./bucket.ts";
import { CHILDREN, childDigest } from "./inner-page.ts";
import { installMarkOf } from "./install-mark.ts";
import { type KeptCheckpoint, KeptCheckpoints, type TidyLimits } from "./kept-checkpoints.ts";
import { digestOfSealed, pathOf, sealed, unsealed } from "./leaf.ts";
import { pageDigest } from "./page-digest.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import { ProvenPages } from "./proven-pages.ts";
import { Snapshot } from "./snapshot.ts";
import { StateDamage } from "./state-damage.ts";
import { storedRoot } from "./stored-root.ts";
import { pageKey, ROOT_OF_PAGES, subjectOf, UNDO_OF, undoKey, undoneEntries, undonePages } from "./tree-keys.ts";
import { type UpdatedTree, updateTree } from "./tree-update.ts";

export interface StateTreeOptions {
  /** Entries: each with the digest of its leaf. */
  readonly state: OrderedReader;
  /** Pages, undo records, and which checkpoints are kept, beside what others keep there. */
  readonly local: KeyReader;
  readonly hasher: Hasher;
  /** The part of the state that a key belongs to, 0 to 255: the first byte of its path. Parts can be fetched one by one. */
  readonly partOf: (key: Uint8Array) => number;
}

/** What is to be written in one group for the tree to be what it says it is. */
export interface TreeChanges {
  readonly state: readonly Change[];
  readonly local: readonly Change[];
}

const NOTHING = new Uint8Array(0);

/**
 * The replicated state: entries that are checked at every read, a Merkle tree over them as of the last checkpoint, and the
 * checkpoints that are kept, each readable. It writes nothing itself: it says what is to be written, and expects that it is,
 * in one group and at once.
 */
export class StateTree implements OrderedReader {
  readonly #o: StateTreeOptions;
  /** A write belongs to the last one's undo records. */
  readonly #kept: KeptCheckpoints;
  /**
   * The digests of the leaves that changed since the last checkpoint, by key; undefined for what is gone. Bounded by what
   * the batches between two checkpoints change.
   */
  readonly #touched = new Map<string, Digest | undefined>();
  /** Those of them that the pages do not have yet. */
  #unrooted = new Map<string, Digest | undefined>();
  /** The root of the tree as the pages are; undefined before the first checkpoint. */
  #rootOfPages: Digest | undefined;
  /** Whether the store has a record of it, because the pages have come further than the last checkpoint. */
  #isAhead = false;
  /** The prefixes of the pages that have changed since the last checkpoint. */
  readonly #changedPages = new Set<string>();
  readonly #proven = new ProvenPages();

  /** Goes on from what the store holds, which must not be in the middle of an installation (`installMarkOf`). */
  constructor(options: StateTreeOptions) {
    this.#o = options;
    const { state, local } = options;
    invariant(installMarkOf(local) === undefined, "state-tree.installing");
    this.#kept = new KeptCheckpoints(local);
    const last = this.last;
    if (last === undefined) return;
    for (const [undo] of local.range(...undoneEntries(last.seq))) {
      const { key } = subjectOf(undo);
      const record = state.get(key);
      if (record !== undefined) this.#checked(key, record);
      this.#touched.set(nameOf(key), record === undefined ? undefined : digestOfSealed(record));
    }
    const rootOfPages = local.get(ROOT_OF_PAGES);
    this.#isAhead = rootOfPages !== undefined;
    this.#rootOfPages = rootOfPages === undefined ? last.root : storedRoot(ROOT_OF_PAGES, rootOfPages);
    for (const [undo] of local.range(...undonePages(last.seq))) this.#changedPages.add(nameOf(subjectOf(undo).key));
    // Which of them the pages have is not noted: they may be given them twice.
    this.#unrooted = new Map(this.#touched);
  }

  /** The kept checkpoints, ascending. */
  get kept(): readonly KeptCheckpoint[] {
    return this.#kept.all;
  }
  /** The last checkpoint; undefined before the first. */
  get last(): KeptCheckpoint | undefined {
    return this.#kept.last;
  }

  /** @throws StateDamage for an entry that is not what was written. */
  get(key: Uint8Array): Uint8Array | undefined {
    const record = this.#o.state.get(key);
    return record === undefined ? undefined : this.#checked(key, record);
  }

  /** @throws StateDamage for an entry that is not what was written. */
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const [key, record] of this.#o.state.range(from, to)) yield [key, this.#checked(key, record)];
  }

  /**
   * Reads an entry of the last checkpoint as it is now.
   *
   * @param digest of its leaf at that checkpoint.
   * @returns the bytes that were read.
   * @throws StateDamage when it is neither that nor what was written there since.
   */
  checkEntry(key: Uint8Array, digest: Digest): number {
    const name = nameOf(key);
    const expected = this.#touched.has(name) ? this.#touched.get(name) : digest;
    const record = this.#o.state.get(key);
    if (record !== undefined) this.#checked(key, record);
    if ((record && digestOfSealed(record)) !== expected) throw new StateDamage("entry", key);
    return key.length + (record?.length ?? 0);
  }

  /**
   * What is to be written so that these changes are made; keys and values must not be modified later. Before the first
   * checkpoint nothing says after a restart what has changed: they belong into its group.
   */
  change(changes: readonly Change[]): TreeChanges {
    const { hasher, state } = this.#o;
    const last = this.last;
    const entries: Change[] = [];
    const undo: Change[] = [];
    for (const { key, value } of changes) {
      const record = value === undefined ? undefined : sealed(hasher, key, value);
      entries.push({ key, value: record });
      const name = nameOf(key);
      if (last !== undefined && !this.#touched.has(name))
        undo.push({ key: undoKey(last.seq, UNDO_OF.entry, key), value: state.get(key) ?? NOTHING });
      const digest = record === undefined ? undefined : digestOfSealed(record);
      this.#touched.set(name, digest);
      this.#unrooted.set(name, digest);
    }
    return { state: entries, local: undo };
  }

  /**
   * What is to be written so that the pages have up to `changesMax` more of the changes so far, if they lack at least
   * `changesMin`: the next checkpoint then costs only what is left. Nothing before the first one.
   */
  absorb(changesMin: number, changesMax: number = changesMin): readonly Change[] {
    if (this.last === undefined || this.#unrooted.size < changesMin) return [];
    const { root, local } = this.#updatePages(this.#takeUnrooted(changesMax));
    this.#rootOfPages = root;
    this.#isAhead = true;
    local.push({ key: ROOT_OF_PAGES, value: hexToBytes(root) });
    return local;
  }

  /** What is to be written so that the state, with all changes so far, is the checkpoint `seq`. */
  checkpoint(seq: SequenceNumber): { readonly root: Digest; readonly local: readonly Change[] } {
    const { last } = this;
    invariant(last === undefined || seq > last.seq, "state-tree.checkpoint-order", { seq, last: last?.seq });
    const { root, local } = this.#updatePages(this.#takeUnrooted(this.#unrooted.size));
    if (this.#isAhead) local.push({ key: ROOT_OF_PAGES, value: undefined });
    this.#isAhead = false;
    local.push(this.#kept.add(seq, root));
    this.#rootOfPages = root;
    this.#touched.clear();
    this.#changedPages.clear();
    return { root, local };
  }

  /** The root that a checkpoint would have now. Costs what the pages have not absorbed. */
  rootNow(): Digest {
    return this.#update(this.#unrooted).root;
  }

  /** The state at a kept checkpoint. */
  at(seq: SequenceNumber): Snapshot | undefined {
    const root = this.#kept.rootOf(seq);
    return root && new Snapshot({ ...this.#o, seq, root, kept: this.#kept });
  }

  /** What is to be written so that a checkpoint is kept no more; not the last one. `tidied` removes what it leaves. */
  drop(seq: SequenceNumber): Change {
    return this.#kept.drop(seq);
  }

  /** What is to be written so that records that dropped checkpoints left are gone, within limits. */
  tidied(limits: TidyLimits): readonly Change[] {
    return this.#kept.tidied(limits);
  }

  /**
   * Whether the tree has all entries, and no others, as of the last checkpoint, and what changed since then is what stands
   * there now. Reads everything, and holds no more of it than what changed.
   *
   * @throws StateDamage for an entry, a page or an undo record that is not what was written.
   */
  verify(): boolean {
    const { hasher, state, local } = this.#o;
    const last = this.last;
    invariant(last !== undefined, "state-tree.nothing-to-verify");
    const snapshot = new Snapshot({ ...this.#o, ...last, kept: this.#kept });
    const leaves = this.#verifyLeaves(snapshot);
    if (this.#rootOfPages !== undefined) this.#verifyAhead(snapshot, ROOT_PREFIX, this.#rootOfPages, last.root);
    // Every leaf has its entry, so there is one too many exactly if there are more.
    let entries = 0;
    for (const [key, record] of state.range(NOTHING, undefined)) {
      this.#checked(key, record);
      entries++;
    }
    for (const [undo, before] of local.range(...undoneEntries(last.seq))) {
      const { key } = subjectOf(undo);
      const now = state.get(key);
      const name = nameOf(key);
      const digest = now === undefined ? undefined : digestOfSealed(now);
      if (!this.#touched.has(name) || this.#touched.get(name) !== digest) return false;
      if (before.length > 0 && unsealed(hasher, key, before) === undefined) throw new StateDamage("entry", key);
      entries += (before.length > 0 ? 1 : 0) - (now === undefined ? 0 : 1);
    }
    return entries === leaves;
  }

  /** How many leaves the tree has, each with its entry; not a number if one has none. */
  #verifyLeaves(snapshot: Snapshot): number {
    let leaves = 0;
    for (const page of snapshot.pages()) {
      if (!isBucket(page)) continue;
      for (const { key, digest } of leavesOf(page)) if (snapshot.digestOf(key) !== digest) return Number.NaN;
      leaves += leafCount(page);
    }
    return leaves;
  }

  /** Reads the pages that are ahead of the last checkpoint: those with another digest, from the root down. */
  #verifyAhead(snapshot: Snapshot, prefix: Uint8Array, now: Digest, then: Digest | undefined): void {
    if (now === then) return;
    const { hasher, local } = this.#o;
    const page = local.get(pageKey(prefix));
    if (page === undefined || pageDigest(hasher, page) !== now) throw new StateDamage("page", prefix);
    if (isBucket(page)) return;
    const before = then === undefined ? undefined : snapshot.pageOf(prefix, then);
    for (let child = 0; child < CHILDREN; child++) {
      const below = childDigest(page, child);
      const belowThen = before === undefined || isBucket(before) ? undefined : childDigest(before, child);
      if (below !== undefined) this.#verifyAhead(snapshot, childPrefix(prefix, child), below, belowThen);
    }
  }

  /** The oldest of the changes that the pages lack, which are theirs from now on. */
  #takeUnrooted(changes: number): ReadonlyMap<string, Digest | undefined> {
    const taken = this.#unrooted;
    if (changes >= taken.size) {
      this.#unrooted = new Map();
      return taken;
    }
    const first = new Map([...taken].slice(0, changes));
    for (const name of first.keys()) taken.delete(name);
    return first;
  }

  /** Gives these changes to the pages; what stood there at the last checkpoint is noted once. */
  #updatePages(given: ReadonlyMap<string, Digest | undefined>): { readonly root: Digest; readonly local: Change[] } {
    const { last } = this;
    const { root, pages } = this.#update(given);
    const local: Change[] = [];
    for (const { prefix, before, page, innerDigest } of pages) {
      const name = nameOf(prefix);
      if (last !== undefined && !this.#changedPages.has(name))
        local.push({ key: undoKey(last.seq, UNDO_OF.page, prefix), value: before ?? NOTHING });
      this.#changedPages.add(name);
      local.push({ key: pageKey(prefix), value: page });
      if (page === undefined || innerDigest === undefined) this.#proven.forget(prefix);
      else this.#proven.keep(prefix, page, innerDigest);
    }
    return { root, local };
  }

  #update(given: ReadonlyMap<string, Digest | undefined>): UpdatedTree {
    const { hasher, local, partOf } = this.#o;
    const changes: LeafChange[] = [];
    for (const [name, digest] of given) {
      const key = keyOf(name);
      changes.push({ path: pathOf(hasher, partOf(key), key), key, digest });
    }
    return updateTree(hasher, (prefix) => local.get(pageKey(prefix)), changes, this.#rootOfPages, this.#proven);
  }

  #checked(key: Uint8Array, record: Uint8Array): Uint8Array {
    const value = unsealed(this.#o.hasher, key, record);
    if (value === undefined) throw new StateDamage("entry", key);
    return value;
  }
}

/** Bytes as a string of one character each: no array is kept for it that shares its memory with others. */
function nameOf(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}

function keyOf(name: string): Uint8Array {
  const key = allocateBytes(name.length);
  for (let i = 0; i < name.length; i++) key[i] = name.charCodeAt(i);
  return key;
}
