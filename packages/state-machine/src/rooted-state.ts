import {
  type Change,
  type ClusterId,
  type Digest,
  type Genesis,
  type Hasher,
  invariant,
  type OrderedReader,
  type PublicKey,
  type SequenceNumber,
  sequenceNumber,
} from "@quorate/protocol";
import {
  type ScrubBudget,
  type ScrubSlice,
  type Snapshot,
  StateDamage,
  StateScrub,
  StateTree,
  type TidyLimits,
} from "@quorate/state-tree";
import type { ExecutionStore } from "./execution-store.ts";
import { genesisEntries, genesisProgress, stateRootOf } from "./genesis-state.ts";
import type { Overlay } from "./overlay.ts";
import { decodeProgress, type Progress } from "./records.ts";
import { nonceKey, PROGRESS_KEY, partOf } from "./state-keys.ts";

/** The stored state cannot be gone on from. */
export class StateError extends Error {
  readonly code: "state.foreign-cluster" | "state.damaged" | "state.missing";

  constructor(code: StateError["code"], message: string) {
    super(message);
    this.name = "StateError";
    this.code = code;
  }
}

/** The own state at a checkpoint's number. */
export interface OwnCheckpoint {
  readonly seq: SequenceNumber;
  readonly stateRoot: Digest;
}

const EVERYTHING = new Uint8Array(0);
/**
 * The tree is given the changes of several batches at once, which saves writing a page several times, but no more than about
 * so many: a batch waits for that. At some 10 to 20 µs each a quarter of a second at most, where a view change begins after
 * seconds.
 */
const ABSORBED_CHANGES = 16_384;
/**
 * Undo records of dropped checkpoints that are removed with a batch, and so many more for each of its changes: a change adds
 * two or three, so they come to an end.
 */
const TIDIED_RECORDS = 8_192;
const TIDIED_RECORDS_PER_CHANGE = 4;
/** Of them, those that an older checkpoint needs, which is being fetched: 12 to 20 µs each on LMDB. */
const HANDED_DOWN_RECORDS = 1_024;
/** The same in bytes, for values are up to a thousand times as long as a key; and as many more as a batch adds. */
const TIDIED_BYTES: number = 4 * 1024 * 1024;

export interface RootedStateOptions {
  readonly store: ExecutionStore;
  readonly hasher: Hasher;
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
}

/** The replicated state with its tree: every write goes through here, so that the two never part. */
export class RootedState {
  readonly #o: RootedStateOptions;
  readonly #tree: StateTree;
  readonly #scrub: StateScrub;
  /** Until something is written. */
  #root: Digest | undefined;

  constructor(options: RootedStateOptions) {
    this.#o = options;
    const { store, hasher } = options;
    this.#tree = new StateTree({ state: store.state, local: store.local, hasher, partOf });
    this.#scrub = new StateScrub();
  }

  /** Reads, each checked against its leaf. They throw a `StateDamage`. */
  get reader(): OrderedReader {
    return this.#tree;
  }

  /**
   * Reads how far execution has come; an empty store is given the genesis state, which is its first checkpoint, unless that
   * is the state of a backup.
   *
   * @throws StateError
   */
  open(): Progress {
    const { store, cluster } = this.#o;
    const { last } = this.#tree;
    if (last === undefined && isEmpty(store.state.range(EVERYTHING, undefined))) return this.#writeGenesis();
    const bytes = orDamaged(() => this.#tree.get(PROGRESS_KEY));
    if (bytes === undefined || last === undefined)
      throw new StateError(
        "state.damaged",
        "the replicated state is there in part only: expected its progress record and a checkpoint of its tree",
      );
    const progress = decodeProgress(bytes);
    if (progress.cluster !== cluster)
      throw new StateError(
        "state.foreign-cluster",
        `the stored state belongs to cluster ${progress.cluster}, this replica to ${cluster}; use another data folder`,
      );
    return progress;
  }

  /**
   * Writes what an overlay changed and `local` as one group; if the batch that it executed is a checkpoint, with the tree
   * as of it. What is to be done for checkpoints before and after is done in parts, a bounded one with each batch.
   */
  write(overlay: Overlay, local: readonly Change[], checkpoint: SequenceNumber | undefined): void {
    const changed = this.#tree.change(overlay.netChanges());
    // Twice what a large batch brings: else it would grow until the checkpoint.
    const absorbedMax = Math.max(ABSORBED_CHANGES, 2 * changed.state.length);
    const pages =
      checkpoint === undefined
        ? this.#tree.absorb(ABSORBED_CHANGES, absorbedMax)
        : this.#tree.checkpoint(checkpoint).local;
    const tidied = this.#tree.tidied(tidyLimits(changed.state.length, bytesOf(changed.local) + bytesOf(pages)));
    this.#o.store.writeAtomically({ state: changed.state, local: [...local, ...changed.local, ...pages, ...tidied] });
    this.#root = undefined;
  }

  /** The last checkpoint that execution came to, whether it is stable or not; that of genesis has number 0. */
  get lastCheckpoint(): OwnCheckpoint {
    const { last } = this.#tree;
    invariant(last !== undefined, "state.no-checkpoint");
    return { seq: last.seq, stateRoot: this.#rootOf(last.root) };
  }

  /** The root that a checkpoint would have now. Costs what changed since the last one. */
  root(): Digest {
    this.#root ??= this.#rootOf(this.#tree.rootNow());
    return this.#root;
  }

  /** The root at a checkpoint that is kept. */
  rootAt(seq: SequenceNumber): Digest | undefined {
    const kept = this.#tree.kept.find((checkpoint) => checkpoint.seq === seq);
    return kept && this.#rootOf(kept.root);
  }

  /** The state at a checkpoint that is kept. */
  at(seq: SequenceNumber): Snapshot | undefined {
    return this.#tree.at(seq);
  }

  /**
   * Forgets the checkpoints below the stable one, but the last of them and those that are `pinned`. What they leave is
   * removed with this batch and the next ones.
   */
  collectCheckpoints(stable: SequenceNumber, pinned: readonly SequenceNumber[]): void {
    const older = this.#tree.kept.filter(({ seq }) => seq < stable).slice(0, -1);
    const dropped = older.filter(({ seq }) => !pinned.includes(seq)).map(({ seq }) => this.#tree.drop(seq));
    const local = [...dropped, ...this.#tree.tidied(tidyLimits(0, 0))];
    if (local.length > 0) this.#o.store.writeAtomically({ state: [], local });
  }

  /** Whether the tree is that of all entries, and each of them what was written. Reads everything, and holds little of it. */
  verify(): boolean {
    try {
      return this.#tree.verify();
    } catch (error) {
      if (error instanceof StateDamage) return false;
      throw error;
    }
  }

  /** See `StateScrub.slice`. */
  scrub(budget: ScrubBudget): ScrubSlice {
    return this.#scrub.slice(this.#tree, budget);
  }

  /** See `StateScrub.position`. */
  get scrubbed(): number {
    return this.#scrub.position;
  }

  isNonceRemembered(client: PublicKey, nonce: Digest): boolean {
    return this.#tree.get(nonceKey(client, nonce)) !== undefined;
  }

  #writeGenesis(): Progress {
    const { store, genesis, cluster } = this.#o;
    if (genesis.restored !== undefined)
      throw new StateError(
        "state.missing",
        `the state that cluster ${cluster} started from is not here: \`quorate init --backup\` puts it there, or the others' replicas give it`,
      );
    const changed = this.#tree.change(genesisEntries(genesis, cluster));
    const { local } = this.#tree.checkpoint(sequenceNumber(0));
    store.writeAtomically({ state: changed.state, local: [...changed.local, ...local] });
    return genesisProgress(genesis, cluster);
  }

  #rootOf(treeRoot: Digest): Digest {
    return stateRootOf(this.#o.hasher, this.#o.cluster, treeRoot);
  }
}

/** With a batch of so many changes that writes so many bytes beside them. */
function tidyLimits(changes: number, bytes: number): TidyLimits {
  const more = TIDIED_RECORDS_PER_CHANGE * changes;
  return { records: TIDIED_RECORDS + more, handedDown: HANDED_DOWN_RECORDS + more, bytes: TIDIED_BYTES + bytes };
}

function bytesOf(changes: readonly Change[]): number {
  let bytes = 0;
  for (const { key, value } of changes) bytes += key.length + (value?.length ?? 0);
  return bytes;
}

function isEmpty(entries: Iterable<unknown>): boolean {
  for (const _ of entries) return false;
  return true;
}

function orDamaged<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StateDamage)) throw error;
    throw new StateError("state.damaged", error.message);
  }
}
