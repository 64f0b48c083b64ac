import { accusedOf, type Evidence, type ReplicaId } from "@quorate/protocol";
import { type Checker, demand } from "./checker.ts";

/**
 * Honest evidence: what a correct replica keeps convinces anyone who has the genesis document. That it never names a
 * correct replica is `PromisesChecker`'s to see.
 */
export class EvidenceChecker implements Checker {
  readonly #verify: (evidence: Evidence) => boolean;

  /** @param verify with nothing but the genesis document. */
  constructor(verify: (evidence: Evidence) => boolean) {
    this.#verify = verify;
  }

  onEvidence(by: ReplicaId, evidence: Evidence): void {
    demand(this.#verify(evidence), "evidence.convinces-nobody", { by, accused: accusedOf(evidence), evidence });
  }
}
