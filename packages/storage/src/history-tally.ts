import { type Change, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { damaged } from "./damage.ts";
import { type Keyspace, PREFIX } from "./keyspace.ts";
import { seal, unseal } from "./seal.ts";

/** What a history holds: nothing, or entries from one number to another. */
export interface HistoryTally {
  readonly first: SequenceNumber | undefined;
  readonly last: SequenceNumber | undefined;
  readonly bytes: number;
}

const KEY = Uint8Array.of(PREFIX.historyTally);
/** Bytes, the last number, and one more than the first or 0 for none, eight bytes each; in older folders without the third. */
const TALLY_BYTES = 24;

export function tallyChange({ first, last, bytes }: HistoryTally): Change {
  const tally = Buffer.allocUnsafeSlow(TALLY_BYTES);
  tally.writeBigUInt64BE(BigInt(bytes), 0);
  tally.writeBigUInt64BE(BigInt(last ?? 0), 8);
  tally.writeBigUInt64BE(BigInt(first === undefined ? 0 : first + 1), 16);
  return { key: KEY, value: seal(KEY, tally) };
}

/**
 * Reads the tally of a keyspace.
 *
 * @param firstStored the lowest number that an entry is stored under, what was cleared included.
 * @throws StorageError `storage.damaged` when it is not what was written.
 */
export function readTally(keyspace: Keyspace, firstStored: SequenceNumber | undefined): HistoryTally {
  const stored = keyspace.get(KEY);
  if (stored === undefined && firstStored === undefined) return { first: undefined, last: undefined, bytes: 0 };
  const tally = stored === undefined ? undefined : unseal(KEY, stored);
  if (tally === undefined) throw damaged("the history's tally", "it is missing or its checksum differs");
  const numbers = Buffer.from(tally.buffer, tally.byteOffset, tally.byteLength);
  const bytes = Number(numbers.readBigUInt64BE(0));
  const behindFirst = numbers.length < TALLY_BYTES ? undefined : Number(numbers.readBigUInt64BE(16));
  if (firstStored === undefined || behindFirst === 0) return { first: undefined, last: undefined, bytes };
  const first = behindFirst === undefined ? firstStored : sequenceNumber(behindFirst - 1);
  return { first, last: sequenceNumber(Number(numbers.readBigUInt64BE(8))), bytes };
}
