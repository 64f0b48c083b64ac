import type { Endpoint } from "./identity.ts";

/** How long to wait between attempts. */
export interface BackOffOptions {
  /** Before the second attempt. */
  readonly firstMs: number;
  /** Never longer than this. */
  readonly longestMs: number;
}
export const DEFAULT_BACK_OFF: BackOffOptions = { firstMs: 50, longestMs: 5_000 };

/** Doubling delays with jitter, so that what fell together does not come back together. */
export class BackOff {
  readonly #options: BackOffOptions;
  readonly #randomBytes: Endpoint["randomBytes"];
  #attempts = 0;

  constructor(options: BackOffOptions, randomBytes: Endpoint["randomBytes"]) {
    this.#options = options;
    this.#randomBytes = randomBytes;
  }

  /** Milliseconds to wait now: between half of the doubled delay and all of it. */
  next(): number {
    const { firstMs, longestMs } = this.#options;
    const delayMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    const [high = 0, low = 0] = this.#randomBytes(2);
    return delayMs / 2 + (delayMs / 2) * ((high * 256 + low) / 65_535);
  }

  /** The peer has proven to stay: the next loss is a new one. */
  reset(): void {
    this.#attempts = 0;
  }
}
