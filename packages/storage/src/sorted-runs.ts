import { crc32 } from "node:zlib";
import { damaged } from "./damage.ts";
import type { OrderedEntry } from "./ordered-map.ts";
import type { SpoolFile } from "./spool-file.ts";

/**
 * The format of a spool: a head, then runs of blocks. A block is `length of its entries (4 bytes) ‖ number of its run, counted
 * from 1 (4) ‖ 1 for the last one of its run (4) ‖ CRC-32 of what was named and the entries (4) ‖ entries`, an entry
 * `length of its key (2) ‖ length of its value and 1, or 0 for a deletion (4) ‖ key ‖ value`. All keys of a run ascend.
 */
const MAGIC = "QRUNS\0\0\u0001";
const HEAD = { owner: 8, generation: 24, crc: 30 } as const;
const HEAD_BYTES = 34;
const BLOCK = { run: 4, isLast: 8, crc: 12 } as const;
const BLOCK_HEAD_BYTES = 16;
const ENTRY_HEAD_BYTES = 6;
/** More only for one entry that is longer. It is what a merge holds of each run. */
const BLOCK_BYTES: number = 64 * 1024;

/** Whose spool it is: of this store, and the first after so many that were settled. */
export interface SpoolOwner {
  /** 16 bytes. */
  readonly store: Uint8Array;
  readonly generation: number;
}

/** Where a run is. */
export interface RunPlace {
  readonly start: number;
  readonly end: number;
}

export function encodeHead({ store, generation }: SpoolOwner): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, "latin1");
  head.set(store, HEAD.owner);
  head.writeUIntBE(generation, HEAD.generation, 6);
  head.writeUInt32BE(crc32(head.subarray(0, HEAD.crc)), HEAD.crc);
  return head;
}

/** An entry that goes into a run. */
export interface RunEntry {
  /** What stands before its key. */
  readonly prefix: number;
  /** The key as text of one character for each byte. */
  readonly text: string;
  readonly value: Uint8Array | undefined;
}

/** Makes the bytes of runs, one at a time. */
export class RunWriter {
  #memory: Buffer = Buffer.alloc(0);

  /** `before` and behind it a run of entries whose keys ascend. It holds until the next call. */
  write(run: number, entries: readonly RunEntry[], before: Uint8Array): Buffer {
    const blocks = blocksOf(entries);
    const size = blocks.reduce((sum, { bytes }) => sum + BLOCK_HEAD_BYTES + bytes, before.length);
    if (this.#memory.length < size) this.#memory = Buffer.allocUnsafeSlow(size);
    const target = this.#memory;
    target.set(before);
    let at = before.length;
    let next = 0;
    for (const [index, { until, bytes }] of blocks.entries()) {
      const start = at;
      target.writeUInt32BE(bytes, start);
      target.writeUInt32BE(run, start + BLOCK.run);
      target.writeUInt32BE(Number(index === blocks.length - 1), start + BLOCK.isLast);
      at += BLOCK_HEAD_BYTES;
      for (; next < until; next++) at = writeEntry(target, at, entries[next] as RunEntry);
      target.writeUInt32BE(checksumOf(target.subarray(start, at)), start + BLOCK.crc);
    }
    return target.subarray(0, size);
  }
}

function blocksOf(entries: readonly RunEntry[]): { readonly until: number; readonly bytes: number }[] {
  const blocks: { until: number; bytes: number }[] = [];
  let bytes = 0;
  entries.forEach(({ text, value }, index) => {
    const more = ENTRY_HEAD_BYTES + 1 + text.length + (value?.length ?? 0);
    if (bytes > 0 && bytes + more > BLOCK_BYTES) {
      blocks.push({ until: index, bytes });
      bytes = 0;
    }
    bytes += more;
  });
  blocks.push({ until: entries.length, bytes });
  return blocks;
}

function writeEntry(target: Buffer, start: number, { prefix, text, value }: RunEntry): number {
  target.writeUInt16BE(1 + text.length, start);
  target.writeUInt32BE(value === undefined ? 0 : value.length + 1, start + 2);
  let at = start + ENTRY_HEAD_BYTES;
  target[at++] = prefix;
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  if (value === undefined) return at;
  target.set(value, at);
  return at + value.length;
}

/** Over all of a block but the place of its checksum. */
function checksumOf(block: Buffer): number {
  return crc32(block.subarray(BLOCK_HEAD_BYTES), crc32(block.subarray(0, BLOCK.crc)));
}

/**
 * The runs that a crash has left, one after the other, whole ones only: the first that is not ends them. None if the spool is another
 * one's, or of an earlier generation: what was in it has been settled.
 */
export function runsIn(file: SpoolFile, owner: SpoolOwner): RunPlace[] {
  const runs: RunPlace[] = [];
  if (file.length < HEAD_BYTES || !file.read(0, HEAD_BYTES).equals(encodeHead(owner))) return runs;
  for (let start = HEAD_BYTES; ; ) {
    const end = endOfRun(file, start, runs.length + 1);
    if (end === undefined) return runs;
    runs.push({ start, end });
    start = end;
  }
}

function endOfRun(file: SpoolFile, start: number, run: number): number | undefined {
  for (let at = start; ; ) {
    const block = blockAt(file, at, file.length);
    if (block === undefined || block.readUInt32BE(BLOCK.run) !== run) return undefined;
    at += block.length;
    if (block.readUInt32BE(BLOCK.isLast) === 1) return at;
  }
}

/** The block at a place, with its head; undefined if there is none, or not what was written. */
function blockAt(file: SpoolFile, at: number, end: number): Buffer | undefined {
  if (at + BLOCK_HEAD_BYTES > end) return undefined;
  const length = BLOCK_HEAD_BYTES + file.read(at, BLOCK_HEAD_BYTES).readUInt32BE();
  if (at + length > end) return undefined;
  const block = file.read(at, length);
  return checksumOf(block) === block.readUInt32BE(BLOCK.crc) ? block : undefined;
}

/** Goes through one run, a block at a time. What it gives are views into memory that is not used again. */
export class RunCursor {
  readonly #file: SpoolFile;
  readonly #end: number;
  #next: number;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The key of the entry it stands at, as text of the same order; undefined at the end. */
  text: string | undefined;
  entry: OrderedEntry = { key: this.#block, value: undefined };

  /** It stands at the first entry. @throws as `advance`. */
  constructor(file: SpoolFile, { start, end }: RunPlace) {
    this.#file = file;
    this.#next = start;
    this.#end = end;
    this.advance();
  }

  /** @throws StorageError `storage.damaged` for a block that is not what was written. */
  advance(): void {
    if (this.#at === this.#block.length && !this.#read()) {
      this.text = undefined;
      return;
    }
    const block = this.#block;
    const keyStart = this.#at + ENTRY_HEAD_BYTES;
    const valueStart = keyStart + block.readUInt16BE(this.#at);
    const length = block.readUInt32BE(this.#at + 2);
    this.text = block.toString("latin1", keyStart, valueStart);
    this.#at = length === 0 ? valueStart : valueStart + length - 1;
    const value = length === 0 ? undefined : block.subarray(valueStart, this.#at);
    this.entry = { key: block.subarray(keyStart, valueStart), value };
  }

  #read(): boolean {
    if (this.#next === this.#end) return false;
    const block = blockAt(this.#file, this.#next, this.#end);
    if (block === undefined) throw damaged(`the run of entries at byte ${this.#next}`, "its checksum differs");
    this.#next += block.length;
    this.#block = block;
    this.#at = BLOCK_HEAD_BYTES;
    return true;
  }
}
