import {
  close,
  closeSync,
  constants,
  fdatasync,
  fsync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  unlink,
  write,
} from "node:fs";
import { dirname, join } from "node:path";
import { readFrom, writeAt } from "./descriptor-bytes.ts";
import {
  type LogFile,
  type LogFileDone,
  type LogFiles,
  type LogReader,
  type MarkFile,
  segmentName,
} from "./log-files.ts";
import { NodeMarkFile } from "./node-mark-file.ts";

/** Where the flag is known to reach the disk, one call writes and syncs; elsewhere it takes two. */
const SYNC_FLAG: number = process.platform === "linux" ? constants.O_DSYNC : 0;

/** Beside the folder of the log. */
const MARKS_FILE = "flushed";

const SEGMENT_NAME = /^(\d{8})\.wal$/;

/** Where the log of a store is. */
export function logFolderIn(store: string): string {
  return join(store, "log");
}

/** The path of a segment file. */
export function segmentPath(folder: string, segment: number): string {
  return join(folder, segmentName(segment));
}

/** The numbers of the segments in a folder, ascending. */
export function segmentsIn(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Makes a file's content or a folder's entries durable: a new file survives a power cut only with its folder. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the empty log of a new store, durably. */
export function initializeLog(folder: string): void {
  mkdirSync(folder, { mode: 0o700 });
  const path = segmentPath(folder, 1);
  closeSync(openSync(path, "wx", 0o600));
  syncPath(path);
  syncPath(folder);
}

/** What the file of flush marks beside a log holds; nothing if it is not there. */
export function readMarks(folder: string): Buffer {
  try {
    return readFileSync(marksPath(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return Buffer.alloc(0);
  }
}

function marksPath(folder: string): string {
  return join(dirname(folder), MARKS_FILE);
}

/** The segments of a log as files in a folder. */
export class NodeLogFiles implements LogFiles {
  readonly place: string;
  readonly #isSynced: boolean;

  /** @param isSynced whether a write waits for the disk, or for the operating system only. */
  constructor(folder: string, isSynced: boolean) {
    this.place = folder;
    this.#isSynced = isSynced;
  }

  segments(): readonly number[] | undefined {
    try {
      return segmentsIn(this.place);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return undefined;
    }
  }

  read(segment: number): Buffer {
    return readFileSync(this.#path(segment));
  }

  truncate(segment: number, length: number): void {
    truncateSync(this.#path(segment), length);
  }

  settle(segment: number, from: number): void {
    if (!this.#isSynced) return;
    const descriptor = openSync(this.#path(segment), "r+");
    try {
      writeAt(descriptor, readFrom(descriptor, from), from);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    syncPath(this.place);
  }

  removeNow(segment: number): void {
    rmSync(this.#path(segment), { force: true });
  }

  remove(segment: number): void {
    unlink(this.#path(segment), () => undefined);
  }

  open(segment: number): LogFile {
    return new NodeLogFile(openSync(this.#path(segment), this.#flags), this.#isSynced);
  }

  create(segment: number, done: (error: Error | null, file: LogFile | undefined) => void): void {
    open(this.#path(segment), this.#flags | constants.O_EXCL, 0o600, (failed, descriptor) => {
      if (failed !== null) return done(failed, undefined);
      const file = new NodeLogFile(descriptor, this.#isSynced);
      if (!this.#isSynced) return done(null, file);
      syncFolder(this.place, (notSynced) => done(notSynced, file));
    });
  }

  openToRead(segment: number): LogReader {
    const descriptor = openSync(this.#path(segment), "r");
    return {
      read: (at, length) => {
        const bytes = Buffer.alloc(length);
        if (length > 0) readSync(descriptor, bytes, 0, length, at);
        return bytes;
      },
      close: () => closeSync(descriptor),
    };
  }

  openMarks(): MarkFile {
    return new NodeMarkFile(marksPath(this.place));
  }

  later(task: () => void): void {
    setImmediate(task);
  }

  get #flags(): number {
    return constants.O_RDWR | constants.O_CREAT | (this.#isSynced ? SYNC_FLAG : 0);
  }

  #path(segment: number): string {
    return segmentPath(this.place, segment);
  }
}

class NodeLogFile implements LogFile {
  readonly #descriptor: number;
  readonly #isSyncedApart: boolean;

  constructor(descriptor: number, isSynced: boolean) {
    this.#descriptor = descriptor;
    this.#isSyncedApart = isSynced && SYNC_FLAG === 0;
  }

  write(bytes: Buffer, at: number, done: LogFileDone): void {
    this.#writeFrom(bytes, 0, at, done);
  }

  close(done: LogFileDone): void {
    close(this.#descriptor, (error) => done(error ?? null));
  }

  /** A write may be cut short without an error; the rest then tells why. */
  #writeFrom(bytes: Buffer, from: number, at: number, done: LogFileDone): void {
    write(this.#descriptor, bytes, from, bytes.length - from, at + from, (error, count) => {
      if (error !== null) return done(error);
      if (from + count < bytes.length) return this.#writeFrom(bytes, from + count, at, done);
      if (this.#isSyncedApart) return fdatasync(this.#descriptor, done);
      done(null);
    });
  }
}

/** As `syncPath`, without waiting. */
export function syncFolder(path: string, done: LogFileDone): void {
  open(path, "r", (failed, descriptor) => {
    if (failed !== null) return done(failed);
    fsync(descriptor, (notSynced) => close(descriptor, (notClosed) => done(notSynced ?? notClosed ?? null)));
  });
}
