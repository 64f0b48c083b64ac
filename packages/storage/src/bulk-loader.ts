import { type Change, invariant } from "@quorate/protocol";
import { damaged, flushFailed } from "./damage.ts";
import { GroupedFlush } from "./grouped-flush.ts";
import { type Keyspace, PREFIX } from "./keyspace.ts";
import { type OrderedEntry, orderedText } from "./ordered-map.ts";
import { type FlushDone, KEY_BYTES_MAX } from "./ports.ts";
import { mergedRuns } from "./run-merge.ts";
import { seal, unseal } from "./seal.ts";
import { encodeHead, type RunEntry, type RunPlace, RunWriter, runsIn } from "./sorted-runs.ts";
import type { SpoolFile } from "./spool-file.ts";
import { StorageError } from "./storage-error.ts";

type Pending = Map<number, RunEntry[]>;
const NOTHING = new Uint8Array(0);

export interface BulkLoaderOptions {
  readonly keyspace: Keyspace;
  readonly file: SpoolFile;
  /** The name of the store, in 16 bytes. */
  readonly store: Uint8Array;
  /** As `ReplicaStore.flush`. */
  readonly flush: (done: FlushDone) => void;
  /** Notes a failure: whoever flushes next hears of it. */
  readonly fail: (failure: StorageError) => void;
  /** Runs a task after the current call has returned. */
  readonly later: (task: () => void) => void;
}

/** How many spools of this store have been settled. It is written with the last entries of one: what is left of it then is stale. */
const GENERATION_KEY: Uint8Array = Uint8Array.of(PREFIX.bulk);
const GENERATION_BYTES = 6;

/**
 * Stands behind all entries while a merge moves large ones. LMDB splits a full page before the last of its entries when the next one
 * comes at the end of all: of three that fit it leaves two, of two one. With a short one behind them all three stay. Of small
 * entries it keeps nearly all without that, and half of them with it.
 */
const LAST_KEY: Uint8Array = Uint8Array.of(PREFIX.last);
const LAST: Change = { key: LAST_KEY, value: Uint8Array.of(0) };
const NO_LAST: Change = { key: LAST_KEY, value: undefined };
/** From so many bytes on an entry is large. */
const LARGE_BYTES = 700;

/** What a merge moves at a time, and between two flushes. */
const SLICE_BYTES: number = 256 * 1024;
const FLUSH_BYTES: number = 8 * 1024 * 1024;
/** So many runs are merged at once: a merge holds 64 KiB of each, and the disk what they take. */
const RUNS_MAX = 512;

/**
 * Sorts what comes into runs, one for each flush, appends them to a file, and merges them into the keyspace at the end.
 *
 * A run is written after all that stood in the store before its last group is durable. The file ends when the commit
 * that holds the last entries of the merge says so, by the number of its generation: should the file itself come back, nobody reads it.
 */
export class BulkLoader {
  readonly #o: BulkLoaderOptions;
  readonly #flushes: GroupedFlush;
  #generation: number;
  /** Added and not in a run, by what stands before their keys. */
  #pending: Pending = new Map();
  readonly #writer = new RunWriter();
  #runs: RunPlace[];
  /** Whether these are of an earlier life. */
  #isLeft: boolean;
  #end = 0;
  /** Who waits for the merge that is under way: more than one when an installation gives way to the next meanwhile. */
  #settling: FlushDone[] | undefined;
  #isStopped = false;

  /** @throws what the file says. */
  constructor(options: BulkLoaderOptions) {
    this.#o = options;
    const { keyspace, file, store, later } = options;
    this.#generation = decodeGeneration(keyspace.get(GENERATION_KEY));
    this.#runs = runsIn(file, { store, generation: this.#generation });
    this.#isLeft = this.#runs.length > 0;
    this.#flushes = new GroupedFlush({ gather: (start) => start(), later }, (finish) => this.#flush(finish));
  }

  get isEmpty(): boolean {
    const isAtRest = this.#settling === undefined && !this.#flushes.running;
    return isAtRest && this.#pending.size === 0 && this.#runs.length === 0;
  }

  get isFull(): boolean {
    return this.#runs.length >= RUNS_MAX;
  }

  /** @param prefix what stands before the keys in the keyspace. */
  add(prefix: number, changes: readonly Change[]): void {
    invariant(!this.#isLeft && this.#settling === undefined, "storage.bulk-unsettled", { isLeft: this.#isLeft });
    invariant(!this.#isStopped, "storage.written-after-close");
    if (changes.length === 0) return;
    const pending = this.#pending.get(prefix) ?? [];
    this.#pending.set(prefix, pending);
    for (const { key, value } of changes) {
      if (key.length > KEY_BYTES_MAX) invariant(false, "storage.key-too-long", { length: key.length });
      pending.push({ prefix, text: orderedText(key), value });
    }
  }

  flush(done: FlushDone): void {
    this.#flushes.flush(done);
  }

  settle(done: FlushDone): void {
    if (this.#settling !== undefined) {
      this.#settling.push(done);
      return;
    }
    this.#settling = [done];
    const settled: FlushDone = (failure) => this.#settled(failure);
    this.flush((failure) => {
      if (failure !== undefined) settled(failure);
      else this.#merge(settled);
    });
  }

  /** Nothing more is written. */
  stop(): void {
    this.#isStopped = true;
  }

  #flush(finish: (failure: StorageError | undefined) => void): void {
    const pending = this.#pending;
    this.#pending = new Map();
    this.#o.flush((failure) => {
      if (failure !== undefined || pending.size === 0) finish(failure);
      else if (!this.#isStopped) this.#append(pending, finish);
    });
  }

  #append(pending: Pending, finish: (failure: StorageError | undefined) => void): void {
    const { file, store, fail } = this.#o;
    const isFirst = this.#runs.length === 0;
    const head = isFirst ? encodeHead({ store, generation: this.#generation }) : NOTHING;
    const bytes = this.#writer.write(this.#runs.length + 1, sorted(pending), head);
    file.append(bytes, (error) => {
      const failure = error === null ? undefined : flushFailed(error);
      if (failure === undefined) {
        const start = isFirst ? 0 : this.#end;
        this.#end = start + bytes.length;
        this.#runs.push({ start: start + head.length, end: this.#end });
      } else fail(failure);
      finish(failure);
    });
  }

  #merge(done: FlushDone): void {
    const fail: FlushDone = (failure) => {
      if (failure !== undefined) this.#o.fail(failure);
      done(failure);
    };
    if (this.#runs.length === 0) return done(undefined);
    try {
      this.#move(mergedRuns(this.#o.file, this.#runs), 0, fail);
    } catch (error) {
      fail(failureOf(error));
    }
  }

  /** One slice after the other. */
  #move(entries: Iterator<OrderedEntry>, before: number, done: FlushDone): void {
    if (this.#isStopped) return;
    const group: Change[] = [];
    let bytes = 0;
    let next = entries.next();
    for (; next.done !== true; next = entries.next()) {
      const { key, value } = next.value;
      group.push(next.value);
      bytes += key.length + (value?.length ?? 0);
      if (bytes >= SLICE_BYTES) break;
    }
    const isEnd = next.done === true;
    // First of all: what is written is put in its order.
    group.unshift(!isEnd && bytes >= LARGE_BYTES * group.length ? LAST : NO_LAST);
    if (isEnd) group.push({ key: GENERATION_KEY, value: encodeGeneration(this.#generation + 1) });
    this.#o.keyspace.write(group);
    const unflushed = before + bytes;
    const more = (failure: StorageError | undefined, from: number): void => {
      if (failure !== undefined) return done(failure);
      try {
        this.#move(entries, from, done);
      } catch (error) {
        done(failureOf(error));
      }
    };
    if (isEnd) this.#o.flush((failure) => (failure === undefined ? this.#remove(done) : done(failure)));
    else if (unflushed >= FLUSH_BYTES) this.#o.flush((failure) => more(failure, 0));
    else this.#o.later(() => more(undefined, unflushed));
  }

  #remove(done: FlushDone): void {
    this.#generation++;
    this.#runs = [];
    if (this.#isStopped) return;
    this.#o.file.remove((error) => {
      done(error === null ? undefined : flushFailed(error));
    });
  }

  #settled(failure: StorageError | undefined): void {
    const waiting = this.#settling ?? [];
    this.#settling = undefined;
    if (failure === undefined) this.#isLeft = false;
    for (const done of waiting) done(failure);
  }
}

function failureOf(error: unknown): StorageError {
  return error instanceof StorageError ? error : flushFailed(error);
}

/** In the order of their keys; of several changes of one key the last one only: the sort leaves them in their order. */
function sorted(pending: Pending): RunEntry[] {
  const entries: RunEntry[] = [];
  for (const prefix of [...pending.keys()].sort((a, b) => a - b)) {
    const part = (pending.get(prefix) ?? []).sort((a, b) => (a.text < b.text ? -1 : Number(a.text > b.text)));
    part.forEach((entry, i) => {
      if (part[i + 1]?.text !== entry.text) entries.push(entry);
    });
  }
  return entries;
}

function encodeGeneration(generation: number): Uint8Array {
  const bytes = Buffer.alloc(GENERATION_BYTES);
  bytes.writeUIntBE(generation, 0, GENERATION_BYTES);
  return seal(GENERATION_KEY, bytes);
}

function decodeGeneration(stored: Uint8Array | undefined): number {
  if (stored === undefined) return 0;
  const bytes = unseal(GENERATION_KEY, stored);
  if (bytes?.length !== GENERATION_BYTES) throw damaged("the number of bulk loads", "its checksum differs");
  return Buffer.from(bytes).readUIntBE(0, GENERATION_BYTES);
}
