import type { ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Agreement: no two correct replicas execute different batches at one number, nor the same one after another history;
 * and each executes the numbers in order, without gaps, going back only by a crash.
 */
export class AgreementChecker implements Checker {
  readonly #decided = new Map<number, Pick<ExecutionStep, "batchDigest" | "historyDigest">>();
  readonly #executed = new Map<ReplicaId, number>();

  onRecovered(replica: ReplicaId, { executed }: ReplicaStatus): void {
    const before = this.#executed.get(replica) ?? 0;
    demand(executed <= before, "agreement.recovered-ahead", { replica, executed, before });
    this.#executed.set(replica, executed);
  }

  onExecuted({ replica, seq, batchDigest, historyDigest }: ExecutionStep): void {
    const before = this.#executed.get(replica) ?? 0;
    demand(seq === before + 1, "agreement.order", { replica, seq, before });
    this.#executed.set(replica, seq);
    const decided = this.#decided.get(seq);
    if (decided === undefined) {
      this.#decided.set(seq, { batchDigest, historyDigest });
      return;
    }
    demand(decided.batchDigest === batchDigest, "agreement.batch", { replica, seq, batchDigest, decided });
    demand(decided.historyDigest === historyDigest, "agreement.history", { replica, seq, historyDigest, decided });
  }

  atEnd({ replicas }: Ending): void {
    for (const { id, status, historyDigest } of replicas) {
      demand(status.executed === this.#decided.size, "agreement.end", { id, executed: status.executed });
      demand(historyDigest === this.#decided.get(status.executed)?.historyDigest, "agreement.end-history", { id });
    }
  }
}
