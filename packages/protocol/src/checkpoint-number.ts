import { isCounter, type SequenceNumber } from "./ids.ts";
import { PreimageWriter } from "./preimage-writer.ts";

const BYTES = 8;

/** The number of a checkpoint as the value of an ordered checkpoint's result: eight bytes, big-endian. */
export function checkpointNumberToBytes(seq: SequenceNumber): Uint8Array {
  return new PreimageWriter(BYTES).u64(seq).finish();
}

/** The number of a checkpoint that an ordered checkpoint's result tells; undefined for what tells none. */
export function bytesToCheckpointNumber(value: Uint8Array): SequenceNumber | undefined {
  if (value.length !== BYTES) return undefined;
  let number = 0;
  for (const byte of value) number = number * 256 + byte;
  return isCounter(number) ? (number as SequenceNumber) : undefined;
}
