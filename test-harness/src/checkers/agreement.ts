import type { ReplicaFrame, ReplicaId, Reply } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Agreement, in all views together: no two correct replicas execute different batches at one number, nor the same one after
 * another history, nor hold commit certificates of different batches for it, of whichever views; and each executes the numbers in order, without gaps, going back only by a crash.
 */
export class AgreementChecker implements Checker {
  readonly #decided = new Map<number, Pick<ExecutionStep, "batchDigest" | "historyDigest">>();
  readonly #certified = new Map<number, string>();
  readonly #executed = new Map<ReplicaId, number>();
  readonly #diverging = new Set<ReplicaId>();

  onRecovered(replica: ReplicaId, { executed }: ReplicaStatus): void {
    this.onCatchingUp(replica, executed);
  }

  onCatchingUp(replica: ReplicaId, executed: number): void {
    const before = this.#executed.get(replica) ?? 0;
    demand(executed <= before, "agreement.recovered-ahead", { replica, executed, before });
    this.#executed.set(replica, executed);
  }

  onTransferred(replica: ReplicaId, { executed }: ReplicaStatus, historyDigest: string): void {
    const decided = this.#decided.get(executed);
    // The state of genesis, where there was no checkpoint yet: nothing is decided below it.
    const isRight = executed === 0 || decided?.historyDigest === historyDigest;
    demand(isRight, "agreement.transferred", { replica, executed, historyDigest });
    this.#executed.set(replica, executed);
    this.#diverging.delete(replica);
  }

  onDiverging(replica: ReplicaId): void {
    this.#diverging.add(replica);
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

  onReply(from: ReplicaId, { statement: { seq } }: Reply): void {
    this.#demandExecuted(from, "statement", seq);
  }

  /** A certificate may come before anyone correct has executed its batch. */
  onSent(from: ReplicaId, frame: ReplicaFrame): void {
    if (frame.type === "signed" && frame.envelope.from === from && frame.envelope.message.type === "checkpoint")
      this.#demandExecuted(from, "checkpoint", frame.envelope.message.seq);
    if (frame.type !== "committed") return;
    const { seq, view, digest } = frame.entry.certificate;
    const before = this.#certified.get(seq) ?? digest;
    demand(before === digest, "agreement.certificates", { from, seq, view, digest, before });
    this.#certified.set(seq, digest);
    const executed = this.#decided.get(seq)?.batchDigest ?? digest;
    demand(executed === digest, "agreement.certificate-of-another", { from, seq, view, digest, executed });
  }

  /** What is said of a state rests on that state, and on nothing that is still to be brought (protocol rule 9.1). */
  #demandExecuted(from: ReplicaId, signed: string, seq: number): void {
    if (this.#diverging.has(from)) return;
    const executed = this.#executed.get(from) ?? 0;
    demand(seq <= executed, "agreement.signed-without-state", { from, signed, seq, executed });
  }

  atEnd({ replicas, history }: Ending): void {
    for (const { certificate } of history) {
      const { seq, view, digest } = certificate;
      demand(digest === this.#decided.get(seq)?.batchDigest, "agreement.history-of-another", { seq, view, digest });
    }
    for (const { id, status, historyDigest } of replicas) {
      demand(status.executed === this.#decided.size, "agreement.end", { id, executed: status.executed });
      demand(historyDigest === this.#decided.get(status.executed)?.historyDigest, "agreement.end-history", { id });
    }
  }
}
