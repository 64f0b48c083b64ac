import type { ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type Ending } from "./checker.ts";

/**
 * Watermarks: h is a multiple of K at or below what is executed, H is h+L, and neither ever goes back: not even over a
 * crash, once the log was cut for it. At the end every checkpoint that is due is stable everywhere.
 */
export class WatermarksChecker implements Checker {
  readonly #interval: number;
  readonly #window: number;
  readonly #low = new Map<ReplicaId, number>();
  readonly #cut = new Map<ReplicaId, number>();

  constructor(interval: number, window: number) {
    this.#interval = interval;
    this.#window = window;
  }

  onRecovered(replica: ReplicaId, status: ReplicaStatus): void {
    const cut = this.#cut.get(replica) ?? 0;
    demand(status.lowWatermark >= cut, "watermarks.lost", { replica, h: status.lowWatermark, cut });
    this.#low.set(replica, status.lowWatermark);
    this.onStatus(replica, status);
  }

  onDiskLost(replica: ReplicaId): void {
    this.#cut.delete(replica);
  }

  onStable(replica: ReplicaId, seq: number): void {
    demand(seq > (this.#cut.get(replica) ?? 0), "watermarks.cut-twice", { replica, seq });
    this.#cut.set(replica, seq);
  }

  onStatus(replica: ReplicaId, { lowWatermark, highWatermark, executed }: ReplicaStatus): void {
    const before = this.#low.get(replica) ?? 0;
    demand(lowWatermark >= before, "watermarks.back", { replica, h: lowWatermark, before });
    this.#low.set(replica, lowWatermark);
    demand(lowWatermark % this.#interval === 0, "watermarks.no-checkpoint", { replica, h: lowWatermark });
    demand(lowWatermark <= executed, "watermarks.above-executed", { replica, h: lowWatermark, executed });
    demand(highWatermark === lowWatermark + this.#window, "watermarks.window", {
      replica,
      highWatermark,
      lowWatermark,
    });
  }

  atEnd({ replicas }: Ending): void {
    for (const { id, status } of replicas) {
      const due = status.executed - (status.executed % this.#interval);
      demand(status.lowWatermark === due, "watermarks.not-stable", { id, h: status.lowWatermark, due });
    }
  }
}
