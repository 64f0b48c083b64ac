/** The share of a period's requests that is late, or waited at all, in a bad one. */
const LATE_SHARE = 1 / 2;
/** The share that may be strained in a calm one. */
const STRAINED_SHARE = 1 / 16;

/** What was executed in a stretch of one view, counted: nothing of it is kept. */
export class JudgingPeriod {
  readonly beganAtMs: number;
  #requests = 0;
  #late = 0;
  #strained = 0;
  #waiting = 0;
  #longestMs = 0;
  operations = 0;
  /** Whether something waited all the time. */
  isLoaded: boolean;
  readonly #atOnceMs: number;

  /**
   * @param isLoaded whether something waits at its beginning.
   * @param atOnceMs waits of no more than this do not count as such.
   */
  constructor(beganAtMs: number, isLoaded: boolean, atOnceMs: number) {
    this.#atOnceMs = atOnceMs;
    this.beganAtMs = beganAtMs;
    this.isLoaded = isLoaded;
  }

  get requests(): number {
    return this.#requests;
  }
  get late(): number {
    return this.#late;
  }
  /** Whether at least half of the requests had waited for longer than is tolerated. */
  get isLate(): boolean {
    return this.#requests > 0 && this.#late >= LATE_SHARE * this.#requests;
  }

  /** Whether at least half of the requests had waited for a time worth speaking of. */
  get isWaiting(): boolean {
    return this.#requests > 0 && this.#waiting >= LATE_SHARE * this.#requests;
  }

  /** Executed: so many requests had waited for `waitedMs`. */
  add(requests: number, waitedMs: number, toleratedMs: number): void {
    this.#requests += requests;
    if (waitedMs > toleratedMs) this.#late += requests;
    if (waitedMs > this.#atOnceMs) this.#waiting += requests;
    if (waitedMs > toleratedMs / 4) this.#strained += requests;
    this.#longestMs = Math.max(this.#longestMs, waitedMs);
  }

  /** Whether half of what is tolerated would have been enough, with room to spare. */
  isCalm(toleratedMs: number): boolean {
    return this.#longestMs <= toleratedMs / 2 && this.#strained <= STRAINED_SHARE * this.#requests;
  }

  /** Operations in a millisecond. */
  perMs(atMs: number): number {
    return this.operations / Math.max(1, atMs - this.beganAtMs);
  }
}
