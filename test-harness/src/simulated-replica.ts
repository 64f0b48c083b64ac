import { createBatchComposer, createReplicaSigner, Verifier } from "@quorate/crypto";
import { kvService } from "@quorate/kv";
import {
  type ClientFrame,
  digest,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  type ServerFrame,
  type Signer,
  type TimerName,
} from "@quorate/protocol";
import {
  type ExecutedBatch,
  type HostObserver,
  type HostPorts,
  type HostSettings,
  type IngressRejection,
  ReplicaHost,
  type ViewTurn,
} from "@quorate/server/host";
import { type ReplicaStore, StorageError } from "@quorate/storage";
import type { MemoryStore } from "@quorate/storage/memory";
import { Guise, type Outgoing } from "./byzantine/guise.ts";
import type { ByzantineBehaviour } from "./byzantine.ts";
import type { Checker } from "./checkers/checker.ts";
import { type ClockFault, kindOfClock, wallMs } from "./clock-fault.ts";
import { describeFrame } from "./describe-frame.ts";
import type { DiskDamage } from "./disk/disk-damage.ts";
import { FileDisk } from "./disk/file-disk.ts";
import { type DiskFaults, FlushTimes } from "./disk/flush-times.ts";
import { MemoryDisk } from "./disk/memory-disk.ts";
import { type DiskImage, imageOf, restored } from "./disk-image.ts";
import { drawn } from "./drawn.ts";
import { Pause } from "./pause.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import { type ExecutedOperation, recordingService } from "./recording-service.ts";
import type { Moment, SpanKind } from "./space-time.ts";
import type { TwinPlace } from "./twins.ts";
import { ViewMarks } from "./view-marks.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** How full everything is, is looked at after so many events. */
const FILLS_EVERY = 16;

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

/** A production `ReplicaHost` over simulated links, disk and clock, which can crash and come back. */
export class SimulatedReplica {
  readonly id: ReplicaId;
  readonly end: string;
  readonly isCorrect: boolean;
  readonly #world: World;
  readonly #options: SimulatedReplicaOptions;
  readonly #signer: Signer;
  #disk: FileDisk | MemoryDisk;
  readonly #guise: Guise;
  readonly #losses: Prng;
  readonly #pause = new Pause();
  readonly #viewMarks: ViewMarks;
  readonly #clients: ReadonlyMap<PublicKey, number>;
  readonly #timers = new Map<TimerName, Scheduled>();
  #host: ReplicaHost | undefined;
  #operations: ExecutedOperation[] = [];
  #replied = new Set<string>();
  #isFlushDoomed = false;
  #isImageLoaded = false;
  #yesterday: DiskImage | undefined;
  #isStopped = false;
  #viewDrawn = 0;
  /** Events so far. */
  #steps = 0;
  #fatal: Error | undefined;

  constructor(world: World, options: SimulatedReplicaOptions) {
    const { cluster } = world;
    this.id = replicaId(options.id);
    this.end = options.twin?.end ?? `r${options.id}`;
    this.isCorrect = options.byzantine === undefined;
    this.#world = world;
    this.#options = options;
    const seed = cluster.replicaSeeds[options.id] ?? new Uint8Array(0);
    this.#signer = createReplicaSigner({ backend: cluster.backend, seed, self: this.id, cluster: cluster.cluster });
    this.#disk = this.#createDisk();
    if (options.clock !== undefined) world.marks.add(`clock: ${kindOfClock(options.clock)}`);
    this.#losses = options.prng.fork("losses");
    this.#guise = new Guise(world, options.id, this.#signer, options.prng.fork("byzantine"), options.byzantine);
    this.#viewMarks = new ViewMarks(world);
    this.#clients = new Map(cluster.clientSeeds.map((client, i) => [cluster.backend.publicKeyOf(client), i]));
  }

  /** Undefined while it is down. */
  get host(): ReplicaHost | undefined {
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
  get trace(): ReturnType<ReplicaHost["trace"]> | undefined {
    return this.#fatal && this.#host?.trace(this.#fatal, `the simulator, ${this.end}`);
  }
  /** The disk as it is now; undefined when it is lost. */
  get store(): ReplicaStore | undefined {
    return this.#disk.store;
  }

  /** Stops its process (SIGSTOP): nothing happens to it until it goes on, then all at once. */
  pause(): void {
    this.#world.note(`${this.end} paused`);
    if (!this.#pause.isPaused) this.#drawBegin("paused", "paused");
    this.#pause.pause();
  }
  resume(): void {
    if (!this.#pause.isPaused) return;
    this.#world.note(`${this.end} goes on`);
    this.#drawEnd("paused");
    this.#pause.resume();
  }

  /** Starts, or comes back with what the disk holds. */
  start(): void {
    this.#loadImage();
    const host = this.#recover() ?? this.#recoverOnAnotherDisk();
    if (host === undefined) return this.#world.note(`${this.end} does not start: its disk is another's`);
    this.#host = host;
    this.#world.note(`${this.end} up at e${host.status.executed} h${host.status.lowWatermark}`);
    this.#viewMarks.onRecovered(host.status);
    this.#tell((checker) => checker.onRecovered?.(this.id, host.status));
    if (host.status.executed > 0) this.#world.marks.add("replica: recovered with state");
    this.#draw("up", "up");
    this.#drawEnd("down");
    if (host.status.mute !== undefined) this.#drawBegin("mute", "mute: does not vote");
    host.start();
    this.#check("start");
  }

  /** As production does: a lost disk is set aside, and the replica comes back mute (protocol rule 8.5). */
  #recoverOnAnotherDisk(): ReplicaHost | undefined {
    if (!this.#disk.isLost) return undefined;
    this.#world.marks.add("disk: lost");
    this.#world.marks.add("disk: damage found, mute");
    this.loseDisk();
    return this.#recover();
  }

  /** Undefined when its disk is lost or somebody else's. */
  #recover(): ReplicaHost | undefined {
    const disk = this.#disk.open();
    if (disk === undefined) return undefined;
    try {
      return this.#createHost(disk);
    } catch (error) {
      this.#disk.refuse(error);
      return undefined;
    }
  }

  #createHost(disk: ReplicaStore): ReplicaHost {
    const { clock, cluster: shared } = this.#world;
    const { cluster, hasher, codec, backend, genesis } = shared;
    this.#operations = [];
    this.#replied = new Set();
    const { inner, service: bent, store } = this.#options.plant;
    const service = recordingService(inner?.(kvService()) ?? kvService(), (executed) =>
      this.#operations.push(executed),
    );
    return new ReplicaHost({
      genesis,
      cluster,
      hasher,
      codec,
      service: bent?.(service, this.id) ?? service,
      store: store?.(disk, (task) => clock.after(0, task)) ?? disk,
      signer: this.#signer,
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
      observer: this.#observer(),
      settings: this.#options.settings,
    });
  }

  /** Power cut. */
  crash(): void {
    this.#pause.drop();
    this.#host?.stop();
    this.#host = undefined;
    this.#isFlushDoomed = false;
    this.#isStopped = false;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#world.network.crash(this.end);
    this.#disk.crash();
    this.#world.note(`${this.end} down`);
    this.#draw("down", "down");
    for (const kind of ["paused", "mute", "down"] as const) this.#drawEnd(kind);
    this.#drawBegin("down", "down");
  }

  /** Its operator wants another primary. */
  handOver(): void {
    this.#pause.run(() => {
      const asked = this.#host?.askHandOver();
      if (asked === undefined) return;
      this.#world.note(`${this.end} asked to hand over: ${asked.isAsked}`);
      this.#world.marks.add(`hand-over: ${asked.isAsked ? "asked" : "asked of a backup"}`);
      this.#check("hand-over asked");
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
  loseDisk(): void {
    this.#world.note(`${this.end} lost its disk`);
    this.#draw("disk", "disk lost");
    const words = Array.from({ length: 8 }, () => this.#losses.uint32().toString(16).padStart(8, "0"));
    const { prng, plant } = this.#options;
    const nonce = plant.forgetsLosses === true ? undefined : digest(words.join(""));
    const { times } = this.#disk;
    this.#disk = new MemoryDisk(times, prng.fork("another disk"), this.#world.marks, plant.recoveredStore, nonce);
    this.#tell((checker) => checker.onDiskLost?.(this.id));
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
    this.#disk.times.stallMs = ms;
  }

  /** Damages what lies on its disk, while it is down. */
  damageDisk(damage: DiskDamage, other: SimulatedReplica): void {
    if (!(this.#disk instanceof FileDisk && other.#disk instanceof FileDisk)) return;
    this.#world.note(`${this.end} disk damaged: ${damage}`);
    this.#draw("disk", `disk damaged: ${damage}`);
    this.#disk.damage(damage, other.#disk);
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
    this.#markArrival(host, frame);
    this.#guise.fromReplica(frame);
    if (!this.#guise.hears(frame)) return;
    host.onReplicaFrame(replicaId(from), frame);
    this.#check(frame.type);
  }

  #fromClient(client: number, key: PublicKey, arrival: Arrival<ClientFrame>): void {
    const host = this.#host;
    if (host === undefined) return;
    const frame = arrival();
    this.#world.note(`${this.end} < c${client} ${describeFrame(frame)}`);
    if (!this.#guise.hears(frame)) return;
    if (!host.onClientFrame(key, frame)) this.#world.onClientRefused(client);
    this.#check(frame.type);
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

  #createDisk(): FileDisk | MemoryDisk {
    const { prng, disk, byzantine, plant, twin } = this.#options;
    const { clock, marks, cluster } = this.#world;
    const own = prng.fork("disk");
    const awake = (task: () => void): void => this.#pause.run(task);
    const times = new FlushTimes({ clock, prng: own, faults: disk, marks, awake });
    const recovered = this.#recoversAs(byzantine);
    if (recovered !== undefined || twin !== undefined) return new MemoryDisk(times, own, marks, recovered);
    if (disk.store === "memory") return new MemoryDisk(times, own, marks, plant.recoveredStore);
    const identity = { cluster: cluster.cluster, replica: this.id };
    return new FileDisk({ identity, times, prng: own, marks, files: plant.files });
  }

  #ports(): HostPorts {
    const { clock } = this.#world;
    return {
      nowMs: () => wallMs(this.#options.clock, EPOCH_MS + this.#options.clockSkewMs, clock.nowMs),
      monotonicMs: () => clock.nowMs,
      sendToReplica: (to, frame) => this.#sendAll([to], frame),
      sendToReplicas: (to, frame) => this.#sendAll(to, frame),
      sendToClient: (client, frame) => this.#sendToClient(client, frame),
      startTimer: (timer, afterMs, fire) => {
        this.#world.marks.add(`timer: ${timer}`);
        this.#timers.get(timer)?.cancel();
        this.#timers.set(
          timer,
          clock.after(afterMs, () => this.#pause.run(() => this.#fire(timer, fire))),
        );
      },
      cancelTimer: (timer) => {
        this.#timers.get(timer)?.cancel();
        this.#timers.delete(timer);
      },
    };
  }

  #fire(timer: TimerName, fire: () => void): void {
    this.#timers.delete(timer);
    this.#world.note(`${this.end} timer ${timer}`);
    fire();
    this.#check(`timer ${timer}`);
  }

  #sendAll(to: readonly ReplicaId[], frame: ReplicaFrame): void {
    if (this.#options.plant.withholds?.(frame) === true) return;
    const type = frame.type === "signed" ? frame.envelope.message.type : frame.type;
    this.#world.marks.add(`sent to ${to.length === 1 ? "one" : "all"}: ${type}`);
    this.#world.note(`${this.end} > ${to.map((id) => `r${id}`).join()} ${describeFrame(frame)}`);
    this.#tell((checker) => checker.onSent?.(this.id, frame));
    if (this.isCorrect) this.#viewMarks.onSent(frame);
    this.#options.twin?.onSent(frame);
    for (const id of to)
      for (const outgoing of this.#guise.toReplica(id, frame)) {
        if (outgoing.delayMs === 0) this.#sendOne(id, outgoing);
        else this.#world.clock.after(outgoing.delayMs, () => this.#sendOne(id, outgoing));
      }
  }

  #sendOne(to: ReplicaId, { frame, arrival }: Outgoing): void {
    if (this.#options.twin?.reaches(`r${to}`) === false) return;
    const { network, receive } = this.#world;
    const type = frame.type === "signed" ? frame.envelope.message.type : frame.type;
    const arrive = drawn(this.#world, this.end, `r${to}`, type, frame);
    network.send(this.end, `r${to}`, () => {
      arrive();
      receive.replicaFrame(to, this.id, arrival);
    });
  }

  #sendToClient(key: PublicKey, frame: ServerFrame): void {
    const { network, receive, marks } = this.#world;
    const client = this.#clients.get(key);
    if (client === undefined || this.#options.twin?.reaches(`c${client}`) === false) return;
    this.#world.note(`${this.end} > c${client} ${describeFrame(frame)}`);
    if (frame.type === "refused") marks.add(`refused: ${frame.code}`);
    if (frame.type === "reply") {
      if (this.#replied.has(frame.reply.requestDigest)) marks.add("reply: made again");
      this.#replied.add(frame.reply.requestDigest);
      this.#tell((checker) => checker.onReply?.(this.id, frame.reply));
    }
    for (const { frame: sent, arrival } of this.#guise.toClient(frame)) {
      const arrive = drawn(this.#world, this.end, `c${client}`, sent.type, sent);
      network.send(this.end, `c${client}`, () => {
        arrive();
        receive.serverFrame(client, this.id, arrival);
      });
    }
  }

  #observer(): HostObserver {
    const { marks, note } = this.#world;
    const onExecuted = (batch: ExecutedBatch): void => this.#onExecuted(batch);
    return {
      onExecuted: this.#options.plant.onExecuted?.(onExecuted) ?? onExecuted,
      onStable: (seq) => {
        marks.add("checkpoint: stable");
        note(`${this.end} stable n${seq}`);
        this.#tell((checker) => checker.onStable?.(this.id, seq));
      },
      onViewChange: (turn) => this.#onViewChange(turn),
      onEvidence: (evidence) => {
        marks.add("evidence");
        if (this.isCorrect) this.#viewMarks.onEvidence(evidence);
        this.#tell((checker) => checker.onEvidence?.(this.id, evidence));
      },
      onMute: (mute) => {
        if (mute !== undefined) return;
        marks.add("mute: voted again");
        note(`${this.end} votes again`);
        this.#drawEnd("mute");
      },
      onRejection: (rejection: IngressRejection) => marks.add(`rejected: ${rejection.code}`),
      onFatal: (error) => this.#onFatal(error),
    };
  }

  #onViewChange(turn: ViewTurn): void {
    const what = turn.type === "entered" ? `enters v${turn.view}` : `leaves for v${turn.target}: ${turn.cause}`;
    this.#world.note(`${this.end} ${what}`);
    if (this.isCorrect) this.#viewMarks.onTurn(turn);
    this.#tell((checker) => checker.onViewChange?.(this.id, turn));
  }

  #onExecuted(batch: ExecutedBatch): void {
    const host = this.#host;
    const operations = this.#operations;
    this.#operations = [];
    if (host === undefined) return;
    const { stateRoot } = host.stateDigests;
    this.#draw("executed", `executed ${batch.seq}`);
    if (this.isCorrect) this.#viewMarks.onExecuted(batch.batchDigest);
    if (batch.sessionsEvicted > 0) this.#world.marks.add("session: evicted");
    this.#world.note(`${this.end} executed n${batch.seq} ${batch.batchDigest.slice(0, 8)} ${stateRoot.slice(0, 8)}`);
    if (operations.some((operation) => operation.result === undefined)) this.#world.marks.add("operation: threw");
    const agreedMs = operations[0]?.timestampMs;
    this.#tell((checker) => checker.onExecuted?.({ ...batch, replica: this.id, stateRoot, operations, agreedMs }));
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

  #markArrival(host: ReplicaHost, frame: ReplicaFrame): void {
    if (frame.type === "batch-body") this.#world.marks.add("batch body arrived");
    this.#viewMarks.onArrival(frame, host.status.lowWatermark);
    if (frame.type !== "pre-prepare" && frame.type !== "signed") return;
    const { message } = frame.envelope;
    if ("digest" in message && message.seq > host.status.highWatermark)
      this.#world.marks.add("backlog: message above the window");
  }

  #draw(kind: Moment["kind"], label: string): void {
    const { spaceTime, clock } = this.#world;
    spaceTime?.happened({ end: this.end, atMs: clock.nowMs, kind, label });
  }
  #drawBegin(kind: SpanKind, label: string): void {
    this.#world.spaceTime?.began(this.end, kind, label, this.#world.clock.nowMs);
  }
  #drawEnd(kind: SpanKind): void {
    this.#world.spaceTime?.ended(kind, this.#world.clock.nowMs, this.end);
  }

  #check(cause: string): void {
    const status = this.#host?.status;
    if (status === undefined) return;
    if (status.view > this.#viewDrawn) {
      this.#viewDrawn = status.view;
      this.#draw("view", `view ${status.view}`);
    }
    if (!this.isCorrect) return;
    if (this.#steps++ % FILLS_EVERY === 0) {
      const fills = this.#host?.fills ?? [];
      this.#tell((checker) => checker.onFills?.(this.end, fills));
    }
    this.#viewMarks.onStatus(status, cause, this.#world.cluster.genesis.timeouts.viewChangeMs);
    this.#tell((checker) => checker.onStatus?.(this.id, status));
  }

  /** What a Byzantine replica does inside is nobody's business. */
  #tell(report: (checker: Checker) => void): void {
    if (!this.isCorrect) return;
    try {
      for (const checker of this.#world.checkers) report(checker);
    } catch (violation) {
      this.#world.fail(violation);
    }
  }
}
