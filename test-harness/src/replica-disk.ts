import { digest, invariant, type ReplicaId } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import type { MemoryStore } from "@quorate/storage/memory";
import type { ByzantineBehaviour } from "./byzantine.ts";
import type { DiskDamage } from "./disk/disk-damage.ts";
import { FileDisk } from "./disk/file-disk.ts";
import { type DiskFaults, FlushTimes } from "./disk/flush-times.ts";
import { MemoryDisk } from "./disk/memory-disk.ts";
import type { CrashKind } from "./disk/simulated-files.ts";
import { type DiskImage, imageOf, restored } from "./disk-image.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import type { World } from "./world.ts";

/** What the disks of one replica are made by. */
export interface ReplicaDiskOptions {
  readonly replica: ReplicaId;
  readonly prng: Prng;
  readonly faults: DiskFaults;
  readonly byzantine: ByzantineBehaviour | undefined;
  readonly isTwin: boolean;
  /** What is on it at the first start. */
  readonly image: (() => DiskImage | undefined) | undefined;
  readonly plant: Plant;
  /** Runs what follows a flush, when the replica is not paused. */
  readonly awake: (task: () => void) => void;
}

/** The disk of one replica: the one that it began with and, once that is lost, another one that says so. */
export class ReplicaDisk {
  readonly #world: World;
  readonly #options: ReplicaDiskOptions;
  readonly #losses: Prng;
  #disk: FileDisk | MemoryDisk;
  #isImageLoaded = false;
  #yesterday: DiskImage | undefined;

  constructor(world: World, options: ReplicaDiskOptions) {
    this.#world = world;
    this.#options = options;
    this.#losses = options.prng.fork("losses");
    this.#disk = this.#createFirst();
  }

  /** Undefined when it is lost. */
  get store(): ReplicaStore | undefined {
    return this.#disk.store;
  }
  get isLost(): boolean {
    return this.#disk.isLost;
  }
  get isRefused(): boolean {
    return this.#disk.isRefused;
  }
  get isFull(): boolean {
    return this.#disk.isFull;
  }
  set isFull(isFull: boolean) {
    this.#disk.isFull = isFull;
  }
  /** Each flush takes so much longer. */
  set stallMs(ms: number) {
    this.#disk.times.stallMs = ms;
  }

  /** Undefined when it is lost or somebody else's. */
  open(): ReplicaStore | undefined {
    this.#loadImage();
    return this.#disk.open();
  }

  /** @throws whatever is no reason to refuse a disk. */
  refuse(error: unknown): void {
    this.#disk.refuse(error);
  }

  /** @param keepsState see `SimulatedDisk.crash`. */
  crash(kind: CrashKind, keepsState: boolean): void {
    this.#disk.crash(kind, keepsState);
  }

  failNextFlush(): void {
    this.#disk.failNextFlush();
  }

  /** What it held is gone. The next one says so, unless nobody is to notice. */
  lose(isUnnoticed: boolean): void {
    const words = Array.from({ length: 8 }, () => this.#losses.uint32().toString(16).padStart(8, "0"));
    const { prng, plant } = this.#options;
    const nonce = plant.forgetsLosses === true || isUnnoticed ? undefined : digest(words.join(""));
    const { times } = this.#disk;
    this.#disk = new MemoryDisk(times, prng.fork("another disk"), this.#world.marks, plant.recoveredStore, nonce);
  }

  /** @returns whether there are files to damage. */
  damage(damage: DiskDamage, other: ReplicaDisk): boolean {
    if (!(this.#disk instanceof FileDisk && other.#disk instanceof FileDisk)) return false;
    this.#disk.damage(damage, other.#disk);
    return true;
  }

  #createFirst(): FileDisk | MemoryDisk {
    const { replica, prng, faults, byzantine, isTwin, plant, awake } = this.#options;
    const { clock, marks, cluster } = this.#world;
    const own = prng.fork("disk");
    const times = new FlushTimes({ clock, prng: own, faults, marks, awake });
    const recovered = this.#recoversAs(byzantine);
    if (recovered !== undefined || isTwin) return new MemoryDisk(times, own, marks, recovered);
    if (faults.store === "memory") return new MemoryDisk(times, own, marks, plant.recoveredStore);
    const [name, seed] = [`r${replica}`, cluster.replicaSeeds[replica]];
    invariant(seed !== undefined, "simulator.seed", { replica });
    const identity = { cluster: cluster.cluster, owner: cluster.backend.publicKeyOf(seed) };
    return new FileDisk({ name, identity, times, prng: own, marks, files: plant.files });
  }

  #recoversAs(behaviour: ByzantineBehaviour | undefined): Plant["recoveredStore"] | undefined {
    if (behaviour === "forgets") return this.#forget;
    return behaviour === "rolls-back" ? this.#rollBack : undefined;
  }

  #loadImage(): void {
    const image = this.#options.image?.();
    if (image === undefined || this.#isImageLoaded || !(this.#disk instanceof MemoryDisk)) return;
    this.#isImageLoaded = true;
    this.#disk.replace((createEmpty) => restored(image, createEmpty()));
  }

  /** What one has after a crash that comes back with its disk as it was at its first crash. */
  readonly #rollBack = (crashed: MemoryStore, createEmpty: () => MemoryStore): MemoryStore => {
    if (this.#yesterday === undefined) {
      this.#yesterday = imageOf(crashed);
      return crashed;
    }
    this.#world.marks.add("byzantine: rolls-back");
    return restored(this.#yesterday, createEmpty());
  };

  /** What is left of the disk of one that forgets. */
  readonly #forget = (_crashed: MemoryStore, createEmpty: () => MemoryStore): MemoryStore => {
    this.#world.marks.add("byzantine: forgets");
    return createEmpty();
  };
}
