import { type CheckpointCertificate, InvariantViolation, type SequenceNumber } from "@quorate/protocol";
import type { Replica } from "@quorate/replica";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { DeferredExecution } from "./deferred-execution.ts";
import type { HostState } from "./host-state.ts";
import type { HostObserver } from "./ports.ts";

export interface AbsentStateOptions {
  /** What the log calls stable. */
  readonly stable: CheckpointCertificate;
  /** See `HostState.activation`. */
  readonly activation: SequenceNumber | undefined;
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
  readonly pendingChange = undefined;
  readonly stateDigests = undefined;
  readonly scrubbed = 0;
  readonly takesRequests = false;
  readonly activation: SequenceNumber | undefined;
  readonly #o: AbsentStateOptions;
  /** See `onVotes`. */
  #raisedTo: SequenceNumber | undefined;

  constructor(options: AbsentStateOptions) {
    this.#o = options;
    this.execution = new DeferredExecution(options.stable);
    this.activation = options.activation;
  }

  epochLink(): never {
    // Votes stay below: see `onVotes`.
    throw new InvariantViolation("host.activation-without-state", { activation: this.activation });
  }

  audited(): undefined {
    return undefined;
  }
  serve(): void {
    // That it has none says nothing of what the others keep.
  }
  read(): boolean {
    return false;
  }
  pinned(): readonly SequenceNumber[] {
    return [];
  }
  openBackup(): undefined {
    return undefined;
  }

  /**
   * A later checkpoint is certified: votes rest on that one as soon as all batches below it are in the history, durably, from
   * where they are executed later (protocol rule 9.1, s). But not above a batch that may begin an epoch, nor on the end of this one:
   * what is ordered above h + L of a change is of the next epoch, and only execution says whether there is a change (protocol
   * rule 11.2).
   */
  onVotes({ certified, stable, executed }: Pick<Replica, "certified" | "stable" | "executed">): void {
    const { seq, stateRoot } = certified;
    if (seq <= stable.seq || seq > executed || seq === this.#raisedTo) return;
    if (!this.#isBelowAnyChange(seq)) return;
    this.#raisedTo = seq;
    this.#o.makeDurable({ seq, stateRoot });
  }

  #isBelowAnyChange(seq: SequenceNumber): boolean {
    const { firstChange } = this.execution;
    const isBelowEnd = this.activation === undefined || seq < this.activation;
    return isBelowEnd && (firstChange === undefined || seq < firstChange);
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
