import { crc32 } from "node:zlib";
import { invariant, type SequenceNumber } from "@quorate/protocol";
import { damaged, flushFailed, readAtStart } from "./damage.ts";
import { FlushMarks } from "./flush-marks.ts";
import type { FlushDomain } from "./flushing.ts";
import { GroupedFlush } from "./grouped-flush.ts";
import { type LogFile, type LogFileDone, type LogFiles, type LogReader, nameOf } from "./log-files.ts";
import { encodeGroup, groupLength, type LogId } from "./log-group.ts";
import type { LiveRecord, LogIndex } from "./log-index.ts";
import { type FlushMark, type RecoveredLog, recoverLog } from "./log-recovery.ts";
import type { LogOperation } from "./memory-log.ts";
import type { DurableLog, FlushDone, LogEntry } from "./ports.ts";
import type { StorageError } from "./storage-error.ts";

/** How a log is written. */
export interface LogOptions {
  readonly files: LogFiles;
  readonly logId: LogId;
  /** The last group that other files say was durable; the log's own marks may say more. */
  readonly mark: FlushMark;
  /** `SEGMENT_SIZES` unless given. */
  readonly sizes?: SegmentSizes;
}

/** How large the files of a log become. */
export interface SegmentSizes {
  /** A segment that has reached this is followed by another; one is deleted when all of its records have been cut. */
  readonly segmentBytes: number;
  /** A file grows in such steps, by zeros: a write inside of it changes no metadata, and its sync is cheaper. */
  readonly growthBytes: number;
}

const SEGMENT_SIZES: SegmentSizes = { segmentBytes: 4 * 1024 * 1024, growthBytes: 256 * 1024 };
/** Appends that nobody flushes are written when they amount to this many bytes. */
const UNFLUSHED_BYTES_MAX: number = 8 * 1024 * 1024;
const IGNORE = (): void => undefined;

interface Pending {
  readonly operation: LogOperation;
  readonly live: LiveRecord | undefined;
}

/**
 * The log as groups appended to segment files. A flush is one group, written by one call; who comes while it is written
 * shares the next. A cut is a record like others; a segment is deleted when nothing of it is left and that is durable.
 */
export class WriteAheadLog implements DurableLog, FlushDomain {
  readonly #files: LogFiles;
  readonly #logId: LogId;
  readonly #marks: FlushMarks;
  readonly #sizes: SegmentSizes;
  readonly #index: LogIndex;
  readonly #flush: GroupedFlush;
  #file: LogFile;
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
  constructor({ files, logId, mark, sizes = SEGMENT_SIZES }: LogOptions) {
    this.#files = files;
    this.#logId = logId;
    this.#marks = readAtStart(`the flush marks beside ${files.place}`, () => new FlushMarks(files.openMarks(), logId));
    this.#sizes = sizes;
    const { index, last, segment, end, oldest, file } = this.#recover(mark);
    this.#index = index;
    this.#flushed = last;
    this.#segment = segment;
    this.#oldest = oldest;
    this.#end = end;
    this.#fileLength = end;
    this.#file = file;
    const later = (task: () => void): void => files.later(task);
    this.#flush = new GroupedFlush({ gather: later, later }, (finish) => this.#start(finish));
  }

  #recover(mark: FlushMark): RecoveredLog & { readonly file: LogFile } {
    try {
      const { found } = this.#marks;
      const recovered = recoverLog(this.#files, this.#logId, found.number > mark.number ? found : mark);
      const { last, segment } = recovered;
      // It is durable now, and counts: damage to it must not be taken for a flush that was cut short.
      const failure = last.number > found.number ? this.#mark(last) : undefined;
      if (failure !== undefined) throw failure;
      return { ...recovered, file: readAtStart(nameOf(this.#files.place, segment), () => this.#files.open(segment)) };
    } catch (error) {
      this.#marks.close(IGNORE);
      throw error;
    }
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
    const readers = new Map<number, LogReader>();
    try {
      for (const live of this.#index.sorted()) yield { seq: live.seq, record: live.bytes ?? this.#read(live, readers) };
    } finally {
      for (const reader of readers.values()) reader.close();
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
    return new Promise((resolve, reject) => {
      this.#file.close((failed) => {
        this.#marks.close((error) => (failed === null && error === null ? resolve() : reject(failed ?? error)));
      });
    });
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
    if (this.#end < this.#sizes.segmentBytes) {
      this.#writeGroup(finish);
      return;
    }
    this.#startSegment((error) => {
      if (error === null) this.#writeGroup(finish);
      else finish(flushFailed(error));
    });
  }

  /** The next segment is there, durably, before anything is written to it: all before it has been flushed. */
  #startSegment(done: LogFileDone): void {
    const before = this.#file;
    this.#files.create(this.#segment + 1, (failed, file) => {
      if (file !== undefined) {
        this.#file = file;
        this.#segment += 1;
        this.#end = 0;
        this.#fileLength = 0;
      }
      if (failed !== null) return done(failed);
      before.close(done);
    });
  }

  #writeGroup(finish: (failure: StorageError | undefined) => void): void {
    const written = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const operations = written.map(({ operation }) => operation);
    const end = this.#end + groupLength(operations);
    const { growthBytes } = this.#sizes;
    const fileLength = end > this.#fileLength ? Math.ceil(end / growthBytes) * growthBytes : end;
    const { group, oldest, number } = this.#encode(written, operations, fileLength - this.#end);
    this.#file.write(group.bytes, this.#end, (error) => {
      if (error !== null) return finish(flushFailed(error));
      this.#end = end;
      this.#fileLength = Math.max(this.#fileLength, fileLength);
      this.#flushed = { number, checksum: group.checksum };
      for (const { live } of written) if (live !== undefined) live.bytes = undefined;
      this.#deleteBelow(oldest);
      finish(this.#mark(this.#flushed));
    });
  }

  #mark(flushed: FlushMark): StorageError | undefined {
    try {
      this.#marks.write(flushed);
      return undefined;
    } catch (error) {
      return flushFailed(error);
    }
  }

  #encode(
    written: readonly Pending[],
    operations: readonly LogOperation[],
    bytesLength: number,
  ): { group: ReturnType<typeof encodeGroup>; oldest: number; number: number } {
    const [segment, offset, number] = [this.#segment, this.#end, this.#flushed.number + 1];
    const oldest = this.#index.oldestSegment(segment);
    const place = { segment, offset, number, previous: this.#flushed.checksum, oldest };
    const group = encodeGroup(this.#logId, place, operations, bytesLength);
    for (const [i, { live }] of written.entries()) {
      if (live !== undefined) this.#index.place(live, segment, offset + (group.recordsAt[i] ?? 0));
    }
    return { group, oldest, number };
  }

  /** The group that says they are not needed is durable. What stays by an error or a crash goes at the next start. */
  #deleteBelow(oldest: number): void {
    for (; this.#oldest < oldest; this.#oldest++) this.#files.remove(this.#oldest);
  }

  #read({ seq, segment, offset, length, checksum }: LiveRecord, readers: Map<number, LogReader>): Uint8Array {
    const record = readAtStart(nameOf(this.#files.place, segment), () => {
      const reader = readers.get(segment) ?? this.#files.openToRead(segment);
      readers.set(segment, reader);
      return reader.read(offset, length);
    });
    if (crc32(record) !== checksum) throw damaged(`log record of sequence number ${seq}`, "its checksum differs");
    return record;
  }
}
