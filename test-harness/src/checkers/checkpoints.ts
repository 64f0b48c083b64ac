import type { CommittedEntry, PublicKey, Request } from "@quorate/protocol";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/** A checkpoint that was ordered at a number that is no multiple of K became stable at a correct replica. */
export const ORDERED_CHECKPOINT_STABLE = "checkpoint: ordered one stable between multiples of K";

/** What counts at one number: K, the epoch, and whose orders count in it. */
export interface CheckpointRules {
  readonly epoch: number;
  readonly interval: number;
  readonly permitted: ReadonlySet<PublicKey>;
}

/**
 * Checkpoints are where a reader of the history alone says: at each multiple of K, and where an admin or a member ordered
 * one above a number above which there was none yet, a quarter of K or more above the last; and at all replicas alike.
 */
export class CheckpointsChecker implements Checker {
  readonly #rulesAt: (seq: number) => CheckpointRules;
  readonly #executed = new Map<number, boolean>();
  readonly #mark: (name: string) => void;

  constructor(rulesAt: (seq: number) => CheckpointRules, mark: (name: string) => void) {
    this.#rulesAt = rulesAt;
    this.#mark = mark;
  }

  onExecuted({ replica, seq, isCheckpoint }: ExecutionStep): void {
    const first = this.#executed.get(seq) ?? isCheckpoint;
    demand(first === isCheckpoint, "checkpoints.differ", { replica, seq, isCheckpoint });
    this.#executed.set(seq, isCheckpoint);
  }

  onStable(replica: number, seq: number): void {
    demand(this.#executed.get(seq) === true, "checkpoints.stable-without", { replica, seq });
    if (seq % this.#rulesAt(seq).interval !== 0) this.#mark(ORDERED_CHECKPOINT_STABLE);
  }

  atEnd({ history }: Ending): void {
    let last = 0;
    for (const { batch, certificate } of history) {
      const { seq } = certificate;
      const isDue = seq % this.#rulesAt(seq).interval === 0 || this.#isOrdered(batch.requests, seq, last);
      const isCheckpoint = this.#executed.get(seq) ?? false;
      demand(isCheckpoint === isDue, "checkpoints.due", { seq, last, isDue, isCheckpoint });
      if (isDue) last = seq;
    }
  }

  #isOrdered(requests: CommittedEntry["batch"]["requests"], seq: number, last: number): boolean {
    return (
      (seq - last) * 4 >= this.#rulesAt(seq).interval && requests.some((request) => this.#counts(request, seq, last))
    );
  }

  #counts(request: Request, seq: number, last: number): boolean {
    const { epoch, permitted } = this.#rulesAt(seq);
    if (request.type !== "checkpoint" || request.epoch !== epoch || !permitted.has(request.client)) return false;
    return last <= request.above && request.above < seq;
  }
}
