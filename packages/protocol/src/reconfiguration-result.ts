import { type Epoch, isCounter, type SequenceNumber } from "./ids.ts";
import { PreimageWriter } from "./preimage-writer.ts";
import { REFUSAL_CODES, type ReconfigurationRefusal } from "./reconfiguration.ts";

/** What a reconfiguration brings about. */
export interface AcceptedChange {
  /** The epoch that it begins; the current one for what takes effect at its execution. */
  readonly epoch: Epoch;
  /** The last number before it; the number of its batch for what takes effect at its execution. */
  readonly activation: SequenceNumber;
}

const BYTES = 16;
const REFUSALS: ReadonlyMap<number, ReconfigurationRefusal> = new Map(
  (Object.keys(REFUSAL_CODES) as ReconfigurationRefusal[]).map((refusal) => [REFUSAL_CODES[refusal], refusal]),
);

/** The value of an accepted reconfiguration's result: epoch and activation, eight bytes each. */
export function acceptedChangeToBytes({ epoch, activation }: AcceptedChange): Uint8Array {
  return new PreimageWriter(BYTES).u64(epoch).u64(activation).finish();
}

/** What such a value says; undefined for what is none. */
export function bytesToAcceptedChange(value: Uint8Array): AcceptedChange | undefined {
  if (value.length !== BYTES) return undefined;
  const [epoch, activation] = [counterAt(value, 0), counterAt(value, 8)];
  if (epoch === undefined || activation === undefined) return undefined;
  return { epoch: epoch as Epoch, activation: activation as SequenceNumber };
}

/** The value of a refused reconfiguration's result: the code of the reason. */
export function refusalToBytes(refusal: ReconfigurationRefusal): Uint8Array {
  return Uint8Array.of(REFUSAL_CODES[refusal]);
}

/** What such a value says; undefined for what is none. */
export function bytesToRefusal(value: Uint8Array): ReconfigurationRefusal | undefined {
  return value.length === 1 ? REFUSALS.get(value[0] ?? 0) : undefined;
}

function counterAt(bytes: Uint8Array, from: number): number | undefined {
  let number = 0;
  for (const byte of bytes.subarray(from, from + 8)) number = number * 256 + byte;
  return isCounter(number) ? number : undefined;
}
