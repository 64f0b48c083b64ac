import { invariant } from "@quorate/protocol";
import type { LogFile, LogFileDone, LogFiles, LogReader, MarkFile } from "./log-files.ts";
import { readMarks } from "./node-log-files.ts";

/** Where the segments are read from. */
export type LogSource = Pick<LogFiles, "place" | "segments" | "read" | "openToRead">;

/**
 * The files of a log that is looked at: what a start would cut off or remove is out of sight, and on the disk as it was. So
 * the log is read by the same code that a start uses, whose writes go nowhere.
 */
export class ReadOnlyLogFiles implements LogFiles {
  readonly #source: LogSource;
  /** The length of a segment that a start would cut off. */
  readonly #lengths = new Map<number, number>();
  readonly #removed = new Set<number>();
  #tornBytes = 0;

  constructor(source: LogSource) {
    this.#source = source;
  }

  get place(): string {
    return this.#source.place;
  }

  /** How many bytes of a write that was cut short a start would remove; the zeros that a file grows by do not count. */
  get tornBytes(): number {
    return this.#tornBytes;
  }

  segments(): readonly number[] | undefined {
    return this.#source.segments()?.filter((segment) => !this.#removed.has(segment));
  }

  read(segment: number): Buffer {
    return this.#source.read(segment).subarray(0, this.#lengths.get(segment));
  }

  truncate(segment: number, length: number): void {
    this.#tornBytes = lengthOfWritten(this.read(segment).subarray(length));
    this.#lengths.set(segment, length);
  }

  settle(): void {
    // Nothing is promised on the strength of what is read here.
  }

  removeNow(segment: number): void {
    this.#removed.add(segment);
  }

  remove(segment: number): void {
    this.#removed.add(segment);
  }

  open(): LogFile {
    return { write: refuse, close: (done) => this.later(() => done(null)) };
  }

  create(): void {
    refuse();
  }

  openToRead(segment: number): LogReader {
    return this.#source.openToRead(segment);
  }

  openMarks(): MarkFile {
    const marks = readMarks(this.place);
    return {
      read: () => marks,
      // A start notes how far it found the log.
      write: () => undefined,
      close: (done: LogFileDone) => this.later(() => done(null)),
    };
  }

  later(task: () => void): void {
    setImmediate(task);
  }
}

function lengthOfWritten(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

function refuse(): void {
  invariant(false, "storage.written-while-reading");
}
