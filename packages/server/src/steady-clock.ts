/**
 * Wall-clock milliseconds that never go back and never stand still. When the wall clock was ahead and steps back, this
 * clock goes on at half speed until the wall has caught up: budgets and time-outs go on, and the times that a primary
 * stamps come back to the truth by themselves (protocol rule 4.7).
 */
export class SteadyClock {
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  #lastMs: number;
  #lastMonotonicMs: number;

  /** @param monotonicMs any clock that never goes back. */
  constructor(wallMs: () => number, monotonicMs: () => number) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#lastMs = wallMs();
    this.#lastMonotonicMs = monotonicMs();
  }

  /** Whole milliseconds since 1970, at least 0. */
  nowMs(): number {
    const monotonicMs = this.#monotonicMs();
    const slowMs = this.#lastMs + (monotonicMs - this.#lastMonotonicMs) / 2;
    this.#lastMonotonicMs = monotonicMs;
    this.#lastMs = Math.max(this.#wallMs(), slowMs);
    return Math.max(0, Math.floor(this.#lastMs));
  }
}
