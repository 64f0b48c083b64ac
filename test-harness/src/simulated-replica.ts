import {
  type CheckpointClaim,
  type ClientFrame,
  type Epoch,
  epochNumber,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  type ServerFrame,
} from "@quorate/protocol";
import type { HostSettings, HostTimer, ReplicaRunner } from "@quorate/server/host";
import { type ReplicaStore, StorageError } from "@quorate/storage";
import { Guise } from "./byzantine/guise.ts";
import type { ByzantineBehaviour } from "./byzantine.ts";
import { type ClockFault, kindOfClock } from "./clock-fault.ts";
import { describeFrame } from "./describe-frame.ts";
import type { DiskDamage } from "./disk/disk-damage.ts";
import type { DiskFaults } from "./disk/flush-times.ts";
import type { CrashKind } from "./disk/simulated-files.ts";
import type { DiskImage } from "./disk-image.ts";
import { EndDrawing } from "./end-drawing.ts";
import type { StatePart } from "./options.ts";
import { Pause } from "./pause.ts";
import { peerNumberOf } from "./peer-number.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import { ReplicaDisk } from "./replica-disk.ts";
import { ReplicaObserver } from "./replica-observer.ts";
import { ReplicaSender } from "./replica-sender.ts";
import { ReplicaTimers } from "./replica-timers.ts";
import { SimulatedHosts } from "./simulated-hosts.ts";
import { SimulatedKeys } from "./simulated-keys.ts";
import { StateFaults } from "./state-faults.ts";
import { statusLine } from "./status-line.ts";
import type { TwinPlace } from "./twins.ts";
import type { Arrival } from "./wire.ts";
import type { SendingReplica, World, WorldReplica } from "./world.ts";

/** One replica of a simulation. */
export interface SimulatedReplicaOptions {
  readonly id: number;
  readonly prng: Prng;
  readonly settings: Partial<HostSettings>;
  readonly clockSkewMs: number;
  readonly clock: ClockFault | undefined;
  readonly disk: DiskFaults;
  readonly byzantine: ByzantineBehaviour | undefined;
  /** The place of one of two replicas with one key. */
  readonly twin?: TwinPlace;
  /** What is on its disk at its first start. */
  readonly image?: () => DiskImage | undefined;
  /** Planted bugs, for tests of the checkers. */
  readonly plant: Plant;
}

/** A production `ReplicaRunner` over simulated links, disk and clock, which can crash and come back. */
export class SimulatedReplica implements WorldReplica {
  readonly id: ReplicaId;
  readonly end: string;
  readonly isCorrect: boolean;
  readonly #world: World;
  readonly #options: SimulatedReplicaOptions;
  readonly keys: SimulatedKeys;
  readonly #disk: ReplicaDisk;
  readonly #guise: Guise;
  readonly #sender: ReplicaSender;
  readonly #drawing: EndDrawing;
  readonly #pause = new Pause();
  readonly #stateFaults: StateFaults;
  readonly #observer: ReplicaObserver;
  readonly #timers: ReplicaTimers;
  readonly #hosts: SimulatedHosts;
  #host: ReplicaRunner | undefined;
  #latestEpoch = epochNumber(0);
  #isFlushDoomed = false;
  #isStopped = false;
  #fatal: Error | undefined;

  constructor(world: World, options: SimulatedReplicaOptions) {
    const { cluster } = world;
    this.id = replicaId(options.id);
    this.end = options.twin?.end ?? `r${options.id}`;
    this.isCorrect = options.byzantine === undefined;
    this.#world = world;
    this.#options = options;
    this.keys = new SimulatedKeys(cluster, options.id, options.byzantine === "rolls-back");
    this.#disk = this.#createDisk();
    this.#drawing = new EndDrawing(world, this.end);
    this.#stateFaults = this.#createStateFaults();
    if (options.clock !== undefined) world.marks.add(`clock: ${kindOfClock(options.clock)}`);
    this.#guise = new Guise(world, {
      id: this.id,
      keys: this.keys,
      prng: options.prng.fork("byzantine"),
      behaviour: options.byzantine,
      epoch: () => this.#epoch,
    });
    this.#observer = this.#createObserver();
    this.#sender = this.#createSender();
    this.#timers = new ReplicaTimers(world, (timer, fire) => this.#pause.run(() => this.#fire(timer, fire)));
    this.#hosts = this.#createHosts();
  }

  /** In which it is, or was when it went down. */
  get #epoch(): Epoch {
    this.#latestEpoch = this.#host?.status.epoch ?? this.#latestEpoch;
    return this.#latestEpoch;
  }
  get isUp(): boolean {
    return this.#host !== undefined;
  }
  claim(): CheckpointClaim | undefined {
    if (this.#host === undefined || this.#host.isInstalling) return undefined;
    const seq = this.#host.status.lowWatermark;
    const stateRoot = this.#world.roots.get(seq);
    return stateRoot && this.#guise.claim({ seq, stateRoot });
  }

  /** Undefined while it is down. */
  get host(): ReplicaRunner | undefined {
    return this.#host;
  }
  /** Whether its disk fails, and so stops it or has stopped it; only a restart helps. */
  get isDiskFailing(): boolean {
    return this.#isFlushDoomed || this.#isStopped;
  }
  /** Its disk is somebody else's, it has found out, and stays down: it counts as one of the f. */
  get isRefused(): boolean {
    return this.#disk.isRefused;
  }
  /** What ended it, if its own code did. */
  get fatal(): Error | undefined {
    return this.#fatal;
  }
  /** What came before that. */
  get trace(): ReturnType<ReplicaRunner["trace"]> | undefined {
    return this.#fatal && this.#host?.trace(this.#fatal, `the simulator, ${this.end}`);
  }
  /** Where it stands, in one line of a report. */
  get statusLine(): string {
    const name = this.end.slice(1);
    if (this.#host !== undefined) return statusLine(name, this.id, this.#host.status, this.isCorrect);
    return `${name} down${this.isRefused ? ", its disk is another's" : ""}`;
  }
  /** The disk as it is now; undefined when it is lost. */
  get store(): ReplicaStore | undefined {
    return this.#disk.store;
  }

  /** Stops its process (SIGSTOP): nothing happens to it until it goes on, then all at once. */
  pause(): void {
    this.#world.note(`${this.end} paused`);
    if (!this.#pause.isPaused) this.#drawing.began("paused", "paused");
    this.#pause.pause();
  }
  resume(): void {
    if (!this.#pause.isPaused) return;
    this.#world.note(`${this.end} goes on`);
    this.#drawing.ended("paused");
    this.#pause.resume();
  }

  /** Starts, or comes back with what the disk holds. */
  start(): void {
    const host = this.#recover() ?? this.#recoverOnAnotherDisk();
    if (host === undefined) return this.#world.note(`${this.end} does not start: its disk is another's`);
    this.#host = host;
    this.#observer.onUp(host);
    host.start();
    this.#observer.check("start");
  }

  /** As production does: a lost disk is set aside, and the replica comes back mute (protocol rule 8.5). */
  #recoverOnAnotherDisk(): ReplicaRunner | undefined {
    if (!this.#disk.isLost) return undefined;
    this.#world.marks.add("disk: lost");
    this.#world.marks.add("disk: damage found, mute");
    this.loseDisk();
    return this.#recover();
  }

  /** Undefined when its disk is lost or somebody else's. */
  #recover(): ReplicaRunner | undefined {
    const disk = this.#disk.open();
    if (disk === undefined) return undefined;
    try {
      return this.#hosts.create(disk);
    } catch (error) {
      this.#disk.refuse(error);
      return undefined;
    }
  }

  /** Ends without a word. */
  crash(by: CrashKind): void {
    this.#pause.drop();
    this.#observer.onCrash();
    this.#host?.stop();
    this.#host = undefined;
    this.#isFlushDoomed = false;
    this.#isStopped = false;
    this.#timers.cancelAll();
    this.#world.network.crash(this.end);
    this.#disk.crash(by, this.#stateFaults.isVolatile);
    this.#stateFaults.onCrash();
    this.#world.note(`${this.end} down`);
    this.#drawing.happened("down", "down");
    this.#drawing.ended("paused", "mute", "down");
    this.#drawing.began("down", "down");
  }

  /** Its operator wants another primary. */
  handOver(): void {
    this.#pause.run(() => {
      const asked = this.#host?.askHandOver();
      if (asked === undefined) return;
      this.#world.note(`${this.end} asked to hand over: ${asked.isAsked}`);
      this.#world.marks.add(`hand-over: ${asked.isAsked ? "asked" : "asked of a backup"}`);
      this.#observer.check("hand-over asked");
    });
  }

  /** From now on its disk refuses to flush, and the replica is to stop at the first try. */
  failDisk(): void {
    this.#isFlushDoomed = true;
    this.#disk.failNextFlush();
  }

  /** What a client is told first, as it arrives there. */
  get welcomes(): readonly Arrival<ServerFrame>[] {
    const frame = this.#host?.welcome();
    return frame === undefined ? [] : this.#guise.toClient(frame).map(({ arrival }) => arrival);
  }

  /** What the disk of a replica that is down held is gone; it comes back with another one, which says so. */
  loseDisk(isUnnoticed = false): void {
    this.#world.note(`${this.end} lost its disk`);
    this.#drawing.happened("disk", "disk lost");
    this.#disk.lose(isUnnoticed);
    this.#observer.tell((checker) => checker.onDiskLost?.(this.id));
  }

  get isDiskFull(): boolean {
    return this.#disk.isFull;
  }
  /** No write succeeds while it is full. */
  set isDiskFull(isFull: boolean) {
    this.#disk.isFull = isFull;
  }

  /** Each flush takes so much longer. */
  set stallMs(ms: number) {
    this.#disk.stallMs = ms;
  }

  /** Damages what lies on its disk, while it is down. */
  damageDisk(damage: DiskDamage, other: SimulatedReplica): void {
    if (!this.#disk.damage(damage, other.#disk)) return;
    this.#world.note(`${this.end} disk damaged: ${damage}`);
    this.#drawing.happened("disk", `disk damaged: ${damage}`);
  }

  /** See `StateFaults.damage`. */
  damageState(part: StatePart | undefined): void {
    this.#stateFaults.damage(part);
  }
  /** See `StateFaults.diverge`. */
  diverge(key: number | undefined): void {
    this.#stateFaults.diverge(key);
  }

  onReplicaFrame(from: SendingReplica, arrival: Arrival<ReplicaFrame>): void {
    this.#pause.run(() => this.#fromReplica(from, arrival));
  }

  onClientFrame(client: number, key: PublicKey, arrival: Arrival<ClientFrame>): void {
    this.#pause.run(() => this.#fromClient(client, key, arrival));
  }

  #fromReplica({ id: from, keys }: SendingReplica, arrival: Arrival<ReplicaFrame>): void {
    const host = this.#host;
    if (host === undefined) return;
    const frame = arrival();
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    this.#observer.onArrival(host, frame);
    this.#guise.fromReplica(frame);
    if (!this.#guise.hears(frame) || this.#options.plant.isDeafTo?.(frame, this.id) === true) return;
    const { epoch } = host.epochs;
    host.onReplicaFrame(peerNumberOf(from, keys, host.epochs.membership), frame);
    this.#observer.afterFrame(host, epoch);
    this.#observer.check(frame.type);
  }

  #fromClient(client: number, key: PublicKey, arrival: Arrival<ClientFrame>): void {
    const host = this.#host;
    if (host === undefined) return;
    const frame = arrival();
    this.#world.note(`${this.end} < c${client} ${describeFrame(frame)}`);
    if (!this.#guise.hears(frame)) return;
    if (!host.onClientFrame(key, frame)) this.#world.onClientRefused(client);
    this.#observer.check(frame.type);
  }

  #createDisk(): ReplicaDisk {
    const { prng, disk: faults, byzantine, twin, image, plant } = this.#options;
    const awake = (task: () => void): void => this.#pause.run(task);
    const isTwin = twin !== undefined;
    return new ReplicaDisk(this.#world, { replica: this.id, prng, faults, byzantine, isTwin, image, plant, awake });
  }

  #createObserver(): ReplicaObserver {
    const { plant } = this.#options;
    return new ReplicaObserver(this.#world, {
      id: this.id,
      end: this.end,
      isCorrect: this.isCorrect,
      drawing: this.#drawing,
      plant,
      host: () => this.#host,
      onEpoch: (membership) => this.keys.onEpoch(membership),
      onFatal: (error) => this.#onFatal(error),
    });
  }

  #createSender(): ReplicaSender {
    const { twin, plant } = this.#options;
    return new ReplicaSender(this.#world, {
      id: this.id,
      end: this.end,
      guise: this.#guise,
      keys: this.keys,
      twin,
      withholds: plant.withholds,
      host: () => this.#host,
      onSent: (frame, receivers) => {
        this.#observer.onSent(frame, receivers);
        twin?.onSent(frame);
      },
      tell: (report) => this.#observer.tellSaid(report),
    });
  }

  #createStateFaults(): StateFaults {
    return new StateFaults(this.#world, {
      end: this.end,
      prng: this.#options.prng.fork("damage"),
      drawing: this.#drawing,
      store: () => this.#disk.store,
      isRunning: () => this.#host?.isInstalling === false && !this.isDiskFailing,
      onDiverging: () => this.#observer.onDiverging(),
    });
  }

  #createHosts(): SimulatedHosts {
    return new SimulatedHosts(this.#world, {
      ...this.#options,
      id: this.id,
      isCorrect: this.isCorrect,
      keys: this.keys,
      observer: this.#observer,
      sender: this.#sender,
      timers: this.#timers,
      isUp: () => this.#host !== undefined,
      awake: (task) => this.#pause.run(task),
    });
  }

  #fire(timer: HostTimer, fire: () => void): void {
    this.#world.note(`${this.end} timer ${timer}`);
    this.#observer.beforeTimer();
    fire();
    this.#observer.check(`timer ${timer}`);
  }

  #onFatal(error: Error): void {
    // A flush that began while the disk was full may end when it is full no more (seed 200915).
    const isDiskFailure = error instanceof StorageError && error.code === "storage.flush-failed";
    if (!isDiskFailure && !this.#isFlushDoomed && !this.#disk.isFull && this.isCorrect) {
      this.#fatal = error;
      return this.#world.fail(error);
    }
    this.#isStopped = true;
    if (!this.isCorrect) this.#world.marks.add("byzantine: stopped by its own lies");
    this.#world.marks.add("disk: flush failed");
    this.#world.note(`${this.end} stopped: ${error.message}`);
  }
}
