import type { ReplicaFrame, ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Watermarks: h is a checkpoint at or below what is executed, H is h+L, and neither ever goes back: not even over a crash, once
 * the log was cut for it. No vote is for a number outside of (h, H], or (s, s+L] while a state is fetched. At the end the last checkpoint is stable everywhere.
 */
export class WatermarksChecker implements Checker {
  readonly #windowOf: (epoch: number) => number;
  readonly #low = new Map<ReplicaId, number>();
  readonly #cut = new Map<ReplicaId, number>();
  /** Where these have their windows is not told. */
  readonly #diverging = new Set<ReplicaId>();
  /** Numbers that are checkpoints. Genesis is one. */
  readonly #checkpoints = new Set([0]);

  /** @param windowOf L of an epoch. */
  constructor(windowOf: (epoch: number) => number) {
    this.#windowOf = windowOf;
  }

  onRecovered(replica: ReplicaId, status: ReplicaStatus): void {
    const cut = this.#cut.get(replica) ?? 0;
    this.#diverging.delete(replica);
    demand(status.lowWatermark >= cut, "watermarks.lost", { replica, h: status.lowWatermark, cut });
    this.#low.set(replica, status.lowWatermark);
    this.onStatus(replica, status);
  }

  onDiverging(replica: ReplicaId): void {
    this.#diverging.add(replica);
  }

  onExecuted({ seq, isCheckpoint }: ExecutionStep): void {
    if (isCheckpoint) this.#checkpoints.add(seq);
  }

  onDiskLost(replica: ReplicaId): void {
    this.#cut.delete(replica);
  }

  onStable(replica: ReplicaId, seq: number): void {
    demand(seq > (this.#cut.get(replica) ?? 0), "watermarks.cut-twice", { replica, seq });
    this.#cut.set(replica, seq);
  }

  /** Its log says that this is stable, and what is below is gone. */
  onVoting(replica: ReplicaId, stable: number): void {
    const cut = this.#cut.get(replica) ?? 0;
    demand(stable >= cut, "watermarks.votes-below", { replica, stable, cut });
    demand(this.#checkpoints.has(stable), "watermarks.votes-on-no-checkpoint", { replica, stable });
    this.#diverging.delete(replica);
    this.#cut.set(replica, stable);
    this.#low.set(replica, stable);
  }

  onStatus(replica: ReplicaId, status: ReplicaStatus): void {
    const { epoch, activation, lowWatermark, highWatermark, executed } = status;
    const before = this.#low.get(replica) ?? 0;
    demand(lowWatermark >= before, "watermarks.back", { replica, h: lowWatermark, before });
    this.#low.set(replica, lowWatermark);
    demand(this.#checkpoints.has(lowWatermark), "watermarks.no-checkpoint", { replica, h: lowWatermark });
    demand(lowWatermark <= executed, "watermarks.above-executed", { replica, h: lowWatermark, executed });
    // Where the epoch ends, so does the window (protocol rule 11.2).
    const due = Math.min(lowWatermark + this.#windowOf(epoch), activation ?? Number.POSITIVE_INFINITY);
    demand(highWatermark === due, "watermarks.window", { replica, epoch, highWatermark, lowWatermark, activation });
  }

  /**
   * Nobody votes outside of its window: not above what it has now, and not at or below what its log was cut for, which
   * leaves no later than the vote.
   */
  onSent(from: ReplicaId, frame: ReplicaFrame): void {
    if (frame.type !== "pre-prepare" && frame.type !== "signed") return;
    const { message, from: signer } = frame.envelope;
    if (signer !== from || this.#diverging.has(from)) return;
    if (message.type !== "pre-prepare" && message.type !== "prepare" && message.type !== "commit") return;
    const { type, epoch, view, seq } = message;
    const [low, cut] = [this.#low.get(from) ?? 0, this.#cut.get(from) ?? 0];
    const facts = { from, type, epoch, view, seq, low, cut };
    demand(seq <= Math.max(low, cut) + this.#windowOf(epoch), "watermarks.voted-above", facts);
    demand(seq > cut, "watermarks.voted-below", facts);
  }

  atEnd({ replicas }: Ending): void {
    for (const { id, status } of replicas) {
      const due = Math.max(...[...this.#checkpoints].filter((seq) => seq <= status.executed));
      demand(status.lowWatermark === due, "watermarks.not-stable", { id, h: status.lowWatermark, due });
    }
  }
}
