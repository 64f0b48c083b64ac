import type { LeaveCause } from "./leave-cause.ts";

/** How many views were left since the start, by cause: for those who watch a replica. */
export class ViewsLeft {
  readonly #counts: Record<LeaveCause, number> = {
    failed: 0,
    joined: 0,
    slow: 0,
    unfair: 0,
    "handed-over": 0,
    rotated: 0,
  };

  /** As they are now; later ones do not change it. */
  get counts(): Readonly<Record<LeaveCause, number>> {
    return { ...this.#counts };
  }

  count(cause: LeaveCause): void {
    this.#counts[cause] += 1;
  }
}
