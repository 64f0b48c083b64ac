import type { ReplicaId, SequenceNumber } from "@quorate/protocol";

export interface PinsOptions {
  /** How long a checkpoint is kept after the last request for it. */
  readonly pinMs: number;
  /** How long at most: nobody may make a donor keep an old state for ever. */
  readonly pinMaxMs: number;
}

interface Pin {
  readonly seq: SequenceNumber;
  readonly sinceMs: number;
  lastMs: number;
}

/** The checkpoints that somebody is fetching: one for each peer, the one that it asked for last. */
export class Pins {
  readonly #options: PinsOptions;
  /** Bounded: by the members, and the places for observers. */
  readonly #pins = new Map<ReplicaId, Pin>();

  constructor(options: PinsOptions) {
    this.#options = options;
  }

  onAsked(peer: ReplicaId, seq: SequenceNumber, atMs: number): void {
    const pin = this.#pins.get(peer);
    if (pin?.seq === seq) pin.lastMs = atMs;
    else this.#pins.set(peer, { seq, sinceMs: atMs, lastMs: atMs });
  }

  /** Ascending. */
  at(atMs: number): SequenceNumber[] {
    const { pinMs, pinMaxMs } = this.#options;
    const pinned = new Set<SequenceNumber>();
    for (const { seq, sinceMs, lastMs } of this.#pins.values())
      if (lastMs + pinMs > atMs && sinceMs + pinMaxMs > atMs) pinned.add(seq);
    return [...pinned].sort((a, b) => a - b);
  }

  /** Forgets what is not kept any more. */
  retain(isKept: (seq: SequenceNumber) => boolean): void {
    for (const [peer, { seq }] of this.#pins) if (!isKept(seq)) this.#pins.delete(peer);
  }
}
