import {
  type Batch,
  type OrderedReader,
  type OrderedStore,
  PreimageWriter,
  type SequenceNumber,
  sequenceNumber,
  utf8,
} from "@quorate/protocol";

const PREFIX = utf8("host/change/");
const KEY_BYTES = PREFIX.length + 8;
const NOTHING = new Uint8Array(0);

/** Whether a batch may begin a new epoch: whether it does, execution says. */
export function mayBeginEpoch({ requests }: Batch): boolean {
  return requests.some(
    (request) =>
      request.type === "reconfiguration" && request.change.type !== "admit" && request.change.type !== "expel",
  );
}

/**
 * Notes beside the history which of its batches may begin an epoch, before the batch is there: a replica that votes while what
 * was decided is not executed here has to know where its epoch may end (protocol rules 10.2 and 11.2).
 */
export function noteChange(local: OrderedStore, seq: SequenceNumber): void {
  local.write([{ key: keyOf(seq), value: NOTHING }]);
}

/** The numbers above one that are noted, ascending. */
export function notedChanges(local: OrderedReader, above: SequenceNumber): SequenceNumber[] {
  return [...local.range(keyOf(above + 1), keyOf(Number.MAX_SAFE_INTEGER))].map(([key]) => numberOf(key));
}

/** Forgets what is executed and durable. */
export function forgetChanges(local: OrderedStore, upTo: SequenceNumber): void {
  const old = [...local.range(keyOf(0), keyOf(upTo + 1))].map(([key]) => ({ key, value: undefined }));
  if (old.length > 0) local.write(old);
}

function keyOf(seq: number): Uint8Array {
  return new PreimageWriter(KEY_BYTES).raw(PREFIX).u64(seq).finish();
}

function numberOf(key: Uint8Array): SequenceNumber {
  let number = 0;
  for (const byte of key.subarray(PREFIX.length)) number = number * 256 + byte;
  return sequenceNumber(number);
}
