import {
  close,
  closeSync,
  constants,
  fdatasync,
  fsync,
  mkdirSync,
  open,
  openSync,
  readSync,
  unlink,
  write,
} from "node:fs";
import { crc32 } from "node:zlib";
import { invariant, type SequenceNumber } from "@quorate/protocol";
import { damaged, flushFailed } from "./damage.ts";
import type { FlushDomain } from "./flushing.ts";
import { GroupedFlush } from "./grouped-flush.ts";
import { encodeGroup, groupLength, type LogId } from "./log-group.ts";
import type { LiveRecord, LogIndex } from "./log-index.ts";
import { type FlushMark, recoverLog, segmentPath } from "./log-recovery.ts";
import type { LogOperation } from "./memory-log.ts";
import type { DurableLog, FlushDone, LogEntry } from "./ports.ts";
import type { StorageError } from "./storage-error.ts";
import { syncPath } from "./unsynced-mark.ts";

/** How a log is written. */
export interface LogOptions {
  readonly folder: string;
  readonly logId: LogId;
  /** Whether a flush waits for the disk, or for the operating system only. */
  readonly isSynced: boolean;
  /** The last group that other files say was durable. */
  readonly mark: FlushMark;
}

/** A segment that has reached this is followed by another; one is deleted when all of its records have been cut. */
const SEGMENT_BYTES: number = 4 * 1024 * 1024;
/** A file grows in such steps, by zeros: a write inside of it changes no metadata, and its sync is cheaper. */
const GROWTH_BYTES: number = 256 * 1024;
/** Appends that nobody flushes are written when they amount to this many bytes. */
const UNFLUSHED_BYTES_MAX: number = 8 * 1024 * 1024;
/** Where the flag is known to reach the disk, one call writes and syncs; elsewhere it takes two. */
const SYNC_FLAG: number = process.platform === "linux" ? constants.O_DSYNC : 0;

const IGNORE: FlushDone = () => {};

interface Pending {
  readonly operation: LogOperation;
  readonly live: LiveRecord | undefined;
}

type Step = (error: NodeJS.ErrnoException | null) => void;

/** Makes the empty log of a new store, durably. */
export function initializeLog(folder: string): void {
  mkdirSync(folder, { mode: 0o700 });
  const path = segmentPath(folder, 1);
  closeSync(openSync(path, "wx", 0o600));
  syncPath(path);
  syncPath(folder);
}

/**
 * The log as groups appended to segment files. A flush is one group, written by one call; who comes while it is written
 * shares the next. A cut is a record like others; a segment is deleted when nothing of it is left and that is durable.
 */
export class WriteAheadLog implements DurableLog, FlushDomain {
  readonly #options: LogOptions;
  readonly #index: LogIndex;
  readonly #flush: GroupedFlush;
  #descriptor: number;
  #segment: number;
  /** The first segment that may be there still. */
  #oldest: number;
  #end: number;
  /** Bytes that the segment's file has, zeros included. */
  #fileLength: number;
  #flushed: FlushMark;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #isClosed = false;

  /** @throws StorageError as `recoverLog` does. */
  constructor(options: LogOptions) {
    this.#options = options;
    const { index, last, segment, end, oldest } = recoverLog(options.folder, options.logId, options.mark);
    this.#index = index;
    this.#flushed = last;
    this.#segment = segment;
    this.#oldest = oldest;
    this.#end = end;
    this.#fileLength = end;
    this.#descriptor = openSync(segmentPath(options.folder, segment), this.#flags);
    this.#flush = new GroupedFlush({ gather: setImmediate, later: setImmediate }, (finish) => this.#start(finish));
  }

  /** The last group that is durable, or with `async` written. */
  get flushed(): FlushMark {
    return this.#flushed;
  }

  append(seq: SequenceNumber, record: Uint8Array): void {
    invariant(!this.#isClosed, "storage.written-after-close");
    this.#write({ operation: { type: "append", seq, record }, live: this.#index.enter(seq, record) }, record.length);
  }

  cut(upTo: SequenceNumber): void {
    invariant(!this.#isClosed, "storage.written-after-close");
    if (this.#index.cut(upTo)) this.#write({ operation: { type: "cut", upTo }, live: undefined }, 0);
  }

  *entries(): Iterable<LogEntry> {
    const descriptors = new Map<number, number>();
    try {
      for (const live of this.#index.sorted())
        yield { seq: live.seq, record: live.bytes ?? this.#read(live, descriptors) };
    } finally {
      for (const descriptor of descriptors.values()) closeSync(descriptor);
    }
  }

  flush(done: FlushDone): void {
    this.#flush.flush(done);
  }

  /** Nothing can be written any more. */
  seal(): void {
    this.#isClosed = true;
  }

  /** Lets go of the files; after the last flush. */
  close(): Promise<void> {
    return new Promise((resolve, reject) =>
      close(this.#descriptor, (error) => (error === null || error === undefined ? resolve() : reject(error))),
    );
  }

  get #flags(): number {
    return constants.O_RDWR | constants.O_CREAT | (this.#options.isSynced ? SYNC_FLAG : 0);
  }

  #write(pending: Pending, bytes: number): void {
    this.#pending.push(pending);
    this.#pendingBytes += bytes;
    if (this.#pendingBytes > UNFLUSHED_BYTES_MAX && !this.#flush.running) this.flush(IGNORE);
  }

  #start(finish: (failure: StorageError | undefined) => void): void {
    if (this.#pending.length === 0) {
      finish(undefined);
      return;
    }
    if (this.#end < SEGMENT_BYTES) {
      this.#writeGroup(finish);
      return;
    }
    this.#startSegment((error) => {
      if (error === null) this.#writeGroup(finish);
      else finish(flushFailed(error));
    });
  }

  /** The next segment is there, durably, before anything is written to it: all before it has been flushed. */
  #startSegment(done: Step): void {
    const { folder, isSynced } = this.#options;
    const before = this.#descriptor;
    open(segmentPath(folder, this.#segment + 1), this.#flags | constants.O_EXCL, 0o600, (failed, descriptor) => {
      if (failed !== null) return done(failed);
      this.#descriptor = descriptor;
      this.#segment += 1;
      this.#end = 0;
      this.#fileLength = 0;
      close(before, (notClosed) => {
        if (notClosed != null || !isSynced) return done(notClosed ?? null);
        syncFolder(folder, done);
      });
    });
  }

  #writeGroup(finish: (failure: StorageError | undefined) => void): void {
    const written = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const operations = written.map(({ operation }) => operation);
    const end = this.#end + groupLength(operations);
    const fileLength = end > this.#fileLength ? Math.ceil(end / GROWTH_BYTES) * GROWTH_BYTES : end;
    const { group, oldest, number } = this.#encode(written, operations, fileLength - this.#end);
    this.#writeAll(group.bytes, 0, (error) => {
      if (error !== null) return finish(flushFailed(error));
      this.#end = end;
      this.#fileLength = Math.max(this.#fileLength, fileLength);
      this.#flushed = { number, checksum: group.checksum };
      for (const { live } of written) if (live !== undefined) live.bytes = undefined;
      this.#deleteBelow(oldest);
      finish(undefined);
    });
  }

  #encode(
    written: readonly Pending[],
    operations: readonly LogOperation[],
    bytesLength: number,
  ): { group: ReturnType<typeof encodeGroup>; oldest: number; number: number } {
    const [segment, offset, number] = [this.#segment, this.#end, this.#flushed.number + 1];
    const oldest = this.#index.oldestSegment(segment);
    const place = { segment, offset, number, previous: this.#flushed.checksum, oldest };
    const group = encodeGroup(this.#options.logId, place, operations, bytesLength);
    for (const [i, { live }] of written.entries()) {
      if (live !== undefined) this.#index.place(live, segment, offset + (group.recordsAt[i] ?? 0));
    }
    return { group, oldest, number };
  }

  /** A write may be cut short without an error; the rest then tells why. */
  #writeAll(bytes: Buffer, from: number, done: Step): void {
    write(this.#descriptor, bytes, from, bytes.length - from, this.#end + from, (error, count) => {
      if (error !== null) return done(error);
      if (from + count < bytes.length) return this.#writeAll(bytes, from + count, done);
      if (this.#options.isSynced && SYNC_FLAG === 0) return fdatasync(this.#descriptor, done);
      done(null);
    });
  }

  /** The group that says they are not needed is durable. What stays by an error or a crash goes at the next start. */
  #deleteBelow(oldest: number): void {
    for (; this.#oldest < oldest; this.#oldest++)
      unlink(segmentPath(this.#options.folder, this.#oldest), () => undefined);
  }

  #read({ seq, segment, offset, length, checksum }: LiveRecord, descriptors: Map<number, number>): Uint8Array {
    let descriptor = descriptors.get(segment);
    if (descriptor === undefined) {
      descriptor = openSync(segmentPath(this.#options.folder, segment), "r");
      descriptors.set(segment, descriptor);
    }
    const record = Buffer.alloc(length);
    if (length > 0) readSync(descriptor, record, 0, length, offset);
    if (crc32(record) !== checksum) throw damaged(`log record of sequence number ${seq}`, "its checksum differs");
    return record;
  }
}

function syncFolder(path: string, done: Step): void {
  open(path, "r", (failed, descriptor) => {
    if (failed !== null) return done(failed);
    fsync(descriptor, (notSynced) => close(descriptor, (notClosed) => done(notSynced ?? notClosed ?? null)));
  });
}
