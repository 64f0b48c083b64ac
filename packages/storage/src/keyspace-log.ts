import { type Change, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { type Keyspace, PREFIX } from "./keyspace.ts";
import type { DurableLog, LogEntry } from "./ports.ts";
import { placeSum, seal, unseal } from "./seal.ts";
import { StorageError } from "./storage-error.ts";

const TALLY_KEY = Uint8Array.of(PREFIX.logTally);
const KEY_BYTES = 15;

/**
 * The log as keys `prefix, sequence number, append number` of a keyspace. Beside them a tally, written in the same group,
 * says how many records there are and which: a record that has vanished is damage like a changed one.
 */
export class KeyspaceLog implements DurableLog {
  readonly #keyspace: Keyspace;
  /** The keys held, by sequence number; bounded by the replica's window of sequence numbers. */
  readonly #keys = new Map<number, Uint8Array[]>();
  #nextAppend = 0;
  #count = 0;
  #sum = 0;

  constructor(keyspace: Keyspace) {
    this.#keyspace = keyspace;
    for (const [key] of range(keyspace)) {
      const { seq, append } = parseKey(key);
      this.#enter(seq, key);
      this.#nextAppend = Math.max(this.#nextAppend, append + 1);
    }
  }

  append(seq: SequenceNumber, record: Uint8Array): void {
    const key = makeKey(seq, this.#nextAppend++);
    this.#enter(seq, key);
    this.#keyspace.write([{ key, value: seal(key, record) }, this.#tally()]);
  }

  cut(upTo: SequenceNumber): void {
    const changes: Change[] = [];
    for (const [seq, keys] of this.#keys) {
      if (seq > upTo) continue;
      this.#keys.delete(seq);
      for (const key of keys) {
        this.#count--;
        this.#sum ^= placeSum(key);
        changes.push({ key, value: undefined });
      }
    }
    if (changes.length > 0) this.#keyspace.write([...changes, this.#tally()]);
  }

  *entries(): Iterable<LogEntry> {
    this.#checkTally();
    for (const [key, sealed] of range(this.#keyspace)) {
      const { seq, append } = parseKey(key);
      const record = unseal(key, sealed);
      if (record === undefined) throw damaged(`log record ${append} of sequence number ${seq}`, "its checksum differs");
      yield { seq, record };
    }
  }

  #enter(seq: number, key: Uint8Array): void {
    const keys = this.#keys.get(seq);
    if (keys === undefined) this.#keys.set(seq, [key]);
    else keys.push(key);
    this.#count++;
    this.#sum ^= placeSum(key);
  }

  #tally(): Change {
    const tally = Buffer.allocUnsafeSlow(12);
    tally.writeUIntBE(this.#count, 0, 6);
    tally.writeUInt16BE(0, 6);
    tally.writeInt32BE(this.#sum | 0, 8);
    return { key: TALLY_KEY, value: seal(TALLY_KEY, tally) };
  }

  /** What is stored must be the tally of what was found when the store was opened and changed since. */
  #checkTally(): void {
    const stored = this.#keyspace.get(TALLY_KEY);
    if (stored === undefined && this.#count === 0) return;
    const expected = this.#tally().value as Uint8Array;
    if (stored !== undefined && Buffer.compare(stored, expected) === 0) return;
    const written = stored === undefined ? undefined : unseal(TALLY_KEY, stored);
    const count = written === undefined ? "an unknown number of" : Buffer.from(written).readUIntBE(0, 6);
    throw damaged("the log's tally", `it tells of ${count} records, ${this.#count} are there or they are others`);
  }
}

function range(keyspace: Keyspace): Iterable<readonly [Uint8Array, Uint8Array]> {
  return keyspace.range(Uint8Array.of(PREFIX.log), Uint8Array.of(PREFIX.log + 1));
}

function makeKey(seq: number, append: number): Uint8Array {
  const key = Buffer.allocUnsafeSlow(KEY_BYTES);
  key[0] = PREFIX.log;
  key.writeBigUInt64BE(BigInt(seq), 1);
  key.writeUIntBE(append, 9, 6);
  return key;
}

function parseKey(key: Uint8Array): { seq: SequenceNumber; append: number } {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const seq = key.length === KEY_BYTES ? Number(bytes.readBigUInt64BE(1)) : Number.NaN;
  if (!Number.isSafeInteger(seq)) throw damaged(`log key ${bytes.toString("hex")}`, "it is none of this format");
  return { seq: sequenceNumber(seq), append: bytes.readUIntBE(9, 6) };
}

/** The error for a record of which more is wrong than can be repaired here. */
export function damaged(record: string, found: string): StorageError {
  const advice = "the disk has lost or changed what was written: treat it as lost, do not go on with it";
  return new StorageError("storage.damaged", `${record} is damaged: ${found}; ${advice}`);
}
