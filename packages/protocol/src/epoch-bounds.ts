import type { Epoch, SequenceNumber } from "./ids.ts";
import type { Memberships } from "./membership.ts";

/** A number that was never for its epoch to decide, and which that has: from `first` to `last`, undefined while it is not over. */
export interface OutOfEpoch {
  readonly epoch: Epoch;
  readonly first: number;
  readonly last: SequenceNumber | undefined;
  readonly seq: SequenceNumber;
}

/**
 * Whether a number is none of the epoch that it is said to be decided, certified or answered in: it is at or below where that began,
 * or above where the next began, as far as that is known. No correct member has ever signed that, and whoever holds the keys of
 * an epoch that is over may (protocol rule 11.4; see `docs/epochs.md`).
 */
export function outOfEpoch(
  epochs: Pick<Memberships, "membershipAt">,
  { epoch, seq }: Pick<OutOfEpoch, "epoch" | "seq">,
): OutOfEpoch | undefined {
  const first = (epochs.membershipAt(epoch)?.start?.seq ?? 0) + 1;
  const last = epochs.membershipAt((epoch + 1) as Epoch)?.start?.seq;
  return seq < first || (last !== undefined && seq > last) ? { epoch, first, last, seq } : undefined;
}

/** In words, as the end of a sentence. */
export function describeOutOfEpoch({ epoch, first, last, seq }: OutOfEpoch): string {
  const numbers = last === undefined ? `begins at ${first}` : `has the numbers ${first} to ${last}`;
  return `it is of number ${seq}, and of epoch ${epoch}, which ${numbers}`;
}
