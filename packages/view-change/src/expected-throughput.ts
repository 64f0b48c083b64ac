import { invariant } from "@quorate/protocol";

/** The part of the best that a primary has to do: less may be another mix of requests, or a busy machine. */
const PART = 1 / 4;

/**
 * What a primary that has work all the time is expected to do: a part of what the best of the last n views did (Aardvark,
 * NSDI'09 §4.3). The view itself does not count, so that nobody is judged by his own good days, and each primary that was judged
 * halves what is remembered.
 */
export class ExpectedThroughput {
  readonly #viewsMax: number;
  /** Operations in a millisecond, in the best period of each of the last views, oldest first. */
  #bests: readonly number[] = [];
  /** Of this view. */
  #best = 0;

  /** @param viewsMax n: in as many views each member was primary. */
  constructor(viewsMax: number) {
    invariant(viewsMax >= 1, "expected-throughput.views", { viewsMax });
    this.#viewsMax = viewsMax;
  }

  /** In operations a millisecond; 0 while nothing is known. */
  get perMs(): number {
    return PART * Math.max(0, ...this.#bests);
  }

  /** What a period of this view did, loaded or not. */
  onPeriod(perMs: number): void {
    this.#best = Math.max(this.#best, perMs);
  }

  /** The view was left. One in which nothing was done says nothing. */
  onLeft(isJudged: boolean): void {
    if (this.#best > 0) this.#bests = [...this.#bests, this.#best].slice(-this.#viewsMax);
    this.#best = 0;
    if (isJudged) this.#bests = this.#bests.map((best) => best / 2);
  }
}
