import type { SequenceNumber } from "@quorate/protocol";

export interface PinsOptions {
  /** How long a checkpoint is kept after the last request for it. */
  readonly pinMs: number;
  /** How long at most: nobody may make a donor keep an old state for ever. */
  readonly pinMaxMs: number;
}

/** The checkpoints that somebody is fetching. */
export class Pins {
  readonly #options: PinsOptions;
  /** Bounded by the checkpoints that are kept. */
  readonly #pins = new Map<SequenceNumber, { readonly sinceMs: number; lastMs: number }>();

  constructor(options: PinsOptions) {
    this.#options = options;
  }

  onAsked(seq: SequenceNumber, atMs: number): void {
    const pin = this.#pins.get(seq);
    if (pin === undefined) this.#pins.set(seq, { sinceMs: atMs, lastMs: atMs });
    else pin.lastMs = atMs;
  }

  /** Ascending. */
  at(atMs: number): SequenceNumber[] {
    const { pinMs, pinMaxMs } = this.#options;
    const pinned: SequenceNumber[] = [];
    for (const [seq, { sinceMs, lastMs }] of this.#pins)
      if (lastMs + pinMs > atMs && sinceMs + pinMaxMs > atMs) pinned.push(seq);
    return pinned.sort((a, b) => a - b);
  }

  /** Forgets what is not kept any more. */
  retain(isKept: (seq: SequenceNumber) => boolean): void {
    for (const seq of this.#pins.keys()) if (!isKept(seq)) this.#pins.delete(seq);
  }
}
