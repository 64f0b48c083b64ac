import type { Checkpointing } from "@quorate/checkpoint";
import type { Ordering } from "@quorate/pbft-core";
import type { Effect, SequenceNumber } from "@quorate/protocol";
import type { GapFiller } from "@quorate/state-transfer";

/** What it looks at. */
export interface LeftBehindParts {
  readonly ordering: Pick<Ordering, "lastDelivered">;
  readonly checkpointing: Pick<Checkpointing, "certified">;
  readonly gapFiller: Pick<GapFiller, "isStranded">;
}

/**
 * Notices that the gap to the others has left their history: then only the state at a certified checkpoint helps (protocol rule
 * 9.4). The certificate is proven, so that liars who say that a history is too short can make this replica fetch what it
 * would have come to anyway, and nothing else.
 */
export class LeftBehind {
  readonly #parts: LeftBehindParts;
  #asked: SequenceNumber | undefined;

  constructor(parts: LeftBehindParts) {
    this.#parts = parts;
  }

  /** @param executed the last number that is part of the state. */
  onStep(executed: SequenceNumber, out: Effect[]): void {
    const { ordering, checkpointing, gapFiller } = this.#parts;
    const { certified } = checkpointing;
    if (certified.seq <= executed || this.#asked === certified.seq) return;
    // What is delivered is executed first: it may be all that was missing.
    if (ordering.lastDelivered > executed || !gapFiller.isStranded(ordering.lastDelivered)) return;
    this.#asked = certified.seq;
    out.push({ type: "fetch-state", target: certified });
  }
}
