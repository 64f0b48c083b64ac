import {
  type Digest,
  type Hasher,
  invariant,
  type OrderedReader,
  type SequenceNumber,
  type StateProof,
} from "@quorate/protocol";
import { digestPlace, isBucket } from "./bucket.ts";
import { CHILDREN, childDigest } from "./inner-page.ts";
import type { KeptCheckpoints } from "./kept-checkpoints.ts";
import { areSame, DIGEST_BYTES, digestOfSealed, pathOf, unsealed } from "./leaf.ts";
import { overlaidEntries } from "./overlaid-entries.ts";
import { pageDigest } from "./page-digest.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import { proofOf } from "./proof.ts";
import { StateDamage } from "./state-damage.ts";
import { pageKey, subjectOf, UNDO_OF, type UndoOf, undoKey, undoneEntries } from "./tree-keys.ts";

export interface SnapshotOptions {
  readonly state: OrderedReader;
  readonly local: OrderedReader;
  readonly hasher: Hasher;
  readonly partOf: (key: Uint8Array) => number;
  readonly seq: SequenceNumber;
  readonly root: Digest;
  readonly kept: KeptCheckpoints;
}

/**
 * The state as it was at a checkpoint, readable while execution goes on. What changed since then is in undo records: the
 * first one from this checkpoint on says what stood there, and without any nothing has changed.
 */
export class Snapshot {
  readonly #options: SnapshotOptions;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  get seq(): SequenceNumber {
    return this.#options.seq;
  }
  /** The root of the tree. */
  get root(): Digest {
    return this.#options.root;
  }

  /** The value of a key. @throws StateDamage */
  get(key: Uint8Array): Uint8Array | undefined {
    const record = this.#record(key);
    if (record === undefined) return undefined;
    const value = unsealed(this.#options.hasher, key, record);
    if (value === undefined) throw new StateDamage("entry", key);
    return value;
  }

  /** Entries with `from ≤ key < to`, ascending; `to` undefined means to the end. @throws StateDamage */
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    const { state, local, seq, kept, hasher } = this.#options;
    invariant(kept.rootOf(seq) !== undefined, "state-tree.snapshot-dropped", { seq });
    const streams: Iterable<readonly [Uint8Array, Uint8Array]>[] = [];
    for (const checkpoint of kept.withUndo)
      if (checkpoint >= seq) streams.push(undoneIn(local, undoneEntries(checkpoint, from, to)));
    streams.push(state.range(from, to));
    for (const [key, record] of overlaidEntries(streams)) {
      // Nothing stood there then.
      if (record.length === 0) continue;
      const value = unsealed(hasher, key, record);
      if (value === undefined) throw new StateDamage("entry", key);
      yield [key, value];
    }
  }

  /** The value of a key whose leaf is in a bucket at an index. @throws StateDamage if there is none, or another one. */
  valueIn(bucket: Uint8Array, index: number, key: Uint8Array): Uint8Array {
    const current = this.#options.state.get(key);
    const digestAt = digestPlace(index);
    // What has the digest is what was there, whatever happened since: most entries have no undo record to be looked for.
    const value =
      this.#provenValue(key, current, bucket, digestAt) ??
      this.#provenValue(
        key,
        this.#before(UNDO_OF.entry, key, () => current),
        bucket,
        digestAt,
      );
    if (value === undefined) throw new StateDamage("entry", key);
    return value;
  }

  /** The digest that the entry of a key says it has, unchecked. @throws StateDamage for bytes that are too few for one. */
  digestOf(key: Uint8Array): Digest | undefined {
    const record = this.#record(key);
    if (record === undefined) return undefined;
    if (record.length < DIGEST_BYTES) throw new StateDamage("entry", key);
    return digestOfSealed(record);
  }

  /** Shows what there is at a key, or that nothing is: see `isProven`. @throws StateDamage */
  prove(key: Uint8Array): StateProof {
    const { hasher, partOf } = this.#options;
    return proofOf(hasher, this, pathOf(hasher, partOf(key), key));
  }

  /** The page at a prefix, unchecked: whoever reads it has the digest that it must have. */
  page(prefix: Uint8Array): Uint8Array | undefined {
    return this.#before(UNDO_OF.page, prefix, () => this.#options.local.get(pageKey(prefix)));
  }

  /** The page at a prefix. @throws StateDamage unless it has this digest. */
  pageOf(prefix: Uint8Array, digest: Digest): Uint8Array {
    const { hasher, local } = this.#options;
    const current = local.get(pageKey(prefix));
    if (current !== undefined && pageDigest(hasher, current) === digest) return current;
    const page = this.#before(UNDO_OF.page, prefix, () => undefined);
    if (page === undefined || pageDigest(hasher, page) !== digest) throw new StateDamage("page", prefix);
    return page;
  }

  /** All pages from the root down, a page before what is below it. @throws StateDamage for one that is not what its parent says. */
  *pages(prefix: Uint8Array = ROOT_PREFIX, digest: Digest = this.root): Generator<Uint8Array> {
    const page = this.pageOf(prefix, digest);
    yield page;
    if (isBucket(page)) return;
    for (let child = 0; child < CHILDREN; child++) {
      const below = childDigest(page, child);
      if (below !== undefined) yield* this.pages(childPrefix(prefix, child), below);
    }
  }

  #provenValue(
    key: Uint8Array,
    record: Uint8Array | undefined,
    bucket: Uint8Array,
    digestAt: number,
  ): Uint8Array | undefined {
    if (record === undefined || record.length < DIGEST_BYTES) return undefined;
    if (!areSame(record, 0, bucket, digestAt, DIGEST_BYTES)) return undefined;
    return unsealed(this.#options.hasher, key, record);
  }

  #record(key: Uint8Array): Uint8Array | undefined {
    return this.#before(UNDO_OF.entry, key, () => this.#options.state.get(key));
  }

  #before(of: UndoOf, key: Uint8Array, current: () => Uint8Array | undefined): Uint8Array | undefined {
    const { local, seq, kept } = this.#options;
    invariant(kept.rootOf(seq) !== undefined, "state-tree.snapshot-dropped", { seq });
    for (const checkpoint of kept.withUndo) {
      if (checkpoint < seq) continue;
      const undone = local.get(undoKey(checkpoint, of, key));
      if (undone !== undefined) return undone.length === 0 ? undefined : undone;
    }
    return current();
  }
}

function* undoneIn(
  local: OrderedReader,
  [first, end]: readonly [Uint8Array, Uint8Array],
): Generator<readonly [Uint8Array, Uint8Array]> {
  for (const [undo, record] of local.range(first, end)) yield [subjectOf(undo).key, record];
}
