import { type SequenceNumber, sequenceNumber } from "@quorate/protocol";

/** K and L of genesis. */
export interface WindowSizes {
  readonly checkpointInterval: number;
  readonly windowSize: number;
}

/** The first number at or above `seq` that is a checkpoint whatever is ordered: a multiple of K. */
export function regularCheckpointFrom(
  seq: number,
  { checkpointInterval }: Pick<WindowSizes, "checkpointInterval">,
): SequenceNumber {
  return sequenceNumber(Math.ceil(seq / checkpointInterval) * checkpointInterval);
}
