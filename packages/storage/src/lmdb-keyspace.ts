import { type Change, invariant } from "@quorate/protocol";
import type { RootDatabase } from "lmdb";
import { flushFailed } from "./damage.ts";
import type { LazyDomain } from "./flushing.ts";
import { GroupedFlush } from "./grouped-flush.ts";
import type { Keyspace } from "./keyspace.ts";
import { type OrderedEntry, OrderedMap, orderedText } from "./ordered-map.ts";
import type { FlushDone } from "./ports.ts";
import type { StorageError } from "./storage-error.ts";

/** The database as this package opens it: bytes to bytes. */
export type BytesDatabase = RootDatabase<Buffer, Buffer>;

/** What each commit carries, and who hears when one fails that nobody waits for. */
export interface CommitPlan {
  /** A change that belongs into every commit; undefined when the last one holds it. */
  readonly mark: () => Change | undefined;
  readonly onFailure: (failure: StorageError) => void;
}

/** Writes that nobody flushes are committed after this time, or when they amount to so many bytes. */
const COMMIT_AFTER_MS = 500;
const COMMIT_BYTES: number = 8 * 1024 * 1024;
/** So many bytes may wait for the disk before whoever writes must wait with them. */
const OVERLAY_BYTES_MAX: number = 32 * 1024 * 1024;

/**
 * One LMDB database and, over it, what is written but not yet committed. One commit is one transaction: all groups since
 * the last, so a crash leaves whole groups in order. A write cannot be read from LMDB before its commit: the overlay
 * answers until then.
 */
export class LmdbKeyspace implements Keyspace, LazyDomain {
  readonly #database: BytesDatabase;
  readonly #plan: CommitPlan;
  readonly #flush: GroupedFlush;
  /** Written, not yet handed to LMDB. */
  #pending = new OrderedMap();
  #pendingBytes = 0;
  /** Handed to LMDB, not yet committed. */
  #committing = new OrderedMap();
  #committingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isSealed = false;

  constructor(database: BytesDatabase, plan: CommitPlan) {
    this.#database = database;
    this.#plan = plan;
    // The check phase follows all I/O callbacks of a turn: their writes share the transaction.
    const timing = { gather: setImmediate, later: setImmediate };
    this.#flush = new GroupedFlush(timing, (finish) => this.#commit(finish));
  }

  get isFull(): boolean {
    return this.#pendingBytes + this.#committingBytes > OVERLAY_BYTES_MAX;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#pending.size > 0 || this.#committing.size > 0) {
      const text = orderedText(key);
      const entry = this.#pending.get(text) ?? this.#committing.get(text);
      if (entry !== undefined) return entry.value;
    }
    const found = this.#database.getBinaryFast(asBuffer(key));
    return found === undefined ? undefined : copyOf(found);
  }

  range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    invariant(to !== undefined, "storage.open-range");
    return present(this.#overlaid(this.#stored(from, to), from, to));
  }

  keys(from: Uint8Array, to: Uint8Array | undefined): Iterable<Uint8Array> {
    invariant(to !== undefined, "storage.open-range");
    return presentKeys(this.#overlaid(this.#storedKeys(from, to), from, to));
  }

  write(changes: readonly Change[]): void {
    invariant(!this.#isSealed, "storage.written-after-close");
    for (const change of changes) {
      const { key, value } = change;
      this.#pending.set(orderedText(key), change);
      this.#pendingBytes += key.length + (value?.length ?? 0);
    }
    if (this.#pendingBytes > COMMIT_BYTES && !this.#flush.running) this.#commitUnasked();
    else this.#timer ??= setTimeout(() => this.#commitUnasked(), COMMIT_AFTER_MS);
  }

  flush(done: FlushDone): void {
    this.#flush.flush(done);
  }

  seal(): void {
    this.#isSealed = true;
    clearTimeout(this.#timer);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #commitUnasked(): void {
    this.#flush.flush((failure) => {
      if (failure !== undefined) this.#plan.onFailure(failure);
    });
  }

  #commit(finish: (failure: StorageError | undefined) => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#committing = this.#pending;
    this.#committingBytes = this.#pendingBytes;
    this.#pending = new OrderedMap();
    this.#pendingBytes = 0;
    const mark = this.#plan.mark();
    if (mark !== undefined) this.#committing.set(orderedText(mark.key), mark);
    if (this.#committing.size === 0) {
      finish(undefined);
      return;
    }
    const committed = this.#database.batch(() => {
      for (const { key, value } of this.#committing.values()) {
        if (value === undefined) void this.#database.remove(asBuffer(key));
        else void this.#database.put(asBuffer(key), asBuffer(value));
      }
    });
    committed.then(
      () => {
        // Reads from here on come from LMDB, so its snapshot must not be older than this commit.
        this.#database.resetReadTxn();
        this.#committing = new OrderedMap();
        this.#committingBytes = 0;
        finish(undefined);
      },
      (error: unknown) => {
        // lmdb tells the reason in a second promise, which would end the process as an unhandled rejection.
        const reason = (error as { readonly commitError?: Promise<never> }).commitError ?? Promise.reject(error);
        reason.catch((cause: unknown) => finish(flushFailed(cause)));
      },
    );
  }

  /** What is stored with what is written and not yet committed over it. */
  #overlaid(stored: Iterable<OrderedEntry>, from: Uint8Array, to: Uint8Array): Iterable<OrderedEntry> {
    const [low, high] = [orderedText(from), orderedText(to)];
    const committing = this.#committing.range(low, high);
    const pending = this.#pending.range(low, high);
    const written = pending.length === 0 ? committing : [...overlaid(committing, pending)];
    return written.length === 0 ? stored : overlaid(stored, written);
  }

  *#stored(from: Uint8Array, to: Uint8Array): Iterable<OrderedEntry> {
    for (const { key, value } of this.#database.getRange({ start: asBuffer(from), end: asBuffer(to) })) {
      yield { key, value };
    }
  }

  *#storedKeys(from: Uint8Array, to: Uint8Array): Iterable<OrderedEntry> {
    for (const key of this.#database.getKeys({ start: asBuffer(from), end: asBuffer(to) }))
      yield { key, value: UNREAD };
  }
}

/** Stands for a value that is there and was not read. */
const UNREAD = new Uint8Array(0);

function* present(entries: Iterable<OrderedEntry>): Iterable<readonly [Uint8Array, Uint8Array]> {
  for (const { key, value } of entries) if (value !== undefined) yield [key, value];
}

function* presentKeys(entries: Iterable<OrderedEntry>): Iterable<Uint8Array> {
  for (const { key, value } of entries) if (value !== undefined) yield key;
}

/** Both ascending sequences as one; of equal keys the upper one's entry. */
function* overlaid(lower: Iterable<OrderedEntry>, upper: readonly OrderedEntry[]): Iterable<OrderedEntry> {
  let at = 0;
  for (const entry of lower) {
    let above = upper[at];
    let order = above === undefined ? 1 : Buffer.compare(above.key, entry.key);
    while (above !== undefined && order < 0) {
      yield above;
      above = upper[++at];
      order = above === undefined ? 1 : Buffer.compare(above.key, entry.key);
    }
    if (order !== 0) yield entry;
  }
  yield* upper.slice(at);
}

/** What was read holds until the next read only. Short copies share memory blocks: one of its own costs more than the read. */
function copyOf(found: Buffer): Buffer {
  const { length } = found;
  const copy = Buffer.allocUnsafe(length);
  // Its length is one that lmdb has put over that of the whole buffer, which `set` would take.
  copy.set(found.subarray(0, length));
  return copy;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
