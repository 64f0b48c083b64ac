import { type OrderedStore, sequenceNumber } from "@quorate/protocol";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";

/** Up to where a replica may have said wrong things. */
export type SaidSoFar = Pick<QuarantineRecord, "upTo" | "statementsUpTo">;

const SAID_NOTHING: SaidSoFar = { upTo: sequenceNumber(0), statementsUpTo: sequenceNumber(0) };

/**
 * Notes that a replica stands still because it was found to be wrong: durably before a repair begins, since all is one stream of
 * writes. What it must be silent of never gets less, and repairs in a row are counted.
 */
export function noteQuarantine(
  store: OrderedStore,
  { upTo, statementsUpTo }: SaidSoFar = SAID_NOTHING,
): QuarantineRecord {
  const before = readQuarantine(store);
  const record = {
    upTo: sequenceNumber(Math.max(upTo, before?.upTo ?? 0)),
    statementsUpTo: sequenceNumber(Math.max(statementsUpTo, before?.statementsUpTo ?? 0)),
    attempts: (before?.attempts ?? 0) + 1,
    isWaiting: true,
  };
  writeQuarantine(store, record);
  return record;
}
