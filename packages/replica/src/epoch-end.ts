import type { Checkpointing } from "@quorate/checkpoint";
import type { Ordering } from "@quorate/pbft-core";
import { type Effect, invariant, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import type { NullBatches } from "./lost-disks.ts";
import { regularCheckpointFrom, type WindowSizes } from "./window-sizes.ts";

/** What it looks at. */
export interface EndingParts {
  readonly ordering: Pick<Ordering, "activation" | "end" | "endAt">;
  readonly checkpointing: Pick<Checkpointing, "stable">;
}

/**
 * The end of the epoch that this replica lives for (protocol rule 11.2): from the execution of a change on, nothing is ordered above its
 * activation, and the way there is filled with null batches. When the checkpoint there is stable, the epoch is over. What is
 * said in the next one is another replica's to say, which starts from that checkpoint.
 */
export class EpochEnd {
  readonly #parts: EndingParts;
  readonly #sizes: WindowSizes;
  #isOver = false;

  constructor(parts: EndingParts, sizes: WindowSizes) {
    this.#parts = parts;
    this.#sizes = sizes;
  }

  /** It was said that the epoch is over: nothing more is said in it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @param told what the state after `seq` says of the activation. */
  onExecuted(seq: SequenceNumber, told: SequenceNumber | undefined): void {
    const { ordering } = this.#parts;
    const { activation: known } = ordering;
    // The state after the activation is the next epoch's: there another change may wait already.
    if (seq === known) return;
    if (known !== undefined)
      return invariant(told === known, "replica.activation-moved", { seq, known, told: String(told) });
    if (told === undefined) return;
    const isRegular = regularCheckpointFrom(told, this.#sizes) === told;
    // Else a number above it may have been accepted before the change was known here.
    invariant(isRegular && told >= seq + this.#sizes.windowSize, "replica.activation-too-near", { seq, told });
    ordering.endAt(told);
  }

  /** How far null batches go: to the activation, or where one may be, and as far as mute members wait. */
  nullBatches(ofMute: NullBatches | undefined): NullBatches | undefined {
    const { activation, end } = this.#parts.ordering;
    if (end === undefined) return ofMute;
    return {
      accepts: sequenceNumber(Math.max(end, ofMute?.accepts ?? 0)),
      proposes: sequenceNumber(Math.max(activation ?? 0, ofMute?.proposes ?? 0)),
    };
  }

  /** After each step: a level, not an edge, so that it is said again after a crash. */
  onStep(out: Effect[]): void {
    const { ordering, checkpointing } = this.#parts;
    const { activation } = ordering;
    const { stable } = checkpointing;
    if (activation === undefined || stable.seq < activation) return;
    invariant(stable.seq === activation, "replica.stable-above-activation", { stable: stable.seq, activation });
    this.#isOver = true;
    out.push({ type: "epoch-over", link: stable });
  }
}
