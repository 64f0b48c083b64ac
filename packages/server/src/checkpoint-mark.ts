import {
  bytesToHex,
  type Digest,
  digest,
  type OrderedStore,
  PreimageWriter,
  type SequenceNumber,
  sequenceNumber,
  utf8,
} from "@quorate/protocol";

/** The own state's root at a checkpoint's number. */
export interface OwnCheckpoint {
  readonly seq: SequenceNumber;
  readonly stateRoot: Digest;
}

const KEY = utf8("host/checkpoint");

/**
 * Notes the last own checkpoint beside the state: after a restart the state may have moved on, and the same vote must
 * be cast again (protocol rule 8.2). One is enough: whoever stands at a lower one reaches this number by executing.
 */
export function writeCheckpointMark(store: OrderedStore, { seq, stateRoot }: OwnCheckpoint): void {
  store.write([{ key: KEY, value: new PreimageWriter(40).u64(seq).hex32(stateRoot).finish() }]);
}

/** The last noted checkpoint. */
export function readCheckpointMark(store: OrderedStore): OwnCheckpoint | undefined {
  const value = store.get(KEY);
  if (value === undefined) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const seq = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return { seq: sequenceNumber(seq), stateRoot: digest(bytesToHex(value.subarray(8, 40))) };
}
