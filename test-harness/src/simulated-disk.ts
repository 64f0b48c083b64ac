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

/** One replica's disk on the virtual clock: flushes take time, and a power cut loses what was not flushed. */
export class SimulatedDisk {
  readonly #prng: Prng;
  readonly #marks: Marks;
  readonly #recovered: NonNullable<Plant["recoveredStore"]>;
  readonly #createEmpty: () => MemoryStore;
  #store: MemoryStore;

  /** @param recovered what is left after a crash, for tests that plant a bad disk. */
  constructor(
    clock: VirtualClock,
    prng: Prng,
    faults: DiskFaults,
    marks: Marks,
    recovered: NonNullable<Plant["recoveredStore"]> = (crashed) => crashed,
  ) {
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
      clock.after(dueMs - clock.nowMs, complete);
    };
    this.#createEmpty = () => createMemoryStore({ schedule });
    this.#store = this.#createEmpty();
  }

  get store(): ReplicaStore {
    return this.#store;
  }

  /** Cuts the power. What was not flushed is gone, but sometimes a disk has written more than it said. */
  crash(): void {
    const { unflushedGroups } = this.#store.disk;
    const kept = this.#prng.chance(0.3) ? this.#prng.integer(0, unflushedGroups) : 0;
    if (kept < unflushedGroups) this.#marks.add("disk: unflushed writes lost");
    if (kept > 0) this.#marks.add("disk: unflushed writes kept");
    this.#store = this.#recovered(this.#store.disk.crash(kept), this.#createEmpty);
  }

  /** The next flush fails, and with it the disk until the replica restarts. */
  failNextFlush(): void {
    this.#store.disk.failNextFlush();
  }
}
