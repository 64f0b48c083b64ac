import type { Contradiction, Divergence, ReplicaId } from "@quorate/protocol";
import type { Logger } from "pino";
import type { QuarantineStatus } from "./quarantine.ts";

const DIVERGENCE_LOG_MS = 60_000;

/** What the log says of members that contradict each other (protocol rule 9.5). */
export class AuditLog {
  readonly #log: Logger;
  /** When it was last said of each peer that it is wrong. */
  readonly #divergenceLoggedMs = new Map<ReplicaId, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** However often one is found to be wrong, it is said once in a while. */
  onDivergence({ from, part, seq, own, theirs }: Divergence): void {
    const nowMs = performance.now();
    if (nowMs - (this.#divergenceLoggedMs.get(from) ?? -DIVERGENCE_LOG_MS) < DIVERGENCE_LOG_MS) return;
    this.#divergenceLoggedMs.set(from, nowMs);
    this.#log.error({ from, part, seq, own, theirs }, "divergence: this peer is wrong, others agree with us");
  }

  onQuarantined(contradiction: Contradiction, { attempt, isGivenUp }: QuarantineStatus): void {
    const contradicted =
      contradiction.by === "certificate"
        ? `state at ${contradiction.seq}, by a quorum`
        : contradiction.divergences.map(({ from, part, seq }) => `${part} at ${seq}, by replica ${from}`).join("; ");
    this.#log.error({ contradicted, attempt }, "quarantined: others contradict this replica, which says nothing more");
    if (isGivenUp)
      this.#log.error(
        "given up: each repair was followed by the next divergence; the service or the machine is at fault",
      );
    else if (attempt > 1)
      this.#log.warn({ attempt }, "it was repaired before, and is wrong again: the service may not be deterministic");
  }
}
