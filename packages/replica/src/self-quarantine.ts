import { type Effect, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import type { SubProtocols } from "./sub-protocols.ts";

/** A replica that is contradicted says nothing more, of the step that finds it neither: as if it had crashed before it (protocol rule 9.5). */
export class SelfQuarantine {
  readonly #parts: Pick<SubProtocols, "audit" | "checkpointing" | "ordering">;
  readonly #windowSize: number;
  #isSilent = false;

  /** @param windowSize L. */
  constructor(parts: Pick<SubProtocols, "audit" | "checkpointing" | "ordering">, windowSize: number) {
    this.#parts = parts;
    this.#windowSize = windowSize;
  }

  /** It was contradicted: there is nothing to do for it any more. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /**
   * To be called after each step.
   *
   * @param out what the step asks for.
   * @param executed the last executed number.
   * @returns what is left of that.
   */
  onStep(out: Effect[], executed: SequenceNumber): readonly Effect[] {
    const { audit, checkpointing, ordering } = this.#parts;
    for (const divergence of audit.takeNews()) out.push({ type: "divergence", divergence });
    const contradiction =
      checkpointing.contradiction ??
      (audit.isContradicted ? ({ by: "members", divergences: audit.open } as const) : undefined);
    if (contradiction === undefined) return out;
    this.#isSilent = true;
    const { certified } = checkpointing;
    const { lastDelivered, highestAccepted, lowWatermark } = ordering;
    const target = certified.signatures.length > 0 ? certified : undefined;
    const upTo = sequenceNumber(Math.max(executed, lastDelivered, highestAccepted));
    // Before its last restart it may have executed, and answered clients of, what it had fetched, or accepted in an earlier view: nothing in
    // the log says so, and the state may have lost it. None of it was above the window, which does not go back. A CHECKPOINT is signed of
    // what is durable only, and need not be kept back so far: with another member down, no window would move without it. Where the epoch
    // ends the wrong state says: that is not believed.
    const statementsUpTo = sequenceNumber(Math.max(upTo, lowWatermark + this.#windowSize));
    return [...out.filter(saysNothing), { type: "quarantine", contradiction, target, upTo, statementsUpTo }];
  }
}

function saysNothing({ type }: Effect): boolean {
  return type === "evidence" || type === "rejected" || type === "divergence";
}
