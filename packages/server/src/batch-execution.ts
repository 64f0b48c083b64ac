import type { Effect, PublicKey } from "@quorate/protocol";
import type { ReplicaEvent } from "@quorate/replica";
import type { ExecutedReply, OwnCheckpoint } from "@quorate/state-machine";
import type { HostExecution } from "./host-execution.ts";
import type { HostObserver } from "./ports.ts";

type Executed = Extract<ReplicaEvent, { type: "executed" }>;

export interface BatchExecutionOptions {
  readonly execution: HostExecution;
  readonly observer: Pick<HostObserver, "onExecuted" | "onChanges">;
  /** See `AwaitedState.votesMax`. */
  readonly votesMax: () => number;
  readonly reply: (client: PublicKey, executed: ExecutedReply) => void;
  readonly onCheckpoint: (own: OwnCheckpoint) => void;
  /** A batch counts as executed: the replica is to hear of it next. */
  readonly count: (event: Executed) => void;
}

/** What decided batches lead to, in order: replies, checkpoints, and that the replica hears of it. */
export class BatchExecution {
  readonly #o: BatchExecutionOptions;
  /**
   * What was put off beyond `votesMax`. Not counted as executed, it holds the window and the filling of gaps where they are, as a
   * slow disk does, so that it is bounded as that is.
   */
  readonly #putOff: Executed[] = [];

  constructor(options: BatchExecutionOptions) {
    this.#o = options;
  }

  execute({ seq, batch }: Extract<Effect, { type: "execute" }>): void {
    const { execution, observer, reply, onCheckpoint } = this.#o;
    const { replies, changes, historyDigest, executionDigest, progress, checkpoint, activation } = execution.execute(
      seq,
      batch,
    );
    if (historyDigest !== undefined)
      observer.onExecuted?.({
        seq,
        batchDigest: batch.digest,
        historyDigest,
        requests: batch.requests.length,
        sessionsEvicted: progress.evicted.length,
        isCheckpoint: checkpoint !== undefined,
      });
    if (changes.length > 0) observer.onChanges?.(changes);
    for (const { client, reply: executed } of replies) reply(client, executed);
    if (checkpoint !== undefined) onCheckpoint(checkpoint);
    this.#putOff.push({ type: "executed", seq, progress, executionDigest, activation });
    this.countExecuted();
  }

  /** Counts what was put off as executed, as far as the votes may go by now. */
  countExecuted(): void {
    const { votesMax, count } = this.#o;
    for (let next = this.#putOff[0]; next !== undefined && next.seq <= votesMax(); next = this.#putOff[0]) {
      this.#putOff.shift();
      count(next);
    }
  }
}
