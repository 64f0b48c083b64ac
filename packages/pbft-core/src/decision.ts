import type { CommitCertificate, DigestedCertifiedBatch, SequenceNumber } from "@quorate/protocol";

/** A number that is decided: its batch and the certificate that proves it. */
export interface Decision {
  readonly seq: SequenceNumber;
  readonly batch: DigestedCertifiedBatch;
  readonly certificate: CommitCertificate;
}

/** What most messages decide: no list is made for it. */
export const NO_DECISIONS: readonly Decision[] = [];

/** Those of `first`, then those of `second`. */
export function decisionsOf(first: readonly Decision[], second: readonly Decision[]): readonly Decision[] {
  if (first.length === 0) return second;
  return second.length === 0 ? first : [...first, ...second];
}
