import {
  invariant,
  type OrderedReader,
  type OrderedStore,
  PreimageWriter,
  type SequenceNumber,
  sequenceNumber,
  utf8,
} from "@quorate/protocol";

/** What a replica that was found to be wrong must not forget (protocol rule 9.5). */
export interface QuarantineRecord {
  /** It signs no statement and no CHECKPOINT up to there: it has signed others, perhaps different ones. */
  readonly upTo: SequenceNumber;
  /** It signs no statement up to there: it may have, before a crash that made it forget. At or above `upTo`. */
  readonly statementsUpTo: SequenceNumber;
  /** Repairs in a row after which it was found to be wrong again, this one included; 0 once a quorum has agreed with it. */
  readonly attempts: number;
  /** It stands still, and no repair has begun. */
  readonly isWaiting: boolean;
}

const KEY = utf8("host/quarantine");
const RECORD_BYTES = 8 + 8 + 4 + 1;

/** Written before anything is done about it, in the stream of the state's writes. */
export function writeQuarantine(
  store: OrderedStore,
  { upTo, statementsUpTo, attempts, isWaiting }: QuarantineRecord,
): void {
  const value = new PreimageWriter(RECORD_BYTES)
    .u64(upTo)
    .u64(statementsUpTo)
    .u32(attempts)
    .u8(isWaiting ? 1 : 0)
    .finish();
  store.write([{ key: KEY, value }]);
}

/** The last quarantine of this replica, over or not. */
export function readQuarantine(store: OrderedReader): QuarantineRecord | undefined {
  const value = store.get(KEY);
  if (value === undefined) return undefined;
  invariant(value.length === RECORD_BYTES, "host.quarantine-record", { bytes: value.length });
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return {
    upTo: sequenceNumber(Number(view.getBigUint64(0))),
    statementsUpTo: sequenceNumber(Number(view.getBigUint64(8))),
    attempts: view.getUint32(16),
    isWaiting: view.getUint8(20) === 1,
  };
}
