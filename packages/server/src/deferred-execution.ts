import {
  type CheckpointCertificate,
  type DigestedCertifiedBatch,
  invariant,
  type RequestStanding,
  type SequenceNumber,
} from "@quorate/protocol";
import type { OwnCheckpoint } from "@quorate/state-machine";
import type { HostExecuted, HostExecution } from "./host-execution.ts";
import { mayBeginEpoch } from "./noted-changes.ts";

/** What it cannot say of any request without the sessions of its moment. */
const UNKNOWN: RequestStanding = { type: "refusable" };

/**
 * Execution of a replica whose state is not here yet (protocol rule 10.2). Decided batches are in the history, where `CatchUp`
 * finds them once the state is; here they only count. So nothing is answered, no statement and no CHECKPOINT is signed, and
 * no state given to anyone.
 */
export class DeferredExecution implements HostExecution {
  readonly #stable: CheckpointCertificate;
  #executed: SequenceNumber;
  #firstChange: SequenceNumber | undefined;

  /** @param stable what the log calls stable: all below it is in the state that is being brought, or will be executed on top of it. */
  constructor(stable: CheckpointCertificate) {
    this.#stable = stable;
    this.#executed = stable.seq;
  }

  /** The last number that was put off. */
  get executed(): SequenceNumber {
    return this.#executed;
  }
  get lastCheckpoint(): OwnCheckpoint {
    const { seq, stateRoot } = this.#stable;
    return { seq, stateRoot };
  }

  /** The first batch that was put off and may begin an epoch. */
  get firstChange(): SequenceNumber | undefined {
    return this.#firstChange;
  }

  execute(seq: SequenceNumber, { batch }: DigestedCertifiedBatch): HostExecuted {
    invariant(seq === this.#executed + 1, "deferred-execution.order", { seq, executed: this.#executed });
    this.#executed = seq;
    if (mayBeginEpoch(batch)) this.#firstChange ??= seq;
    const progress = { answered: [], sessions: [], evicted: [], lastCheckpoint: this.#stable.seq };
    return {
      replies: [],
      progress,
      checkpoint: undefined,
      historyDigest: undefined,
      executionDigest: undefined,
      activation: undefined,
      changes: [],
    };
  }

  standing(): RequestStanding {
    return UNKNOWN;
  }
  isAdmitted(): boolean {
    // Without the state that is for the others to say.
    return true;
  }
  replyTo(): undefined {
    return undefined;
  }
  collect(): void {
    // What the state holds is for those who bring it here.
  }
}
