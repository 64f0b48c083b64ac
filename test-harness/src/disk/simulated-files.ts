import type { LogFile, LogFileDone, LogFiles, LogReader } from "@quorate/storage/memory";
import type { Marks } from "../marks.ts";
import type { Prng } from "../prng.ts";

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** Segments that a crash may bring back; what matters of older ones is that recovery removes them. */
const REMOVED_MAX = 4;

/** What simulated files stand on. */
export interface SimulatedFilesOptions {
  readonly place: string;
  readonly prng: Prng;
  readonly marks: Marks;
  /** Takes what completes a write and runs it once, later, in the order given. */
  readonly schedule: (complete: () => void) => void;
  /** Runs a task soon, after the current one. */
  readonly soon: (task: () => void) => void;
  /** A write begins. */
  readonly onWrite: () => void;
  /** It is durable. */
  readonly onDurable: () => void;
}

interface Write {
  readonly segment: number;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * The folder of a log on a disk that breaks. What was synced is there after a crash; of what was not, whatever a disk might
 * leave: nothing, all of it, the first bytes, some of its sectors; a file that was made or deleted, or not.
 */
export class SimulatedFiles implements LogFiles {
  readonly place: string;
  readonly #options: SimulatedFilesOptions;
  /** What a crash leaves for sure. */
  #segments: Map<number, Buffer> | undefined = new Map([[1, Buffer.alloc(0)]]);
  /** Deleted, and not yet for good. */
  readonly #removed = new Map<number, Buffer>();
  #writing: Write | undefined;
  #creating: number | undefined;
  /** Counts lives: what an earlier one waited for never comes. */
  #life = 0;
  #failsNext = false;
  #isFull = false;

  constructor(options: SimulatedFilesOptions) {
    this.place = options.place;
    this.#options = options;
  }

  /** The segments' bytes, for damage; undefined when the folder is gone. */
  get contents(): Map<number, Buffer> | undefined {
    return this.#segments;
  }
  set contents(segments: Map<number, Buffer> | undefined) {
    this.#segments = segments;
  }

  get isFull(): boolean {
    return this.#isFull;
  }
  /** While it is, every write fails after a part of it. */
  set isFull(isFull: boolean) {
    this.#isFull = isFull;
  }

  failNextWrite(): void {
    this.#failsNext = true;
  }

  segments(): readonly number[] | undefined {
    return this.#segments && [...this.#segments.keys()].sort((a, b) => a - b);
  }

  read(segment: number): Buffer {
    return Buffer.from(this.#content(segment));
  }

  truncate(segment: number, length: number): void {
    this.#segments?.set(segment, this.#content(segment).subarray(0, length));
  }

  removeNow(segment: number): void {
    const content = this.#segments?.get(segment);
    if (content === undefined) return;
    this.#options.marks.add("disk: segment deleted");
    this.#segments?.delete(segment);
    this.#removed.set(segment, content);
    for (const oldest of this.#removed.keys()) if (this.#removed.size > REMOVED_MAX) this.#removed.delete(oldest);
  }

  remove(segment: number): void {
    this.removeNow(segment);
  }

  open(segment: number): LogFile {
    return {
      write: (bytes, at, done) => this.#write({ segment, at, bytes }, done),
      close: (done) => this.later(() => done(null)),
    };
  }

  create(segment: number, done: (error: Error | null, file: LogFile | undefined) => void): void {
    this.#creating = segment;
    this.#later(this.#options.schedule, () => {
      this.#creating = undefined;
      this.#segments?.set(segment, Buffer.alloc(0));
      // Its folder has been synced: what was deleted before is gone for good.
      this.#removed.clear();
      this.#options.marks.add("disk: segment begun");
      done(null, this.open(segment));
    });
  }

  openToRead(segment: number): LogReader {
    return {
      read: (at, length) => Uint8Array.from(this.#content(segment).subarray(at, at + length)),
      close: () => undefined,
    };
  }

  later(task: () => void): void {
    this.#later(this.#options.soon, task);
  }

  /** Cuts the power. */
  crash(): void {
    this.#life += 1;
    this.#failsNext = false;
    const { prng } = this.#options;
    if (this.#writing !== undefined) this.#tear(this.#writing);
    if (this.#creating !== undefined && prng.chance(0.5)) this.#segments?.set(this.#creating, Buffer.alloc(0));
    for (const [segment, content] of this.#removed)
      if (prng.chance(0.3)) {
        this.#options.marks.add("disk: deleted segment came back");
        this.#segments?.set(segment, content);
      }
    this.#removed.clear();
    this.#writing = undefined;
    this.#creating = undefined;
  }

  #content(segment: number): Buffer {
    const content = this.#segments?.get(segment);
    if (content === undefined) throw new Error(`${this.place}: segment ${segment} is not there`);
    return content;
  }

  #later(timing: (task: () => void) => void, task: () => void): void {
    const life = this.#life;
    timing(() => {
      if (this.#life === life) task();
    });
  }

  #write(write: Write, done: LogFileDone): void {
    const { marks, onWrite, onDurable, schedule } = this.#options;
    onWrite();
    this.#writing = write;
    this.#later(schedule, () => {
      if (this.#isFull) {
        marks.add("disk: full");
        this.#keep(write, this.#options.prng.integer(0, write.bytes.length - 1));
        return done(new Error("ENOSPC: no space left on device"));
      }
      // What it has written of this nobody knows: the crash that must follow says so.
      if (this.#failsNext) return done(new Error("EIO: i/o error"));
      this.#writing = undefined;
      this.#keep(write, write.bytes.length);
      onDurable();
      done(null);
    });
  }

  /** A write that was under way when the power went. */
  #tear(write: Write): void {
    const { prng, marks } = this.#options;
    const fate = prng.pick<keyof typeof FATES>(["lost", "whole", "cut", "cut", "sectors", "sectors"]);
    marks.add(`disk: write ${FATES[fate]}`);
    if (fate === "whole") this.#keep(write, write.bytes.length);
    if (fate === "cut") this.#keep(write, prng.integer(1, write.bytes.length - 1));
    if (fate === "sectors") this.#keepSectors(write);
  }

  /** The first bytes of a write reach the disk. */
  #keep({ segment, at, bytes }: Write, count: number): void {
    this.#put(segment, at, bytes.subarray(0, count));
  }

  #keepSectors({ segment, at, bytes }: Write): void {
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES));
      if (this.#options.prng.chance(0.5)) this.#put(segment, at + from, bytes.subarray(from, to));
      from = to;
    }
  }

  #put(segment: number, at: number, bytes: Uint8Array): void {
    let content = this.#segments?.get(segment);
    if (content === undefined) return;
    if (at + bytes.length > content.length) {
      const longer = Buffer.alloc(at + bytes.length);
      longer.set(content);
      content = longer;
      this.#segments?.set(segment, content);
    }
    content.set(bytes, at);
  }
}

const FATES = {
  lost: "lost",
  whole: "kept before it was confirmed",
  cut: "cut short",
  sectors: "torn by sectors",
} as const;
