import { type Change, invariant } from "@quorate/protocol";
import type { RootDatabase } from "lmdb";
import { GroupedFlush } from "./grouped-flush.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Disk } from "./keyspace-store.ts";
import { type OrderedEntry, OrderedMap, orderedText } from "./ordered-map.ts";
import type { FlushDone } from "./ports.ts";
import { StorageError } from "./storage-error.ts";

/** The database as this package opens it: bytes to bytes. */
export type BytesDatabase = RootDatabase<Buffer, Buffer>;

/** Writes that nobody flushes are committed when they amount to this many bytes. */
const UNFLUSHED_BYTES_MAX: number = 8 * 1024 * 1024;

const IGNORE: FlushDone = () => {};

/**
 * One LMDB database and, over it, what is written but not yet committed. Every flush is one transaction: all groups since
 * the last, so a crash leaves whole groups in order. A write cannot be read from LMDB before its commit: the overlay
 * answers until then.
 */
export class LmdbKeyspace implements Keyspace, Disk {
  readonly #database: BytesDatabase;
  readonly #flush: GroupedFlush;
  readonly #afterClose: () => void;
  /** Written, not yet handed to LMDB. With `#committing` bounded by what is written while one flush runs. */
  #pending = new OrderedMap();
  #pendingBytes = 0;
  /** Handed to LMDB, not yet committed. */
  #committing = new OrderedMap();
  #closing: Promise<void> | undefined;

  constructor(database: BytesDatabase, afterClose: () => void) {
    this.#database = database;
    this.#afterClose = afterClose;
    // The check phase follows all I/O callbacks of a turn: their writes share the transaction.
    const timing = { gather: setImmediate, later: setImmediate };
    this.#flush = new GroupedFlush(timing, (finish) => this.#commit(finish));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#pending.size > 0 || this.#committing.size > 0) {
      const text = orderedText(key);
      const entry = this.#pending.get(text) ?? this.#committing.get(text);
      if (entry !== undefined) return entry.value;
    }
    return this.#database.getBinary(asBuffer(key));
  }

  range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    invariant(to !== undefined, "storage.open-range");
    const [low, high] = [orderedText(from), orderedText(to)];
    const stored = this.#stored(from, to);
    const committing = this.#committing.range(low, high);
    const pending = this.#pending.range(low, high);
    const written = pending.length === 0 ? committing : [...overlaid(committing, pending)];
    return written.length === 0 ? present(stored) : present(overlaid(stored, written));
  }

  write(changes: readonly Change[]): void {
    invariant(this.#closing === undefined, "storage.written-after-close");
    for (const { key, value } of changes) {
      this.#pending.set(orderedText(key), { key, value });
      this.#pendingBytes += key.length + (value?.length ?? 0);
    }
    if (this.#pendingBytes > UNFLUSHED_BYTES_MAX && !this.#flush.running) this.flush(IGNORE);
  }

  flush(done: FlushDone): void {
    if (this.#closing === undefined) this.#flush.flush(done);
    else setImmediate(() => done(new StorageError("storage.closed", "the store is closed")));
  }

  close(): Promise<void> {
    // The last flush covers all writes; nothing can be written after it has begun.
    this.#closing ??= new Promise<void>((resolve) => this.#flush.flush(() => resolve()))
      .then(() => this.#database.close())
      .then(this.#afterClose);
    return this.#closing;
  }

  #commit(finish: (failure: StorageError | undefined) => void): void {
    this.#committing = this.#pending;
    this.#pending = new OrderedMap();
    this.#pendingBytes = 0;
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
        finish(undefined);
      },
      (error: unknown) => {
        // lmdb tells the reason in a second promise, which would end the process as an unhandled rejection.
        const reason = (error as { readonly commitError?: Promise<never> }).commitError ?? Promise.reject(error);
        reason.catch((cause: unknown) => finish(flushFailed(cause)));
      },
    );
  }

  *#stored(from: Uint8Array, to: Uint8Array): Iterable<OrderedEntry> {
    for (const { key, value } of this.#database.getRange({ start: asBuffer(from), end: asBuffer(to) })) {
      yield { key, value };
    }
  }
}

function* present(entries: Iterable<OrderedEntry>): Iterable<readonly [Uint8Array, Uint8Array]> {
  for (const { key, value } of entries) if (value !== undefined) yield [key, value];
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

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function flushFailed(error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error);
  const advice = "nothing that waits for it may be said; end the process, repair the disk, start again";
  return new StorageError("storage.flush-failed", `a write did not become durable: ${reason}; ${advice}`, error);
}
