import { type Batch, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import type { Executor, OwnCheckpoint } from "@quorate/state-machine";
import type { ReplicaStore } from "@quorate/storage";
import type { AwaitedState } from "./awaited-state.ts";
import { forgetChanges, mayBeginEpoch, noteChange } from "./noted-changes.ts";

export interface DurableStateOptions {
  readonly store: ReplicaStore;
  readonly executor: Pick<Executor, "lastCheckpoint" | "collect">;
  /** The state that is being brought here, or is behind the votes; undefined when it is neither. */
  readonly awaited?: Pick<AwaitedState, "executed"> | undefined;
  /** K. */
  readonly checkpointInterval: number;
  /** Checkpoints that others fetch, which are kept although they are old. */
  readonly pinned: () => readonly SequenceNumber[];
  /** The flush for `own` is done, or failed: then the disk is. */
  readonly onFlushed: (own: OwnCheckpoint, failure: Error | undefined) => void;
}

/**
 * Bytes of history from which on it is trimmed although it will be needed when the state has come: the state of a later checkpoint
 * is fetched then.
 */
const AWAITED_HISTORY_BYTES_MAX = 1024 * 1024 * 1024;

/** The state at checkpoints, on the disk: durable before it is voted for, and cut below what is stable. */
export class DurableState {
  readonly #options: DurableStateOptions;
  /** What may go of the history, if it is too long: below here. */
  #trimBelow = sequenceNumber(0);

  constructor(options: DurableStateOptions) {
    this.#options = options;
  }

  /**
   * A CHECKPOINT is signed only when the own state and history at its number are durable (protocol rule 8.3): the flush
   * covers both domains of the store.
   */
  makeDurable(own: OwnCheckpoint): void {
    const { store, onFlushed } = this.#options;
    store.flush((failure) => onFlushed(own, failure));
  }

  /**
   * A restart between a checkpoint and its certificate: the vote is cast again, the same bytes (protocol rule 8.2). The tree
   * says what the root was, however far execution has come since.
   *
   * @returns what is durable, and above h, and to be voted for again.
   */
  revoteLast(lowWatermark: SequenceNumber): OwnCheckpoint | undefined {
    const last = this.#options.executor.lastCheckpoint;
    return last.seq > lowWatermark ? last : undefined;
  }

  /**
   * Statements are kept for K numbers longer, which reach down to the checkpoint before, or further where some were
   * ordered. A backup that had dropped one, while the primary, a checkpoint behind, answers by it still, would wait for the
   * primary to order the request again, and leave the view alone for it. What was ordered since a state that is being brought
   * here stays in the history, for it is executed when that has come; until then.
   *
   * @returns the stable number, below which nothing else is kept.
   */
  cut(upTo: SequenceNumber): SequenceNumber {
    const { store, executor, awaited, checkpointInterval, pinned } = this.#options;
    store.log.cut(upTo);
    const stable = sequenceNumber(upTo + 1);
    if (awaited === undefined) forgetChanges(store.local, stable);
    this.#trimBelow = this.#neededFrom(stable);
    store.history.trim(this.#trimBelow);
    executor.collect(stable, sequenceNumber(Math.max(0, stable - checkpointInterval)), pinned());
    return stable;
  }

  /**
   * Puts a decided batch into the history. A part of what is too much of it goes with each one: all at once, after a state was
   * brought here, would be a long time in which nothing else happens.
   */
  archive(seq: SequenceNumber, entry: Uint8Array, batch: Batch): void {
    const { history, local } = this.#options.store;
    if (mayBeginEpoch(batch)) noteChange(local, seq);
    history.put(seq, entry);
    history.trim(this.#trimBelow);
  }

  #neededFrom(stable: SequenceNumber): SequenceNumber {
    const { store, awaited } = this.#options;
    if (awaited === undefined || store.history.bytes > AWAITED_HISTORY_BYTES_MAX) return stable;
    return sequenceNumber(Math.min(stable, (awaited.executed() ?? -1) + 1));
  }
}
