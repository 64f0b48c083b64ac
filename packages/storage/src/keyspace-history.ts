import { type Change, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { damaged } from "./damage.ts";
import { type Keyspace, PREFIX } from "./keyspace.ts";
import { type History, TRIM_BYTES_MAX, TRIM_ENTRIES_MAX } from "./ports.ts";
import { SEAL_BYTES, seal, unseal } from "./seal.ts";

const TALLY_KEY = Uint8Array.of(PREFIX.historyTally);
const END = Uint8Array.of(PREFIX.history + 1);
const TALLY_BYTES = 16;

/** The history as keys `prefix, sequence number`; a tally beside it holds the total size and the highest number. */
export class KeyspaceHistory implements History {
  readonly #keyspace: Keyspace;
  readonly #bytesMax: number;
  #first: SequenceNumber | undefined;
  #last: SequenceNumber | undefined;
  #bytes = 0;
  /** Since the last trim. */
  #putBytes = 0;

  constructor(keyspace: Keyspace, bytesMax: number) {
    this.#keyspace = keyspace;
    this.#bytesMax = bytesMax;
    this.#first = this.#firstFrom(0);
    this.#readTally();
  }

  get first(): SequenceNumber | undefined {
    return this.#first;
  }

  get last(): SequenceNumber | undefined {
    return this.#last;
  }

  get bytes(): number {
    return this.#bytes;
  }

  put(seq: SequenceNumber, entry: Uint8Array): void {
    const key = makeKey(seq);
    const within = this.#first !== undefined && this.#last !== undefined && seq >= this.#first && seq <= this.#last;
    const replaced = within ? this.#sizeAt(key) : 0;
    this.#bytes += entry.length - replaced;
    this.#putBytes += entry.length;
    if (this.#first === undefined || seq < this.#first) this.#first = seq;
    if (this.#last === undefined || seq > this.#last) this.#last = seq;
    this.#keyspace.write([{ key, value: seal(key, entry) }, this.#tally()]);
  }

  get(seq: SequenceNumber): Uint8Array | undefined {
    const key = makeKey(seq);
    const sealed = this.#keyspace.get(key);
    if (sealed === undefined) return undefined;
    const entry = unseal(key, sealed);
    if (entry === undefined) throw damaged(`history entry of sequence number ${seq}`, "its checksum differs");
    return entry;
  }

  trim(below: SequenceNumber): void {
    // As large as what has come, twice: else large entries would fill it for ever.
    const share = Math.max(1, (2 * this.#putBytes) / TRIM_BYTES_MAX);
    this.#putBytes = 0;
    if (this.#bytes <= this.#bytesMax) return;
    const changes: Change[] = [];
    const before = this.#bytes;
    for (const [key, sealed] of this.#keyspace.range(makeKey(0), makeKey(below))) {
      const size = sealed.length - SEAL_BYTES;
      const isTooMuch = changes.length > 0 && before - this.#bytes + size > share * TRIM_BYTES_MAX;
      if (this.#bytes <= this.#bytesMax || changes.length >= share * TRIM_ENTRIES_MAX || isTooMuch) break;
      this.#bytes -= size;
      changes.push({ key, value: undefined });
    }
    const dropped = changes.at(-1);
    if (dropped === undefined) return;
    this.#first = this.#firstFrom(parseKey(dropped.key) + 1);
    if (this.#first === undefined) {
      this.#last = undefined;
      this.#bytes = 0;
    }
    this.#keyspace.write([...changes, this.#tally()]);
  }

  clear(): void {
    const changes: Change[] = [];
    for (const [key] of this.#keyspace.range(makeKey(0), END)) changes.push({ key, value: undefined });
    this.#first = undefined;
    this.#last = undefined;
    this.#bytes = 0;
    this.#keyspace.write([...changes, this.#tally()]);
  }

  #sizeAt(key: Uint8Array): number {
    const sealed = this.#keyspace.get(key);
    return sealed === undefined ? 0 : sealed.length - SEAL_BYTES;
  }

  #firstFrom(seq: number): SequenceNumber | undefined {
    for (const [key] of this.#keyspace.range(makeKey(seq), END)) return sequenceNumber(parseKey(key));
    return undefined;
  }

  #tally(): Change {
    const tally = Buffer.allocUnsafeSlow(TALLY_BYTES);
    tally.writeBigUInt64BE(BigInt(this.#bytes), 0);
    tally.writeBigUInt64BE(BigInt(this.#last ?? 0), 8);
    return { key: TALLY_KEY, value: seal(TALLY_KEY, tally) };
  }

  #readTally(): void {
    const stored = this.#keyspace.get(TALLY_KEY);
    if (stored === undefined && this.#first === undefined) return;
    const tally = stored === undefined ? undefined : unseal(TALLY_KEY, stored);
    if (tally === undefined) throw damaged("the history's tally", "it is missing or its checksum differs");
    const bytes = Buffer.from(tally.buffer, tally.byteOffset, tally.byteLength);
    this.#bytes = Number(bytes.readBigUInt64BE(0));
    if (this.#first !== undefined) this.#last = sequenceNumber(Number(bytes.readBigUInt64BE(8)));
    else if (this.#bytes !== 0) throw damaged("the history", `${this.#bytes} bytes were written, no entry is there`);
  }
}

function makeKey(seq: number): Uint8Array {
  const key = Buffer.allocUnsafeSlow(9);
  key[0] = PREFIX.history;
  key.writeBigUInt64BE(BigInt(seq), 1);
  return key;
}

function parseKey(key: Uint8Array): number {
  return Number(Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE(1));
}
