import type { Digest } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import type { Marks } from "../marks.ts";
import type { Plant } from "../plant.ts";
import type { Prng } from "../prng.ts";
import type { FlushTimes } from "./flush-times.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";
import type { CrashKind } from "./simulated-files.ts";

/** A disk that loses what was not flushed, and damages nothing: the store's twin in memory. */
export class MemoryDisk implements SimulatedDisk {
  isFull = false;
  readonly isLost = false;
  readonly isRefused = false;
  readonly times: FlushTimes;
  readonly #prng: Prng;
  readonly #marks: Marks;
  readonly #recovered: NonNullable<Plant["recoveredStore"]>;
  readonly #createEmpty: () => MemoryStore;
  #store: MemoryStore;

  constructor(
    times: FlushTimes,
    prng: Prng,
    marks: Marks,
    recovered: Plant["recoveredStore"] = (crashed): MemoryStore => crashed,
    lossNonce?: Digest,
  ) {
    this.times = times;
    this.#prng = prng;
    this.#marks = marks;
    this.#recovered = recovered;
    const { historyBytesMax } = times;
    const options = { schedule: times.schedule, historyBytesMax };
    this.#createEmpty = () => createMemoryStore(options);
    this.#store = createMemoryStore({ ...options, ...(lossNonce && { lossNonce }) });
  }

  open(): ReplicaStore {
    if (!this.#store.bulk.isEmpty) this.#marks.add("disk: entries on their way found");
    return this.#store;
  }

  /** Nothing is ever damaged here. */
  refuse(error: unknown): void {
    throw error;
  }

  get store(): ReplicaStore {
    return this.#store;
  }

  /**
   * Whatever ends the replica: of each domain what was not flushed is gone, but often a disk has written more than it said, of one domain more than
   * of the other: the state is written lazily, the log is not.
   */
  crash(_kind: CrashKind, keepsState = false): void {
    const { unflushedLogGroups, unflushedGroups, unflushedSpoolBytes } = this.#store.disk;
    this.times.restart();
    const log = this.#prng.chance(0.3) ? this.#prng.integer(0, unflushedLogGroups) : 0;
    const drawn = this.#prng.chance(0.5) ? this.#prng.integer(0, unflushedGroups) : 0;
    const rest = keepsState ? unflushedGroups : drawn;
    if (log < unflushedLogGroups) this.#marks.add("disk: unflushed log records lost");
    if (log > 0) this.#marks.add("disk: unflushed log records kept");
    if (rest < unflushedGroups) this.#marks.add("disk: unflushed state lost");
    if (rest > 0) this.#marks.add("disk: unflushed state kept");
    const spoolBytes =
      unflushedSpoolBytes > 0 && this.#prng.chance(0.5) ? this.#prng.integer(0, unflushedSpoolBytes) : 0;
    if (unflushedSpoolBytes > 0) this.#marks.add("disk: entries on their way lost");
    this.#store = this.#recovered(this.#store.disk.crash({ log, rest, spoolBytes }), this.#createEmpty);
  }

  /** Puts another disk into its place. */
  replace(make: (createEmpty: () => MemoryStore) => MemoryStore): void {
    this.#store = make(this.#createEmpty);
  }

  failNextFlush(): void {
    this.#store.disk.failNextFlush();
  }
}
