import {
  type CheckpointCertificate,
  type Digest,
  nextSequenceNumber,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedCommittedEntry,
} from "@quorate/protocol";
import { Executor, type OwnCheckpoint } from "@quorate/state-machine";
import { StateDamage } from "@quorate/state-tree";
import { StorageError } from "@quorate/storage";
import type { Departure } from "./departure.ts";
import { RecoveryError, readHistoryEntry } from "./disk-recovery.ts";
import type { HostOptions } from "./host-options.ts";
import { readQuarantine } from "./quarantine-record.ts";

export interface CatchUpOptions extends HostOptions {
  /** How far the votes have come, and the stable checkpoint they rest on. */
  readonly votes: () => { readonly executed: SequenceNumber; readonly stable: CheckpointCertificate };
  /** More is executed here: the votes may go on up to `votesMax`. It may be stopped by what comes of that. */
  readonly onProgress: () => void;
  readonly onEnd: (end: CatchUpEnd) => void;
  /** It cannot go on: nothing happens afterwards. */
  readonly onFatal: (error: Error) => void;
}

/** What it came to. Nothing happens afterwards. */
export type CatchUpEnd =
  /** All that was ordered is executed. */
  | { readonly type: "level" }
  /** The history has lost what comes next, or that is damaged: only the state that the votes rest on helps, or a later one. */
  | { readonly type: "gap"; readonly damage: Error | undefined }
  /**
   * What comes next is damaged, above all that the votes rest on. No promise rests on it, for the log has those: it is like what a
   * crash took before it was durable, and comes from the others.
   */
  | { readonly type: "cut-short" }
  | { readonly type: "damaged"; readonly damage: StateDamage }
  /** A quorum vouches for another state than the one it has come to: nothing of this has been said to anyone. */
  | { readonly type: "contradicted"; readonly quarantine: NonNullable<Departure["quarantine"]> };

/** How many batches are executed in a row, and for how long: votes come in between. */
const BATCHES_MAX = 16;
const TURN_MS = 10;
/** While so many batches are executed the votes may decide one: however much is ordered, the distance shrinks. */
const EXECUTED_PER_VOTE = 2;

/**
 * Executes what was ordered while the state was brought here, while the replica votes on (protocol rule 10.2): what the votes
 * decided is in the history, and what it decides meanwhile comes behind it.
 */
export class CatchUp {
  readonly #o: CatchUpOptions;
  readonly #executor: Executor;
  /** Where it stood when it began, and the votes. */
  #began: { readonly executed: SequenceNumber; readonly voted: SequenceNumber } | undefined;
  #isOver = false;

  /** @throws what `Executor` throws. */
  constructor(options: CatchUpOptions) {
    this.#o = options;
    const silentUpTo = readQuarantine(options.store.local)?.statementsUpTo;
    this.#executor = new Executor({ ...options, signsIn: options.epochs.epoch, silentUpTo });
  }

  get executed(): SequenceNumber {
    return this.#executor.executed;
  }
  get digests(): { readonly stateRoot: Digest; readonly historyDigest: Digest } {
    return { stateRoot: this.#executor.stateRoot(), historyDigest: this.#executor.historyDigest };
  }

  /**
   * How far the votes may go meanwhile: a window, and half as far again as is executed. So it gets level, and the history in
   * between grows by no more than that window; under a load that this replica cannot follow it votes more slowly meanwhile.
   */
  get votesMax(): number {
    if (this.#began === undefined) return Number.POSITIVE_INFINITY;
    const { executed, voted } = this.#began;
    return voted + this.#o.epochs.configuration.windowSize + Math.floor((this.executed - executed) / EXECUTED_PER_VOTE);
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    this.#began = { executed: this.executed, voted: this.#o.votes().executed };
    this.#later();
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#isOver = true;
    this.#o.ports.cancelTimer("install");
  }

  #later(): void {
    this.#o.ports.startTimer("install", 0, () => {
      if (this.#isOver) return;
      try {
        this.#turn();
      } catch (error) {
        if (error instanceof StateDamage) return this.#end({ type: "damaged", damage: error });
        this.#isOver = true;
        this.#o.onFatal(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #turn(): void {
    const { ports } = this.#o;
    const startedMs = ports.monotonicMs();
    for (let batch = 0; batch < BATCHES_MAX && ports.monotonicMs() - startedMs < TURN_MS; batch++) {
      if (this.executed >= this.#o.votes().executed) return this.#end(this.#atTheEnd());
      const entry = this.#entryAt(nextSequenceNumber(this.executed));
      if (entry === undefined) return this.#end({ type: "gap", damage: undefined });
      if (entry instanceof Error) return this.#end(this.#atDamage(entry));
      const quarantine = this.#execute(entry);
      if (quarantine !== undefined) return this.#end({ type: "contradicted", quarantine });
    }
    this.#o.onProgress();
    if (!this.#isOver) this.#later();
  }

  /** What the votes rest on may have become certified after it was executed here: nobody compares it later. */
  #atTheEnd(): CatchUpEnd {
    const { seq } = this.#o.votes().stable;
    const root = this.#executor.checkpointRoot(seq);
    const quarantine = root === undefined ? undefined : this.#contradictionAt({ seq, stateRoot: root });
    if (quarantine !== undefined) return { type: "contradicted", quarantine };
    const damage = this.#damageAbove();
    if (damage === undefined) return { type: "level" };
    this.#o.observer.onHistoryDamaged?.(damage);
    return { type: "cut-short" };
  }

  #atDamage(damage: RecoveryError | StorageError): CatchUpEnd {
    if (this.executed >= this.#o.votes().stable.seq) return this.#atTheEnd();
    this.#o.observer.onHistoryDamaged?.(damage);
    return { type: "gap", damage };
  }

  /** The next host reads what is above, too: no more than a window, which the votes were held back from. */
  #damageAbove(): RecoveryError | StorageError | undefined {
    for (let seq = nextSequenceNumber(this.executed); ; seq = nextSequenceNumber(seq)) {
      const entry = this.#entryAt(seq);
      if (entry === undefined) return undefined;
      if (entry instanceof Error) return entry;
    }
  }

  /** @returns undefined if it is not there, and why, if it is not what was written. */
  #entryAt(seq: SequenceNumber): VerifiedCommittedEntry | RecoveryError | StorageError | undefined {
    const { store, codec, verifier, epochs } = this.#o;
    try {
      return readHistoryEntry(store, codec, verifier, epochs, seq);
    } catch (error) {
      if (error instanceof RecoveryError) return error;
      if (error instanceof StorageError && error.code === "storage.damaged") return error;
      throw error;
    }
  }

  /** @returns what is wrong with the state, as far as certificates say. */
  #execute({ certificate: { seq }, batch }: VerifiedCommittedEntry): Departure["quarantine"] {
    const execution = this.#executor.execute(seq, batch);
    const { historyDigest, changes, progress, checkpoint } = execution;
    const { observer } = this.#o;
    observer.onExecuted?.({
      seq,
      batchDigest: batch.digest,
      historyDigest,
      requests: batch.requests.length,
      sessionsEvicted: progress.evicted.length,
      isCheckpoint: checkpoint !== undefined,
    });
    if (changes.length > 0) observer.onChanges?.(changes);
    return checkpoint && this.#contradictionAt(checkpoint);
  }

  /** Of the checkpoints that it passes the last two are kept, as always; the one with a certificate must have its root. */
  #contradictionAt({ seq, stateRoot: own }: OwnCheckpoint): Departure["quarantine"] {
    const { stable } = this.#o.votes();
    if (seq <= stable.seq) this.#executor.collect(seq, seq);
    if (seq !== stable.seq || own === stable.stateRoot) return undefined;
    const contradiction = { by: "certificate", seq, own, certified: stable.stateRoot } as const;
    // See `Replica`: the host that votes has the window.
    const statementsUpTo = sequenceNumber(
      Math.max(this.executed, stable.seq + this.#o.epochs.configuration.windowSize),
    );
    return { contradiction, upTo: this.executed, statementsUpTo, lastCheckpoint: seq };
  }

  #end(end: CatchUpEnd): void {
    this.#isOver = true;
    this.#o.onEnd(end);
  }
}
