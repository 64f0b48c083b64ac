import type { CheckpointCertificate, SequenceNumber } from "@quorate/protocol";
import type { Replica } from "@quorate/replica";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { DeferredExecution } from "./deferred-execution.ts";
import type { HostState } from "./host-state.ts";
import type { HostObserver } from "./ports.ts";

export interface AbsentStateOptions {
  /** What the log calls stable. */
  readonly stable: CheckpointCertificate;
  readonly observer: Pick<HostObserver, "onVoting">;
  /** Makes what was written up to here durable, and tells the replica. */
  readonly makeDurable: (checkpoint: OwnCheckpoint) => void;
}

/**
 * The state of a host that votes while it is brought here (protocol rule 10.2): it gives nothing to anyone, answers no client,
 * and says nothing of what the others keep.
 */
export class AbsentState implements HostState {
  readonly execution: DeferredExecution;
  readonly digests = undefined;
  readonly stateDigests = undefined;
  readonly scrubbed = 0;
  readonly takesRequests = false;
  readonly #o: AbsentStateOptions;
  /** See `onVotes`. */
  #raisedTo: SequenceNumber | undefined;

  constructor(options: AbsentStateOptions) {
    this.#o = options;
    this.execution = new DeferredExecution(options.stable);
  }

  audited(): undefined {
    return undefined;
  }
  serve(): void {
    // That it has none says nothing of what the others keep.
  }
  pinned(): readonly SequenceNumber[] {
    return [];
  }
  openBackup(): undefined {
    return undefined;
  }

  /**
   * A later checkpoint is certified: votes rest on that one as soon as all batches below it are in the history, durably, from
   * where they are executed later (protocol rule 9.1, s). Members cannot change yet: those of the certificate's epoch are
   * those of genesis.
   */
  onVotes({ certified, stable, executed }: Pick<Replica, "certified" | "stable" | "executed">): void {
    const { seq, stateRoot } = certified;
    if (seq <= stable.seq || seq > executed || seq === this.#raisedTo) return;
    this.#raisedTo = seq;
    this.#o.makeDurable({ seq, stateRoot });
  }

  onStable(seq: SequenceNumber): void {
    this.#o.observer.onVoting?.(seq);
  }
  start(): void {
    // Nothing here is to be looked through.
  }
  stop(): void {
    // Nothing is sent.
  }
}
