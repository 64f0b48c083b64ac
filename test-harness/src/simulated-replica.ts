import { createBatchComposer, createClientSigner, createReplicaSigner, Verifier } from "@quorate/crypto";
import { kvService } from "@quorate/kv";
import {
  bytesToHex,
  type ClientFrame,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  type ServerFrame,
  type Signer,
} from "@quorate/protocol";
import {
  type Compressor,
  type HostPorts,
  type HostSettings,
  type HostTimer,
  ReplicaRunner,
} from "@quorate/server/host";
import { sealed, unsealed } from "@quorate/state-tree";
import { type ReplicaStore, StorageError } from "@quorate/storage";
import { archivingStore } from "./archiving-store.ts";
import { Guise } from "./byzantine/guise.ts";
import type { ByzantineBehaviour } from "./byzantine.ts";
import { type ClockFault, kindOfClock, wallMs } from "./clock-fault.ts";
import { describeFrame } from "./describe-frame.ts";
import type { DiskDamage } from "./disk/disk-damage.ts";
import type { DiskFaults } from "./disk/flush-times.ts";
import type { CrashKind } from "./disk/simulated-files.ts";
import type { DiskImage } from "./disk-image.ts";
import { EndDrawing } from "./end-drawing.ts";
import { Pause } from "./pause.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import { recordingService } from "./recording-service.ts";
import { ReplicaDisk } from "./replica-disk.ts";
import { ReplicaObserver } from "./replica-observer.ts";
import { ReplicaSender } from "./replica-sender.ts";
import { ReplicaTimers } from "./replica-timers.ts";
import { simulatedCompressor } from "./simulated-compressor.ts";
import { statusLine } from "./status-line.ts";
import type { TwinPlace } from "./twins.ts";
import type { Arrival } from "./wire.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** The first byte of keys of the service. */
const APPLICATION = 1;

/** Of the replicas; the others neither send the state deflated nor take it so. */
const COMPRESSING = 3 / 4;
/** What deflating or inflating takes. */
const COMPRESSION_MS = 1;

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
export class SimulatedReplica {
  readonly id: ReplicaId;
  readonly end: string;
  readonly isCorrect: boolean;
  readonly #world: World;
  readonly #options: SimulatedReplicaOptions;
  readonly #seed: Uint8Array;
  readonly #signer: Signer;
  readonly #disk: ReplicaDisk;
  readonly #guise: Guise;
  readonly #sender: ReplicaSender;
  readonly #drawing: EndDrawing;
  readonly #pause = new Pause();
  readonly #damage: Prng;
  readonly #isCompressing: boolean;
  readonly #observer: ReplicaObserver;
  readonly #timers: ReplicaTimers;
  #host: ReplicaRunner | undefined;
  #isFlushDoomed = false;
  /** Times that its state became wrong, and the flush that makes this durable is under way. */
  #volatileDivergences = 0;
  /** Starts; what began in one of them ends with it. */
  #starts = 0;
  #isStopped = false;
  #fatal: Error | undefined;

  constructor(world: World, options: SimulatedReplicaOptions) {
    const { cluster } = world;
    this.id = replicaId(options.id);
    this.end = options.twin?.end ?? `r${options.id}`;
    this.isCorrect = options.byzantine === undefined;
    this.#world = world;
    this.#options = options;
    const seed = cluster.replicaSeeds[options.id] ?? new Uint8Array(0);
    this.#seed = seed;
    this.#signer = createReplicaSigner({ backend: cluster.backend, seed, self: this.id, cluster: cluster.cluster });
    this.#damage = options.prng.fork("damage");
    this.#isCompressing = options.prng.fork("compression").chance(COMPRESSING);
    this.#disk = this.#createDisk();
    this.#drawing = new EndDrawing(world, this.end);
    if (options.clock !== undefined) world.marks.add(`clock: ${kindOfClock(options.clock)}`);
    this.#guise = new Guise(world, options.id, this.#signer, options.prng.fork("byzantine"), options.byzantine);
    this.#observer = this.#createObserver();
    this.#sender = this.#createSender();
    this.#timers = new ReplicaTimers(world, (timer, fire) => this.#pause.run(() => this.#fire(timer, fire)));
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
      return this.#createHost(disk);
    } catch (error) {
      this.#disk.refuse(error);
      return undefined;
    }
  }

  #createHost(disk: ReplicaStore): ReplicaRunner {
    const { clock, cluster: shared } = this.#world;
    const { cluster, hasher, codec, backend, genesis } = shared;
    this.#observer.restart();
    this.#sender.restart();
    const { inner, service: bent, store } = this.#options.plant;
    const service = recordingService(inner?.(kvService()) ?? kvService(), (executed) =>
      this.#observer.onOperation(executed),
    );
    return new ReplicaRunner({
      genesis,
      cluster,
      hasher,
      codec,
      service: bent?.(service, this.id) ?? service,
      store: this.#archiving(store?.(disk, (task) => clock.after(0, task)) ?? disk),
      signer: this.#signer,
      checkpointSigner: createClientSigner({ backend, hasher, seed: this.#seed, cluster }),
      verifier: new Verifier({
        backend,
        hasher,
        cluster,
        requestsMax: 1024,
        statementsMax: 64,
        windowSize: genesis.windowSize,
      }),
      composer: createBatchComposer(hasher, cluster),
      ports: this.#ports(),
      observer: this.#observer.ofHost(),
      settings: this.#options.settings,
      compressor: this.#compressor(),
    });
  }

  #compressor(): Compressor | undefined {
    const { compressor: bent } = this.#options.plant;
    const start = ++this.#starts;
    const compressor = simulatedCompressor((end) =>
      this.#world.clock.after(COMPRESSION_MS, () =>
        this.#pause.run(() => {
          if (this.#host === undefined || start !== this.#starts) return;
          end();
          this.#observer.check("compression");
        }),
      ),
    );
    return bent?.(compressor, this.id) ?? (this.#isCompressing ? compressor : undefined);
  }

  /** What a correct replica puts into its history is kept for the end of the run, however little it keeps itself. */
  #archiving(store: ReplicaStore): ReplicaStore {
    return this.isCorrect ? archivingStore(store, this.#world.archive) : store;
  }

  /** Ends without a word. */
  crash(by: CrashKind): void {
    this.#pause.drop();
    this.#host?.stop();
    this.#host = undefined;
    this.#isFlushDoomed = false;
    this.#isStopped = false;
    this.#timers.cancelAll();
    this.#world.network.crash(this.end);
    this.#disk.crash(by, this.#volatileDivergences > 0);
    this.#volatileDivergences = 0;
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

  /** A bit of an entry of the state flips. */
  damageState(): void {
    const { store } = this.#disk;
    const isRunning = this.#host?.isInstalling === false && !this.isDiskFailing;
    if (store === undefined || !isRunning) return;
    const entries = [...store.state.range(new Uint8Array(0), undefined)];
    const entry = entries[this.#damage.integer(0, entries.length - 1)];
    if (entry === undefined) return;
    const [key, record] = entry;
    const flipped = record.slice();
    const bit = this.#damage.integer(0, 8 * record.length - 1);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    store.state.write([{ key, value: flipped }]);
    this.#world.marks.add("state: damaged");
    this.#world.note(`${this.end} a bit flips in the entry at ${bytesToHex(key)}`);
    this.#drawing.happened("disk", "a bit of the state flips");
  }

  /** An entry of the service is another one from now on, and looks whole: what is made of it is wrong. */
  diverge(key: number | undefined): void {
    const { store } = this.#disk;
    if (store === undefined || this.#host?.isInstalling !== false || this.isDiskFailing) return;
    const entries = [...store.state.range(Uint8Array.of(APPLICATION), Uint8Array.of(APPLICATION + 1))];
    const entry = entries[(key ?? this.#damage.integer(0, entries.length - 1)) % entries.length];
    if (entry === undefined) return;
    const { hasher } = this.#world.cluster;
    const [at, record] = entry;
    const value = new Uint8Array(unsealed(hasher, at, record) ?? []);
    const last = value.length - 1;
    value[last] = (value[last] ?? 0) ^ 1;
    store.state.write([{ key: at, value: sealed(hasher, at, value) }]);
    // What it says by this it says again after a crash: one that is right again by the crash never finds out, and contradicts itself.
    this.#volatileDivergences += 1;
    store.flush((failure) => {
      if (failure === undefined && store === this.#disk.store) this.#volatileDivergences -= 1;
    });
    this.#observer.onDiverging();
    this.#world.note(`${this.end} has another entry at ${bytesToHex(at)}`);
    this.#drawing.happened("disk", "an entry of the state is another one");
  }

  onReplicaFrame(from: number, arrival: Arrival<ReplicaFrame>): void {
    this.#pause.run(() => this.#fromReplica(from, arrival));
  }

  onClientFrame(client: number, key: PublicKey, arrival: Arrival<ClientFrame>): void {
    this.#pause.run(() => this.#fromClient(client, key, arrival));
  }

  #fromReplica(from: number, arrival: Arrival<ReplicaFrame>): void {
    const host = this.#host;
    if (host === undefined) return;
    const frame = arrival();
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    this.#observer.onArrival(host, frame);
    this.#guise.fromReplica(frame);
    if (!this.#guise.hears(frame) || this.#options.plant.isDeafTo?.(frame, this.id) === true) return;
    host.onReplicaFrame(replicaId(from), frame);
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
      onFatal: (error) => this.#onFatal(error),
    });
  }

  #createSender(): ReplicaSender {
    const { twin, plant } = this.#options;
    return new ReplicaSender(this.#world, {
      id: this.id,
      end: this.end,
      guise: this.#guise,
      twin,
      withholds: plant.withholds,
      onSent: (frame) => {
        this.#observer.onSent(frame);
        twin?.onSent(frame);
      },
      tell: (report) => this.#observer.tellSaid(report),
    });
  }

  #ports(): HostPorts {
    const { clock } = this.#world;
    return {
      nowMs: () => wallMs(this.#options.clock, EPOCH_MS + this.#options.clockSkewMs, clock.nowMs),
      monotonicMs: () => clock.nowMs,
      sendToReplica: (to, frame) => this.#sender.toReplicas([to], frame),
      sendToReplicas: (to, frame) => this.#sender.toReplicas(to, frame),
      sendToClient: (client, frame) => this.#sender.toClient(client, frame),
      startTimer: (timer, afterMs, fire) => this.#timers.start(timer, afterMs, fire),
      cancelTimer: (timer) => this.#timers.cancel(timer),
    };
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
