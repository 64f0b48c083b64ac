import type { LogFile, LogFileDone, LogFiles, LogReader, MarkFile } from "@quorate/storage/memory";
import type { Marks } from "../marks.ts";
import type { Prng } from "../prng.ts";
import { CachedSegments, SECTOR_BYTES } from "./cached-segments.ts";
import { SimulatedMarks } from "./simulated-marks.ts";

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

/** How a process ends that says nothing before: with the whole machine, or alone. */
export type CrashKind = "power-cut" | "kill";

/**
 * The folder of a log on a disk that breaks. What was synced is there after a power cut; of what was not, whatever a disk
 * might leave: nothing, all of it, the first bytes, some of its sectors; a file that was made or deleted, or not. When only
 * the process is killed, the operating system keeps what it was given.
 */
export class SimulatedFiles implements LogFiles {
  readonly place: string;
  /** Beside the segments, what of them was flushed. */
  readonly marks: SimulatedMarks = new SimulatedMarks();
  readonly #options: SimulatedFilesOptions;
  readonly #segments = new CachedSegments();
  /** Deleted, and not yet for good. */
  readonly #removed = new Map<number, Buffer>();
  #writing: Write | undefined;
  #creating: number | undefined;
  /** Counts lives: what an earlier one waited for never comes. */
  #life = 0;
  #failsNext = false;
  /** The write under way has failed. */
  #hasFailed = false;
  #isFull = false;

  constructor(options: SimulatedFilesOptions) {
    this.place = options.place;
    this.#options = options;
  }

  /** The segments' bytes, for damage; undefined when the folder is gone. */
  get contents(): Map<number, Buffer> | undefined {
    return this.#segments.all;
  }
  set contents(segments: Map<number, Buffer> | undefined) {
    this.#segments.all = segments;
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
    const { all } = this.#segments;
    return all && [...all.keys()].sort((a, b) => a - b);
  }

  read(segment: number): Buffer {
    return Buffer.from(this.#segments.content(segment));
  }

  truncate(segment: number, length: number): void {
    this.#segments.truncate(segment, length);
  }

  settle(segment: number, from: number): void {
    this.#segments.put(segment, from, this.#segments.content(segment).subarray(from), false);
    this.#segments.sync(segment);
    // Its folder too.
    this.#removed.clear();
  }

  removeNow(segment: number): void {
    const content = this.#segments.all?.get(segment);
    if (content === undefined) return;
    this.#options.marks.add("disk: segment deleted");
    this.#segments.delete(segment);
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
      this.#segments.create(segment, true);
      // Its folder has been synced: what was deleted before is gone for good.
      this.#removed.clear();
      this.#options.marks.add("disk: segment begun");
      done(null, this.open(segment));
    });
  }

  openToRead(segment: number): LogReader {
    return {
      read: (at, length) => Uint8Array.from(this.#segments.content(segment).subarray(at, at + length)),
      close: () => undefined,
    };
  }

  openMarks(): MarkFile {
    return this.marks.open();
  }

  later(task: () => void): void {
    this.#later(this.#options.soon, task);
  }

  /** Ends the process, and with a power cut the operating system too. */
  crash(kind: CrashKind): void {
    const { prng, marks } = this.#options;
    this.#life += 1;
    this.#failsNext = false;
    const isSynced = kind === "power-cut";
    if (isSynced) this.#cutPower();
    if (this.#writing !== undefined) this.#tear(this.#writing, isSynced);
    if (this.#creating !== undefined && prng.chance(0.5)) this.#segments.create(this.#creating, isSynced);
    marks.add(`disk: ${kind}`);
    this.#writing = undefined;
    this.#hasFailed = false;
    this.#creating = undefined;
  }

  #cutPower(): void {
    const { prng, marks } = this.#options;
    if (this.#segments.cutPower(prng)) marks.add("disk: power cut takes what a killed process left unsynced");
    this.marks.cutPower(prng);
    for (const [segment, content] of this.#removed)
      if (prng.chance(0.3)) {
        marks.add("disk: deleted segment came back");
        this.#segments.create(segment, true);
        this.#segments.put(segment, 0, content, true);
      }
    this.#removed.clear();
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
        this.#keep(write, this.#options.prng.integer(0, write.bytes.length - 1), true);
        return done(new Error("ENOSPC: no space left on device"));
      }
      // What it has written of this nobody knows: the crash that must follow says so.
      if (this.#failsNext) {
        this.#hasFailed = true;
        marks.add("disk: write failed");
        return done(new Error("EIO: i/o error"));
      }
      this.#writing = undefined;
      this.#keep(write, write.bytes.length, true);
      onDurable();
      done(null);
    });
  }

  /** A write that was under way. An operating system that goes on takes the first bytes of it; a disk takes any sectors. */
  #tear(write: Write, isSynced: boolean): void {
    const { prng, marks } = this.#options;
    const fate = prng.pick<keyof typeof FATES>(
      isSynced ? ["lost", "whole", "cut", "cut", "sectors", "sectors"] : ["lost", "whole", "cut"],
    );
    marks.add(`disk: write ${FATES[fate]}`);
    if (fate === "whole") this.#keep(write, write.bytes.length, isSynced);
    if (fate === "cut") this.#keep(write, prng.integer(1, write.bytes.length - 1), isSynced);
    if (fate === "sectors") this.#keepSectors(write);
  }

  /** The first bytes of a write reach the disk, or only the operating system; that may hold them for written when they failed. */
  #keep({ segment, at, bytes }: Write, count: number, isSynced: boolean): void {
    const kept = bytes.subarray(0, count);
    if (!isSynced && this.#hasFailed && this.#options.prng.chance(0.8)) {
      this.#options.marks.add("disk: failed write shown, and taken for written");
      this.#segments.putInVain(segment, at, kept);
    } else this.#segments.put(segment, at, kept, isSynced);
  }

  #keepSectors({ segment, at, bytes }: Write): void {
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES));
      if (this.#options.prng.chance(0.5)) this.#segments.put(segment, at + from, bytes.subarray(from, to), true);
      from = to;
    }
  }
}

const FATES = {
  lost: "lost",
  whole: "kept before it was confirmed",
  cut: "cut short",
  sectors: "torn by sectors",
} as const;
