import { invariant, type ReplicaId } from "@quorate/protocol";
import type { TimeOutOptions } from "./time-out.ts";

/** The least that is tolerated, as a part of the first time-out. */
export const LEAST: number = 1 / 4;
/** The most calm periods in a row that lower the tolerance by one step; and those after which one judgement is forgotten. */
const CALM_NEEDED_MAX = 64;

/**
 * How long a request may wait, again and again, before its primary counts as slow. It doubles when f+1 primaries were left
 * at one step, for one of them was correct and could not do better; so f faulty ones never raise it. It comes down by halves,
 * each after a run of calm periods that is twice as long with each primary that was judged, so that bursts of load do not
 * change views again and again.
 */
export class ToleratedWait {
  readonly #options: TimeOutOptions;
  readonly #weakQuorum: number;
  #doublings = 0;
  /** Primaries left since the tolerance moved last. */
  readonly #left = new Set<ReplicaId>();
  #calmInARow = 0;
  #calmNeeded = 1;

  /** @param weakQuorum f+1. */
  constructor(options: TimeOutOptions, weakQuorum: number) {
    invariant(weakQuorum >= 1, "tolerated-wait.weak-quorum", { weakQuorum });
    this.#options = options;
    this.#weakQuorum = weakQuorum;
  }

  /** In milliseconds; at most `viewChangeMaxMs`. */
  get currentMs(): number {
    const { viewChangeMs, viewChangeMaxMs } = this.#options;
    return Math.min(viewChangeMs * LEAST * 2 ** this.#doublings, viewChangeMaxMs);
  }

  /** A view of this primary was left because it failed, here or elsewhere, or by judgement. */
  onLeft(primary: ReplicaId, isJudged: boolean): void {
    this.#calmInARow = 0;
    if (isJudged) this.#calmNeeded = Math.min(2 * this.#calmNeeded, CALM_NEEDED_MAX);
    this.#left.add(primary);
    if (this.#left.size < this.#weakQuorum) return;
    this.#left.clear();
    if (this.currentMs < this.#options.viewChangeMaxMs) this.#doublings += 1;
  }

  /** @param isCalm whether nothing in a period waited for more than half of what is tolerated, and little for a quarter. */
  onPeriod(isCalm: boolean): void {
    this.#calmInARow = isCalm ? this.#calmInARow + 1 : 0;
    if (this.#calmInARow === 0) return;
    if (this.#calmInARow % this.#calmNeeded === 0) {
      this.#left.clear();
      this.#doublings = Math.max(0, this.#doublings - 1);
    }
    if (this.#calmInARow < CALM_NEEDED_MAX) return;
    this.#calmInARow = 0;
    this.#calmNeeded = Math.max(1, this.#calmNeeded / 2);
  }
}
