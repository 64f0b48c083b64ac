import type { CommittedEntry, PublicKey, Request } from "@quorate/protocol";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/** A checkpoint that was ordered at a number that is no multiple of K became stable at a correct replica. */
export const ORDERED_CHECKPOINT_STABLE = "checkpoint: ordered one stable between multiples of K";

/** K, and whose orders count. */
export interface CheckpointRules {
  readonly interval: number;
  readonly permitted: ReadonlySet<PublicKey>;
}

/**
 * Checkpoints are where a reader of the history alone says: at each multiple of K, and where an admin or a member ordered
 * one above a number above which there was none yet, a quarter of K or more above the last; and at all replicas alike.
 */
export class CheckpointsChecker implements Checker {
  readonly #rules: CheckpointRules;
  readonly #executed = new Map<number, boolean>();
  readonly #mark: (name: string) => void;

  constructor(rules: CheckpointRules, mark: (name: string) => void) {
    this.#rules = rules;
    this.#mark = mark;
  }

  onExecuted({ replica, seq, isCheckpoint }: ExecutionStep): void {
    const first = this.#executed.get(seq) ?? isCheckpoint;
    demand(first === isCheckpoint, "checkpoints.differ", { replica, seq, isCheckpoint });
    this.#executed.set(seq, isCheckpoint);
  }

  onStable(replica: number, seq: number): void {
    demand(this.#executed.get(seq) === true, "checkpoints.stable-without", { replica, seq });
    if (seq % this.#rules.interval !== 0) this.#mark(ORDERED_CHECKPOINT_STABLE);
  }

  atEnd({ history }: Ending): void {
    let last = 0;
    for (const { batch, certificate } of history) {
      const { seq } = certificate;
      const isDue = seq % this.#rules.interval === 0 || this.#isOrdered(batch.requests, seq, last);
      const isCheckpoint = this.#executed.get(seq) ?? false;
      demand(isCheckpoint === isDue, "checkpoints.due", { seq, last, isDue, isCheckpoint });
      if (isDue) last = seq;
    }
  }

  #isOrdered(requests: CommittedEntry["batch"]["requests"], seq: number, last: number): boolean {
    return (seq - last) * 4 >= this.#rules.interval && requests.some((request) => this.#counts(request, seq, last));
  }

  #counts(request: Request, seq: number, last: number): boolean {
    if (request.type !== "checkpoint" || request.epoch !== 0 || !this.#rules.permitted.has(request.client))
      return false;
    return last <= request.above && request.above < seq;
  }
}
