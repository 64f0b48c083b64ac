/** Calls back once, later than the call, with the reason why it did not work or null. */
export type LogFileDone = (error: Error | null) => void;

/** One segment that is written on. */
export interface LogFile {
  /** Writes all of `bytes` from byte `at`; done when they are as durable as the log is to be. One write at a time. */
  write(bytes: Buffer, at: number, done: LogFileDone): void;
  close(done: LogFileDone): void;
}

/** One segment as it is read record by record. */
export interface LogReader {
  read(at: number, length: number): Uint8Array;
  close(): void;
}

/** The file that says what of the log was flushed. */
export interface MarkFile {
  /** All that is there, however often it is asked for. */
  read(): Buffer;
  /** Writes all of `bytes` from byte `at`, at once, as far as the operating system. @throws when it does not take them. */
  write(bytes: Buffer, at: number): void;
  close(done: LogFileDone): void;
}

/**
 * The files that a log consists of: its segments, by number, and the marks of what was flushed. The write-ahead log knows no other way to a disk, so that it
 * runs unchanged over a simulated one.
 */
export interface LogFiles {
  /** Where they are, for messages. */
  readonly place: string;
  /** The numbers of the segments that are there, ascending; undefined if even their folder is not. */
  segments(): readonly number[] | undefined;
  read(segment: number): Buffer;
  /** Cuts a segment off; a crash may bring back what was there, until `settle`. */
  truncate(segment: number, length: number): void;
  /**
   * Writes again what a segment holds from byte `from`, and makes all of it, and that the segment is there, as durable as
   * the log is to be; done when it returns.
   */
  settle(segment: number, from: number): void;
  /** Removes a segment that nobody needs, at once; a crash may bring it back. */
  removeNow(segment: number): void;
  /** As `removeNow`, without waiting and without a word when it fails. */
  remove(segment: number): void;
  /** Opens a segment that is there. */
  open(segment: number): LogFile;
  /** Makes a segment that is not there; done when a crash cannot take it away again. */
  create(segment: number, done: (error: Error | null, file: LogFile | undefined) => void): void;
  openToRead(segment: number): LogReader;
  /** Opens the marks; there are none yet in a log that is new. */
  openMarks(): MarkFile;
  /** Runs a task after the current call has returned and what else this turn brings. */
  later(task: () => void): void;
}

/** The name of a segment's file. */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(8, "0")}.wal`;
}

/** A segment's file and where it is, for messages. */
export function nameOf(place: string, segment: number): string {
  return `${place}/${segmentName(segment)}`;
}
