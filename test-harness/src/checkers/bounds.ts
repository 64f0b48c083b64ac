import type { Epoch, Fill, ReplicaFrame, ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand } from "./checker.ts";

/** What a run may not exceed, from its options. */
export interface Bounds {
  readonly pendingRequestsMax: number;
  /** L of an epoch. */
  readonly windowSizeIn: (epoch: Epoch) => number;
  readonly viewChangeMs: number;
  readonly viewChangeMaxMs: number;
}

/**
 * Bounds: whatever is sent to a correct replica or client, all its queues keep to their limits, what it says of itself to
 * its window, and its time-out between the first and the last one. That it comes down again is `TimeOutChecker`'s to see.
 */
export class BoundsChecker implements Checker {
  readonly #bounds: Bounds;
  readonly #timeOuts = new Map<ReplicaId, { readonly view: number; readonly ms: number }>();

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  onVoting(replica: ReplicaId): void {
    this.onRecovered(replica);
  }

  onRecovered(replica: ReplicaId): void {
    this.#timeOuts.delete(replica);
  }

  onStatus(replica: ReplicaId, { pendingRequests, view, target, timeOutMs }: ReplicaStatus): void {
    const { pendingRequestsMax, viewChangeMs, viewChangeMaxMs } = this.#bounds;
    demand(pendingRequests <= pendingRequestsMax, "bounds.pending", { replica, pendingRequests });
    const isWithin = timeOutMs >= viewChangeMs && timeOutMs <= viewChangeMaxMs;
    demand(isWithin, "bounds.time-out", { replica, timeOutMs });
    demand(target >= view, "bounds.target-below-view", { replica, view, target });
    const before = this.#timeOuts.get(replica);
    const grewIdly = before !== undefined && before.view === target && timeOutMs > before.ms;
    demand(!grewIdly, "bounds.time-out-grew", { replica, view, target, timeOutMs, before });
    this.#timeOuts.set(replica, { view: target, ms: timeOutMs });
  }

  onFills(end: string, fills: readonly Fill[]): void {
    for (const { of, size, max } of fills) demand(size <= max, "bounds.queue", { end, of, size, max });
  }

  onSent(from: ReplicaId, frame: ReplicaFrame): void {
    if (frame.type !== "view-change" && frame.type !== "new-view") return;
    const { message } = (frame.type === "view-change" ? frame.viewChange : frame.newView).envelope;
    const windowSize = this.#bounds.windowSizeIn(message.epoch);
    const count = message.type === "view-change" ? message.prepared.length : message.digests.length;
    demand(count <= windowSize, "bounds.beyond-the-window", { from, type: frame.type, count, windowSize });
  }
}
