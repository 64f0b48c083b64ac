import type { Marks } from "../marks.ts";
import type { Prng } from "../prng.ts";
import type { VirtualClock } from "../virtual-clock.ts";

/** How a disk behaves. */
export interface DiskFaults {
  /** `files`: the production write-ahead log over simulated files; `memory`: the store's twin, which is faster. */
  readonly store: "memory" | "files";
  /** A flush takes from the least to the greatest. */
  readonly flushMs: readonly [least: number, greatest: number];
  /** The probability that a flush is slow, and how slow. */
  readonly slow: number;
  readonly slowMs: number;
  /** See `StoreOptions.historyBytesMax`: with little of it, who is away for a while needs the state of others. */
  readonly historyBytesMax: number;
}

/** What decides how long flushes take. */
export interface FlushTimesOptions {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly faults: DiskFaults;
  readonly marks: Marks;
  /** Runs what follows a flush, when its replica is not paused. */
  readonly awake: (task: () => void) => void;
}

/** Completes the flushes of one disk, in the order in which they began, whatever each one takes. */
export class FlushTimes {
  readonly #options: FlushTimesOptions;
  #dueMs = 0;
  /** Added to what a flush takes. */
  #stallMs = 0;

  constructor(options: FlushTimesOptions) {
    this.#options = options;
  }

  get historyBytesMax(): number {
    return this.#options.faults.historyBytesMax;
  }

  /** From now on each flush takes so much longer. */
  set stallMs(ms: number) {
    this.#stallMs = ms;
  }

  readonly schedule = (complete: () => void): void => {
    const { clock, prng, faults, marks, awake } = this.#options;
    let takesMs = prng.between(...faults.flushMs);
    if (prng.chance(faults.slow)) {
      marks.add("disk: slow flush");
      takesMs += faults.slowMs;
    }
    if (this.#stallMs > 0) marks.add(`disk: flush of ${this.#stallMs / 1000} s`);
    this.#dueMs = Math.max(this.#dueMs, clock.nowMs + takesMs + this.#stallMs);
    clock.after(this.#dueMs - clock.nowMs, () => awake(complete));
  };

  /** Runs a task as long as its replica is not paused. */
  after(ms: number, task: () => void): void {
    const { clock, awake } = this.#options;
    clock.after(ms, () => awake(task));
  }

  /** The disk starts anew: nothing waits for what was slow before. */
  restart(): void {
    this.#dueMs = 0;
  }
}
