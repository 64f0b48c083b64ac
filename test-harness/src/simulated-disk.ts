import type { Digest } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import type { Marks } from "./marks.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** How a disk behaves. */
export interface DiskFaults {
  /** A flush takes from the least to the greatest. */
  readonly flushMs: readonly [least: number, greatest: number];
  /** The probability that a flush is slow, and how slow. */
  readonly slow: number;
  readonly slowMs: number;
}

/** What a simulated disk stands in. */
export interface SimulatedDiskOptions {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly faults: DiskFaults;
  readonly marks: Marks;
  /** Runs what follows a flush, when its replica is not paused. */
  readonly awake: (task: () => void) => void;
  /** What is left after a crash, for tests that plant a bad disk. */
  readonly recovered: Plant["recoveredStore"] | undefined;
}

/** One replica's disk on the virtual clock: flushes take time, and a power cut loses what was not flushed. */
export class SimulatedDisk {
  readonly #prng: Prng;
  readonly #marks: Marks;
  readonly #recovered: NonNullable<Plant["recoveredStore"]>;
  readonly #createEmpty: (lossNonce?: Digest) => MemoryStore;
  #store: MemoryStore;

  constructor({ clock, prng, faults, marks, awake, recovered = (crashed) => crashed }: SimulatedDiskOptions) {
    this.#recovered = recovered;
    this.#prng = prng;
    this.#marks = marks;
    let dueMs = 0;
    const schedule = (complete: () => void): void => {
      let takesMs = prng.between(...faults.flushMs);
      if (prng.chance(faults.slow)) {
        marks.add("disk: slow flush");
        takesMs += faults.slowMs;
      }
      // In the order given, whatever each one takes.
      dueMs = Math.max(dueMs, clock.nowMs + takesMs);
      clock.after(dueMs - clock.nowMs, () => awake(complete));
    };
    this.#createEmpty = (lossNonce) => createMemoryStore({ schedule, ...(lossNonce && { lossNonce }) });
    this.#store = this.#createEmpty();
  }

  get store(): ReplicaStore {
    return this.#store;
  }

  /**
   * Cuts the power. Of each domain what was not flushed is gone, but often a disk has written more than it said, of one
   * domain more than of the other: the state is written lazily, the log is not.
   */
  crash(): void {
    const { unflushedLogGroups, unflushedGroups } = this.#store.disk;
    const log = this.#prng.chance(0.3) ? this.#prng.integer(0, unflushedLogGroups) : 0;
    const rest = this.#prng.chance(0.5) ? this.#prng.integer(0, unflushedGroups) : 0;
    if (log < unflushedLogGroups) this.#marks.add("disk: unflushed log records lost");
    if (log > 0) this.#marks.add("disk: unflushed log records kept");
    if (rest < unflushedGroups) this.#marks.add("disk: unflushed state lost");
    if (rest > 0) this.#marks.add("disk: unflushed state kept");
    this.#store = this.#recovered(this.#store.disk.crash({ log, rest }), this.#createEmpty);
  }

  /** After a crash: all that was on it is gone, and another disk stands in its place. */
  lose(lossNonce: Digest | undefined): void {
    this.#store = this.#createEmpty(lossNonce);
  }

  /** The next flush fails, and with it the disk until the replica restarts. */
  failNextFlush(): void {
    this.#store.disk.failNextFlush();
  }
}
