import { invariant } from "@quorate/protocol";

/** Bounds of the time-out, of genesis. */
export interface TimeOutOptions {
  /** In milliseconds: what a first time-out takes. */
  readonly viewChangeMs: number;
  /** In milliseconds: what the doubling ends at. */
  readonly viewChangeMaxMs: number;
}

/**
 * How long to wait for a view to do its work. Doubles with each view that failed, so that it exceeds the delays of the
 * network at some time (OSDI'99 §4.5.2); comes down by halves, and only when the work of clients shows that half of it
 * would have been enough (protocol rule 7.3).
 */
export class TimeOut {
  readonly #options: TimeOutOptions;
  #doublings = 0;

  /** @throws InvariantViolation for a maximum below the first time-out; genesis is checked before. */
  constructor(options: TimeOutOptions) {
    const { viewChangeMs, viewChangeMaxMs } = options;
    invariant(viewChangeMs > 0 && viewChangeMaxMs >= viewChangeMs, "time-out.bounds", {
      viewChangeMs,
      viewChangeMaxMs,
    });
    this.#options = options;
  }

  /** In milliseconds, between `viewChangeMs` and `viewChangeMaxMs`. */
  get currentMs(): number {
    const { viewChangeMs, viewChangeMaxMs } = this.#options;
    return Math.min(viewChangeMs * 2 ** this.#doublings, viewChangeMaxMs);
  }

  /**
   * A view was left because it failed.
   *
   * @returns whether that lengthened the time-out.
   */
  onFailed(): boolean {
    const isLonger = this.currentMs < this.#options.viewChangeMaxMs;
    if (isLonger) this.#doublings += 1;
    return isLonger;
  }

  /** A view that lengthened the time-out had not failed after all. */
  onExcused(): void {
    invariant(this.#doublings > 0, "time-out.excused-without-failure");
    this.#doublings -= 1;
  }

  /** Requests of clients that had waited for `waitedMs` were executed in this view. */
  onProgress(waitedMs: number): void {
    if (this.#doublings > 0 && waitedMs <= this.currentMs / 2) this.#doublings -= 1;
  }
}
