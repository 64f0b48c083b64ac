import type { CheckpointCertificate, Contradiction, Effect, EpochLink, SequenceNumber } from "@quorate/protocol";

/** Why a host ends while its replica goes on: its state has to come from the others, or a new epoch begins. */
export interface Departure {
  /** Undefined when no certificate is known. */
  readonly target: CheckpointCertificate | undefined;
  /** See `Installation.distrustsEntries`. */
  readonly distrustsEntries: boolean;
  /** It was found to be wrong, and may have said wrong things up to there. */
  readonly quarantine:
    | {
        readonly contradiction: Contradiction;
        readonly upTo: SequenceNumber;
        readonly statementsUpTo: SequenceNumber;
        /** The last own checkpoint. */
        readonly lastCheckpoint: SequenceNumber;
      }
    | undefined;
  /** What is damaged, if that is why. */
  readonly damage?: Error | undefined;
  /** The state is here, and the epoch is over: this proves the next one. */
  readonly link?: EpochLink | undefined;
}

/** The others have left it behind: what it lacks is in no history any more. */
export function leftBehind({ target }: Extract<Effect, { type: "fetch-state" }>): Departure {
  return { target, distrustsEntries: false, quarantine: undefined };
}

/** The others contradict what it has executed. */
export function quarantined(
  { contradiction, upTo, statementsUpTo, target }: Extract<Effect, { type: "quarantine" }>,
  lastCheckpoint: SequenceNumber,
): Departure {
  return { target, distrustsEntries: true, quarantine: { contradiction, upTo, statementsUpTo, lastCheckpoint } };
}

/** The activation of the next epoch is stable here (protocol rule 11.2). */
export function epochOver({ link }: Extract<Effect, { type: "epoch-over" }>, proven: EpochLink): Departure {
  return { target: link, distrustsEntries: false, quarantine: undefined, link: proven };
}
