import { type Change, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { damaged } from "./damage.ts";
import { readTally, tallyChange } from "./history-tally.ts";
import { type Keyspace, PREFIX } from "./keyspace.ts";
import { type History, TRIM_BYTES_MAX, TRIM_ENTRIES_MAX } from "./ports.ts";
import { SEAL_BYTES, seal, unseal } from "./seal.ts";

const END = Uint8Array.of(PREFIX.history + 1);

/**
 * The history as keys `prefix, sequence number`; a tally beside it holds the total size, and the first and the highest number.
 * What else is stored was there when it was cleared: it is not given, and goes part by part.
 */
export class KeyspaceHistory implements History {
  readonly #keyspace: Keyspace;
  readonly #bytesMax: number;
  #first: SequenceNumber | undefined;
  #last: SequenceNumber | undefined;
  #bytes = 0;
  /** Since the last trim. */
  #putBytes = 0;
  /** There may be entries from before it was cleared. */
  #hasRemains: boolean;

  /** @throws StorageError `storage.damaged` when what it holds is not there. */
  constructor(keyspace: Keyspace, bytesMax: number) {
    this.#keyspace = keyspace;
    this.#bytesMax = bytesMax;
    const { first, last, bytes } = readTally(keyspace, this.#firstIn(makeKey(0), END));
    this.#first = first === undefined ? undefined : this.#firstIn(makeKey(first), END);
    this.#last = this.#first === undefined ? undefined : last;
    this.#bytes = bytes;
    if (this.#first === undefined && bytes !== 0)
      throw damaged("the history", `${bytes} bytes were written, no entry is there`);
    this.#hasRemains = this.#remains(1).length > 0;
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
    // What stands in between would be among its entries. Execution leaves no gap, so this is not to be spread.
    if (this.#hasRemains && !this.#isWithin(seq, 1)) this.#sweep(Number.POSITIVE_INFINITY);
    const key = makeKey(seq);
    const replaced = this.#isWithin(seq) ? this.#sizeAt(key) : 0;
    this.#bytes += entry.length - replaced;
    this.#putBytes += entry.length;
    if (this.#first === undefined || seq < this.#first) this.#first = seq;
    if (this.#last === undefined || seq > this.#last) this.#last = seq;
    this.#keyspace.write([{ key, value: seal(key, entry) }, this.#tally()]);
  }

  get(seq: SequenceNumber): Uint8Array | undefined {
    if (!this.#isWithin(seq)) return undefined;
    const key = makeKey(seq);
    const sealed = this.#keyspace.get(key);
    if (sealed === undefined) return undefined;
    const entry = unseal(key, sealed);
    if (entry === undefined) throw damaged(`history entry of sequence number ${seq}`, "its checksum differs");
    return entry;
  }

  trim(below: SequenceNumber): void {
    if (this.#hasRemains) this.#sweep(TRIM_ENTRIES_MAX);
    // As large as what has come, twice: else large entries would fill it for ever.
    const share = Math.max(1, (2 * this.#putBytes) / TRIM_BYTES_MAX);
    this.#putBytes = 0;
    if (this.#bytes <= this.#bytesMax || this.#first === undefined || below <= this.#first) return;
    const changes: Change[] = [];
    const before = this.#bytes;
    const end = Math.min(below, (this.#last ?? 0) + 1);
    for (const [key, sealed] of this.#keyspace.range(makeKey(this.#first), makeKey(end))) {
      const size = sealed.length - SEAL_BYTES;
      const isTooMuch = changes.length > 0 && before - this.#bytes + size > share * TRIM_BYTES_MAX;
      if (this.#bytes <= this.#bytesMax || changes.length >= share * TRIM_ENTRIES_MAX || isTooMuch) break;
      this.#bytes -= size;
      changes.push({ key, value: undefined });
    }
    const dropped = changes.at(-1);
    if (dropped === undefined) return;
    this.#first = this.#firstIn(makeKey(parseKey(dropped.key) + 1), makeKey((this.#last ?? 0) + 1));
    if (this.#first === undefined) {
      this.#last = undefined;
      this.#bytes = 0;
    }
    this.#keyspace.write([...changes, this.#tally()]);
  }

  clear(): void {
    this.#hasRemains ||= this.#first !== undefined;
    this.#first = undefined;
    this.#last = undefined;
    this.#bytes = 0;
    this.#keyspace.write([this.#tally()]);
  }

  /** Whether a number is among those that are held, or so many beside them; any is beside nothing. */
  #isWithin(seq: SequenceNumber, beside = 0): boolean {
    if (this.#first === undefined || this.#last === undefined) return beside > 0;
    return seq >= this.#first - beside && seq <= this.#last + beside;
  }

  /** Drops up to so many entries from before it was cleared. */
  #sweep(entriesMax: number): void {
    const remains = this.#remains(entriesMax);
    this.#hasRemains = remains.length >= entriesMax;
    if (remains.length > 0) this.#keyspace.write(remains.map((key) => ({ key, value: undefined })));
  }

  /** The keys of up to so many entries that are stored and not held. */
  #remains(entriesMax: number): Uint8Array[] {
    if (this.#first === undefined || this.#last === undefined)
      return upTo(entriesMax, this.#keyspace.keys(makeKey(0), END));
    const below = upTo(entriesMax, this.#keyspace.keys(makeKey(0), makeKey(this.#first)));
    return [...below, ...upTo(entriesMax - below.length, this.#keyspace.keys(makeKey(this.#last + 1), END))];
  }

  #sizeAt(key: Uint8Array): number {
    const sealed = this.#keyspace.get(key);
    return sealed === undefined ? 0 : sealed.length - SEAL_BYTES;
  }

  #firstIn(from: Uint8Array, to: Uint8Array): SequenceNumber | undefined {
    for (const key of this.#keyspace.keys(from, to)) return sequenceNumber(parseKey(key));
    return undefined;
  }

  #tally(): Change {
    return tallyChange({ first: this.#first, last: this.#last, bytes: this.#bytes });
  }
}

function upTo<T>(countMax: number, things: Iterable<T>): T[] {
  const found: T[] = [];
  if (countMax === 0) return found;
  for (const thing of things) {
    found.push(thing);
    if (found.length >= countMax) break;
  }
  return found;
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
