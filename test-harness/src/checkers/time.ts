import type { ReplicaFrame, ReplicaId } from "@quorate/protocol";
import { type Checker, demand, type ExecutionStep } from "./checker.ts";

interface Proposed {
  readonly seq: number;
  readonly timestampMs: number;
}

/**
 * Time does not go back: not that which operations see, whoever is primary and whatever the clocks do; and not that which
 * a correct primary stamps on its own proposals as long as it runs (protocol rule 4.7).
 */
export class TimeChecker implements Checker {
  readonly #agreed = new Map<number, number>();
  #latest = { seq: 0, agreedMs: 0 };
  readonly #proposed = new Map<ReplicaId, Proposed>();
  /** The last number that a NEW-VIEW proposes again, with the time it had: by epoch and view. */
  readonly #reproposed = new Map<string, number>();

  /** Its clock starts anew, from the wall. */
  onVoting(replica: ReplicaId): void {
    this.onRecovered(replica);
  }

  onRecovered(replica: ReplicaId): void {
    const seq = this.#proposed.get(replica)?.seq ?? 0;
    this.#proposed.set(replica, { seq, timestampMs: 0 });
  }

  onExecuted({ replica, seq, agreedMs }: ExecutionStep): void {
    if (agreedMs === undefined) return;
    const known = this.#agreed.get(seq) ?? agreedMs;
    demand(known === agreedMs, "time.disagreed", { replica, seq, agreedMs, known });
    this.#agreed.set(seq, agreedMs);
    if (seq <= this.#latest.seq) return;
    demand(agreedMs >= this.#latest.agreedMs, "time.agreed-back", { replica, seq, agreedMs, latest: this.#latest });
    this.#latest = { seq, agreedMs };
  }

  onSent(from: ReplicaId, frame: ReplicaFrame, receivers = 2): void {
    if (frame.type === "new-view") {
      const { epoch, view, start, digests } = frame.newView.envelope.message;
      this.#reproposed.set(`${epoch}/${view}`, start + digests.length);
    }
    if (frame.type !== "pre-prepare" || frame.envelope.from !== from) return;
    // Given to one that lacks it: it may be of an earlier life, which wrote it down and came to say it to nobody (seed 33).
    if (receivers === 1) return;
    const { epoch, view, seq } = frame.envelope.message;
    const { timestampMs, requests } = frame.batch;
    // A null batch, for a member that lost its disk: it keeps the time that was agreed before it.
    if (requests.length === 0) return;
    const before = this.#proposed.get(from) ?? { seq: 0, timestampMs: 0 };
    // Sent again, or somebody else's with the time that it had.
    if (seq <= before.seq || seq <= (this.#reproposed.get(`${epoch}/${view}`) ?? 0)) return;
    demand(timestampMs >= before.timestampMs, "time.proposed-back", { from, view, seq, timestampMs, before });
    this.#proposed.set(from, { seq, timestampMs });
  }
}
