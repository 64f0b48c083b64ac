import type { ReplicaId } from "@quorate/protocol";
import { type Checker, demand } from "./checker.ts";

/** The audit accuses nobody who executes what all execute: not the slow, not those who were away, not the victims of liars. */
export class AuditChecker implements Checker {
  readonly #canDiverge: (replica: ReplicaId) => boolean;

  /** @param canDiverge who is faulty, or whose state a run makes wrong. */
  constructor(canDiverge: (replica: ReplicaId) => boolean) {
    this.#canDiverge = canDiverge;
  }

  onDivergence(by: ReplicaId, accused: ReplicaId): void {
    demand(this.#canDiverge(accused), "audit.false-accusation", { by, accused });
  }

  onQuarantined(replica: ReplicaId): void {
    demand(this.#canDiverge(replica), "audit.quarantined-without-cause", { replica });
  }
}
