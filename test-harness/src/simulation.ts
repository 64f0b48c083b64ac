import { Verifier } from "@quorate/crypto";
import { decodeKvResult } from "@quorate/kv";
import {
  type CommittedEntry,
  type Epoch,
  invariant,
  type Membership,
  type PublicKey,
  primaryOf,
  type ServerFrame,
  sequenceNumber,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import type { HostSettings, ReplicaRunner } from "@quorate/server/host";
import { StaleReadsChecker } from "./checkers/stale-reads.ts";
import { type CheckpointOrderer, orderersOf } from "./checkpoint-orders.ts";
import { createCluster, type SimulatedCluster } from "./cluster.ts";
import { createCheckers } from "./create-checkers.ts";
import { readableEntry } from "./disk/readable-entry.ts";
import { SimulationFailure } from "./failure.ts";
import { FaultInjector } from "./fault-injector.ts";
import { FaultyClient } from "./faulty-client.ts";
import { Marks } from "./marks.ts";
import { Network } from "./network.ts";
import type { SimulationOptions } from "./options.ts";
import { isMemberBy } from "./peer-number.ts";
import { planCheckpointOrders, planMischief, planStaleReads, planWorkload } from "./planned-calls.ts";
import { planChanges } from "./planned-changes.ts";
import type { Plant } from "./plant.ts";
import { Prng } from "./prng.ts";
import { SimulatedAdmin } from "./simulated-admin.ts";
import { backUp, restoredDisk, restoredEntries, type SimulatedBackup } from "./simulated-backup.ts";
import { SimulatedClient } from "./simulated-client.ts";
import { SimulatedOrderer } from "./simulated-orderer.ts";
import { SimulatedReader } from "./simulated-reader.ts";
import { SimulatedReplica } from "./simulated-replica.ts";
import type { SpaceTime } from "./space-time.ts";
import { Trace } from "./trace.ts";
import { isTwin, Twins } from "./twins.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { type Arrival, createCodecWire, createValueWire } from "./wire.ts";
import { COUNTERS, readCounter, readTexts } from "./workload.ts";
import type { World } from "./world.ts";

/** Virtual time within which all must be quiet once faults have ended. */
const LIVENESS_MS = 60_000;
/** The same when a disk was lost: its replica waits for windows full of batches, one after the other. */
const LIVENESS_AFTER_LOSS_MS = 240_000;
/** The same when a state became wrong: one that is wrong again soon after its repair waits for the next one. */
const LIVENESS_AFTER_DIVERGENCE_MS = 240_000;
/**
 * The same when primaries take turns: each that is faulty, down, or an hour ahead of one that is needed has its turn, and its time-out,
 * again and again (seeds 84373200, 73040251).
 */
const LIVENESS_IN_TURNS_MS = 240_000;
/** Virtual time between two looks at whether all is quiet. */
const SLICE_MS = 50;
/** Far more than any run takes: one that gets here goes in circles. */
const STEPS_MAX = 2_000_000;
/** Bits flip often in a run that lasts for seconds, and its replicas are to come to its end. */
const DAMAGE_FORGOTTEN_MS = 300;
/** Not at all, so slowly that damage is read before it is found, and so fast that it is found at once. */
const SCRUB_RATES = [0, 2_000, 1_000_000] as const;
const WHOLE_TRACE: Partial<HostSettings> = { tracedStepsMax: 200_000, tracedBytesMax: 1024 ** 3 };

/** Who talks to replicas as a client does, and as it should. */
type CorrectParty = SimulatedClient | SimulatedOrderer | SimulatedAdmin | SimulatedReader;

/** What a run that kept all its promises tells. */
export interface SimulationReport {
  readonly seed: number;
  readonly traceHash: string;
  readonly marks: Marks;
  /** Tasks of the virtual clock that ran. */
  readonly steps: number;
  readonly virtualMs: number;
  /** Batches in the history at the end. */
  readonly batches: number;
  readonly operations: number;
}

/** What a run tells that need not come to rest. */
export interface UnrestReport {
  readonly marks: Marks;
  /** The correct ones that are up. */
  readonly replicas: readonly Pick<ReplicaRunner, "status" | "quarantine" | "stateExecuted">[];
  /** Whether a client believes any result. */
  readonly isAnswered: boolean;
  /** Whether all calls have ended, one way or the other. */
  readonly isSettled: boolean;
}

/**
 * A whole cluster with its clients on one thread and one virtual clock. All of it is production code but links, disk,
 * clock and, mostly, the scheme of signatures. First a phase of faults, in which nothing wrong may happen; then faults
 * end, and all that is right must happen, within a bound.
 */
export class Simulation {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly #cluster: SimulatedCluster;
  readonly #world: World;
  readonly #replicas: readonly SimulatedReplica[];
  readonly #twins = new Map<number, Twins>();
  readonly #clients: readonly SimulatedClient[];
  readonly #faultyClients: readonly FaultyClient[];
  readonly #orderers: ReadonlyMap<CheckpointOrderer, SimulatedOrderer>;
  /** Undefined where nothing is changed. */
  readonly #admin: SimulatedAdmin | undefined;
  readonly #readers: readonly SimulatedReader[];
  readonly #staleReads: number;
  readonly #readsChecker = new StaleReadsChecker();
  #epochs: EpochChain;
  readonly #memberships = new Map<Epoch, Membership>();
  readonly #faults: FaultInjector;
  readonly #spaceTime: SpaceTime | undefined;
  readonly #lines: string[] | undefined;
  #failure: unknown;

  /**
   * @param plant bugs to build in, for tests of the checkers themselves.
   * @param spaceTime records the run for a picture; the run is the same with and without it.
   * @param lines takes every line of the trace, and each replica keeps all of its steps, for a file.
   */
  constructor(options: SimulationOptions, plant: Plant = {}, spaceTime?: SpaceTime, lines?: string[]) {
    this.#options = options;
    this.#spaceTime = spaceTime;
    this.#lines = lines;
    this.#prng = new Prng(`simulation/${options.seed}`);
    this.#cluster = createCluster(
      options,
      this.#prng.fork("keys"),
      plant.restored?.restored,
      plant.staleReads?.readers,
    );
    const { hasher, backend, cluster, genesis } = this.#cluster;
    this.#epochs = new EpochChain({ hasher, cluster, verifier: new Verifier({ backend, hasher, cluster }) }, genesis);
    this.#world = this.#createWorld(plant.wrongFrom !== undefined, plant.staleReads !== undefined);
    const image = plant.restored && restoredDisk(this.#cluster.hasher, this.#cluster, plant.restored);
    if (plant.restored !== undefined) this.#tellRestored(restoredEntries(plant.restored));
    const skews = this.#prng.fork("skew");
    const scrubBytesPerSecond = this.#prng.fork("scrub").pick(SCRUB_RATES);
    this.#replicas = Array.from({ length: options.replicas + options.joiners.length }, (_, id) => {
      const prng = this.#prng.fork(`replica/${id}`);
      const settings = {
        pipelineDepthMax: options.pipelineDepthMax,
        pendingRequestsMax: options.pendingRequestsMax,
        gatedMessagesMax: options.gatedMessagesMax,
        scrubBytesPerSecond,
        damageForgottenMs: DAMAGE_FORGOTTEN_MS,
        ...(lines && WHOLE_TRACE),
      };
      const clockSkewMs = Math.floor(skews.between(-options.clockSkewMs, options.clockSkewMs));
      const byzantine = options.byzantine.find(({ replica }) => replica === id)?.behaviour;
      const clock = options.clocks.find(({ replica }) => replica === id);
      const { disk } = options;
      const given = { id, prng, settings, clockSkewMs, clock, disk, byzantine, plant, image: () => image };
      if (!isTwin(byzantine)) return new SimulatedReplica(this.#world, given);
      const twins = new Twins(this.#world, given, options);
      this.#twins.set(id, twins);
      return twins.first;
    });
    this.#clients = Array.from({ length: options.clients }, (_, index) => {
      const prng = this.#prng.fork(`client/${index}`);
      return new SimulatedClient(this.#world, index, options, prng, plant);
    });
    this.#faultyClients = Array.from({ length: options.faultyClients }, (_, i) => {
      const index = options.clients + i;
      return new FaultyClient(this.#world, index, this.#prng.fork(`client/${index}`));
    });
    const firstOrderer = options.clients + options.faultyClients;
    this.#orderers = new Map(
      orderersOf(options.checkpointOrders).map((by, i) => [
        by,
        new SimulatedOrderer(this.#world, firstOrderer + i, options, by),
      ]),
    );
    if (options.changes.length > 0) this.#admin = new SimulatedAdmin(this.#world, firstOrderer + this.#orderers.size);
    const firstReader = this.#cluster.clientSeeds.length - (plant.staleReads?.readers ?? 0);
    this.#staleReads = plant.staleReads?.reads ?? 0;
    this.#readers = Array.from({ length: plant.staleReads?.readers ?? 0 }, (_, i) => {
      const index = firstReader + i;
      return new SimulatedReader(this.#world, index, this.#prng.fork(`reader/${index}`), this.#readsChecker);
    });
    this.#faults = new FaultInjector(this.#world, this.#replicas, {
      onReplicaUp: (replica) => this.#connect(replica),
      onReplicaDown: (replica) => {
        // One that is back already is noticed when it links up again.
        if (replica.host === undefined) for (const client of this.#linked()) client.onLink(replica.id, false);
      },
    });
  }

  /** Runs to the end. @throws SimulationFailure when anything that must hold does not. */
  run(): SimulationReport {
    const { clock, marks, trace } = this.#world;
    return this.#judged(() => {
      this.#runSafetyPhase();
      this.#untilQuiet("after the faults");
      const counters = this.#readCounters();
      const history = this.#end(counters);
      const operations = this.#options.clients * this.#options.operations;
      const { seed } = this.#options;
      const traceHash = trace.digest();
      return { seed, traceHash, marks, steps: clock.ran, virtualMs: clock.nowMs, batches: history.length, operations };
    });
  }

  /** Runs on for so long after the faults, and demands nothing but safety. @throws SimulationFailure as `run` does. */
  runRestless(forMs: number): UnrestReport {
    return this.#judged(() => {
      this.#runSafetyPhase();
      this.#advance(forMs);
      return {
        marks: this.#world.marks,
        replicas: this.#correct().flatMap(({ host }) => host ?? []),
        isAnswered: this.#clients.some((client) => client.hasResults),
        isSettled: this.#clients.every((client) => client.isSettled),
      };
    });
  }

  /** When it has come to rest: the state at the last stable checkpoint, for another cluster. */
  backUp(): SimulatedBackup {
    const host = this.#correct()[0]?.host;
    invariant(host !== undefined, "simulation.nobody-correct");
    return backUp(host, this.#cluster);
  }

  #tellRestored(entries: ReturnType<typeof restoredEntries>): void {
    for (const checker of this.#world.checkers) checker.onRestored?.(entries);
  }

  #runSafetyPhase(): void {
    const { clock, checkers } = this.#world;
    this.#faults.start(this.#options.joiners);
    for (const twins of this.#twins.values()) twins.start(this.#options.safetyMs);
    this.#faults.plan(this.#options.faults);
    planWorkload(this.#options, this.#prng, this.#clients, clock);
    planCheckpointOrders(this.#options.checkpointOrders, this.#orderers, clock);
    planChanges(this.#options.changes, this.#admin, clock);
    planStaleReads(this.#options, this.#prng, { readers: this.#readers, reads: this.#staleReads }, clock);
    planMischief(this.#options, this.#prng, this.#faultyClients, this.#clients, clock);
    this.#advance(this.#options.safetyMs);
    this.#faults.heal();
    for (const checker of checkers) checker.onHealed?.();
  }

  #judged<T>(run: () => T): T {
    const { clock, trace } = this.#world;
    try {
      return run();
    } catch (cause) {
      throw new SimulationFailure(this.#failure ?? cause, {
        options: this.#options,
        atMs: clock.nowMs,
        status: this.#status(),
        trace: trace.last(),
        replicaTrace: this.#replicas.find(({ fatal }) => fatal !== undefined && fatal === this.#failure)?.trace,
      });
    }
  }

  #createWorld(isWrongEverywhere: boolean, isRead: boolean): World {
    const { options, cluster, prng } = { options: this.#options, cluster: this.#cluster, prng: this.#prng };
    const clock = new VirtualClock();
    const clients = new Map(cluster.clientSeeds.map((client, i) => [cluster.backend.publicKeyOf(client), i]));
    const marks = new Marks();
    const trace = new Trace(this.#lines);
    return {
      cluster,
      clock,
      marks,
      trace,
      network: new Network(clock, prng.fork("network"), options.network, marks),
      wire: options.scheme === "fake" ? createValueWire(cluster.codec) : createCodecWire(cluster.codec),
      archive: new Map(),
      roots: new Map(),
      epochs: () => this.#latestEpochs(),
      membershipAt: (epoch) => this.#membershipAt(epoch),
      replicas: () => this.#replicas,
      clientOf: (key) => clients.get(key) ?? this.#memberClientOf(key),
      checkers: [
        ...createCheckers({
          epochs: () => this.#latestEpochs(),
          ...{ options, cluster, clock, marks, isWrongEverywhere },
          isTwin: (replica) => this.#twins.has(replica),
        }),
        ...(isRead ? [this.#readsChecker] : []),
      ],
      spaceTime: this.#spaceTime,
      note: (line) => trace.add(`${clock.nowMs.toFixed(3)} ${line}`),
      fail: (error) => {
        this.#failure ??= error;
      },
      onClientRefused: (client) => {
        marks.add("faulty client: refused");
        const isFaulty = client >= options.clients && client < options.clients + options.faultyClients;
        if (!isFaulty) this.#failure ??= new Error(`a replica refused the correct client c${client}`);
      },
      receive: {
        replicaFrame: (to, from, frame) => {
          for (const replica of this.#replicasAt(to, `r${from.id}`)) replica.onReplicaFrame(from, frame);
        },
        clientFrame: (to, client, frame, linkKey) => {
          const key = linkKey ?? this.#partyAt(client)?.publicKey;
          if (key === undefined) return;
          for (const replica of this.#replicasAt(to, `c${client}`)) replica.onClientFrame(client, key, frame);
        },
        serverFrame: (client, from, frame) => this.#toClient(client, from, frame),
      },
    };
  }

  /** The longest chain that any replica has shown so far: each has proven its own. */
  #latestEpochs(): EpochChain {
    // Of a member that exists twice the second may be the first of all.
    const twins = [...this.#twins.values()].flatMap(({ all }) => all);
    for (const { host } of [...(this.#replicas ?? []), ...twins])
      if (host !== undefined && host.epochs.epoch > this.#epochs.epoch) this.#epochs = host.epochs;
    return this.#epochs;
  }

  /** What members order by themselves is answered where changes are ordered. */
  #memberClientOf(key: PublicKey): number | undefined {
    return this.#replicas.some(({ keys }) => keys.publicKeys.includes(key)) ? this.#admin?.index : undefined;
  }

  /** What a replica lives in, somebody has shown before. */
  #membershipAt(epoch: Epoch): Membership {
    const membership = this.#memberships.get(epoch) ?? this.#latestEpochs().membershipAt(epoch);
    invariant(membership !== undefined, "simulation.epoch-unknown", { epoch });
    this.#memberships.set(epoch, membership);
    return membership;
  }

  /** Who this peer finds there: one replica, or of a member that exists twice what this round lets through. */
  #replicasAt(id: number, peer: string): readonly SimulatedReplica[] {
    const twins = this.#twins.get(id);
    if (twins !== undefined) return twins.heardBy(peer);
    const replica = this.#replicas[id];
    return replica === undefined ? [] : [replica];
  }

  #toClient(client: number, from: number, frame: Arrival<ServerFrame>): void {
    const party = this.#partyAt(client);
    if (party instanceof FaultyClient) party.onServerFrame(frame);
    else party?.onServerFrame(from, frame);
  }

  /** Whoever has this place among the ends of clients. */
  #partyAt(index: number): CorrectParty | FaultyClient | undefined {
    const { clients, faultyClients } = this.#options;
    if (index === this.#admin?.index) return this.#admin;
    const reader = this.#readers.find((party) => party.index === index);
    if (reader !== undefined) return reader;
    return (
      this.#clients[index] ??
      this.#faultyClients[index - clients] ??
      [...this.#orderers.values()][index - clients - faultyClients]
    );
  }

  /** Those who notice when a replica goes or comes. */
  #linked(): readonly CorrectParty[] {
    const others = [...this.#orderers.values(), ...(this.#admin === undefined ? [] : [this.#admin])];
    return [...this.#clients, ...others, ...this.#readers];
  }

  /** A replica came up: each client's link to it does too, and the replica says where it stands. */
  #connect(replica: SimulatedReplica): void {
    const { network, receive } = this.#world;
    for (const client of this.#linked())
      network.sendReliably(replica.end, client.end, () => {
        if (replica.host === undefined) return;
        client.onLink(replica.id, false);
        client.onLink(replica.id, true);
        for (const welcome of replica.welcomes) receive.serverFrame(client.index, replica.id, welcome);
      });
  }

  #advance(ms: number): void {
    const { clock } = this.#world;
    const untilMs = clock.nowMs + ms;
    while (clock.runNext(untilMs)) {
      if (this.#failure !== undefined) throw this.#failure;
      invariant(clock.ran < STEPS_MAX, "simulation.goes-in-circles", { steps: clock.ran });
    }
  }

  /** Liveness: every call settles, and all correct replicas come to stand at one place, within the bound. */
  #untilQuiet(phase: string): void {
    const { clock, marks } = this.#world;
    const withinMs = Math.max(
      LIVENESS_MS,
      marks.count("disk: lost") > 0 ? LIVENESS_AFTER_LOSS_MS : 0,
      marks.count("audit: diverging") > 0 ? LIVENESS_AFTER_DIVERGENCE_MS : 0,
      this.#options.rotateEveryBatches > 0 ? LIVENESS_IN_TURNS_MS : 0,
    );
    const deadlineMs = clock.nowMs + withinMs;
    // All calls have been made by then.
    this.#advance(this.#options.safetyMs * 0.1);
    while (!this.#isQuiet()) {
      if (clock.nowMs >= deadlineMs) throw new Error(`liveness: not quiet ${withinMs} ms ${phase}`);
      this.#advance(SLICE_MS);
    }
  }

  #isQuiet(): boolean {
    if (!this.#linked().every((client) => client.isQuiet)) return false;
    if (this.#members().some(({ host }) => host?.status.mute !== undefined)) return false;
    if (this.#correct().some(({ host }) => host?.isInstalling === true)) return false;
    const places = this.#correct().map(
      ({ host }) => `${host?.status.epoch} ${host?.status.executed} ${host?.status.lowWatermark}`,
    );
    const host = this.#correct()[0]?.host;
    const isCheckpointStable = host === undefined || host.lastCheckpoint === host.status.lowWatermark;
    return isCheckpointStable && new Set(places).size === 1 && this.#areTogether() && this.#areAlike();
  }

  /** Who has become wrong, and put something out by it, has been found and repaired. */
  #areAlike(): boolean {
    if (this.#world.marks.count("audit: diverging") === 0) return true;
    return new Set(this.#correct().map(({ host }) => host?.stateDigests?.stateRoot)).size === 1;
  }

  /**
   * All correct ones are settled in one view; only a faulty primary may leave some alone on their way to the next one
   * (protocol rule 7.5).
   */
  #areTogether(): boolean {
    if (this.#correct().some(({ host }) => host?.status.activation !== undefined)) return false;
    const stands = this.#members().flatMap(({ host }) => (host === undefined ? [] : [host.status]));
    const settled = stands.filter(({ view, target }) => view === target);
    const views = new Set(settled.map(({ view }) => view));
    const [view] = views;
    if (view === undefined || views.size > 1) return false;
    const primary = primaryOf(this.#latestEpochs().membership, view);
    const isPrimaryFaulty = this.#members().every(({ id }) => id !== primary);
    const away = stands.filter((stand) => !settled.includes(stand));
    return away.every(({ target }) => isPrimaryFaulty && target === view + 1);
  }

  /** Those of whom everything is demanded at the end. */
  #correct(): readonly SimulatedReplica[] {
    return this.#replicas.filter((replica) => replica.isCorrect && !replica.isRefused);
  }

  /** Those of them that are members in the latest epoch; the others observe. */
  #members(): readonly SimulatedReplica[] {
    const { membership } = this.#latestEpochs();
    return this.#correct().filter(({ keys }) => isMemberBy(keys.publicKeys, membership));
  }

  /** Ordered reads by the first client, of the texts too: what an unanswered write left behind is to show. */
  #readCounters(): readonly bigint[] {
    const client = this.#clients[0];
    invariant(client !== undefined, "simulation.no-client");
    const calls = Array.from({ length: COUNTERS }, (_, counter) => client.submit(readCounter(counter)));
    for (const read of readTexts()) client.submit(read);
    this.#untilQuiet("after the last reads");
    return calls.map((call) => {
      const outcome = client.outcomeOf(call);
      invariant(outcome?.type === "result" && outcome.result.status === "ok", "simulation.read", { call });
      const { value } = decodeKvResult({ type: "get" }, outcome.result.value);
      return BigInt(value === undefined ? 0 : String.fromCharCode(...value));
    });
  }

  #end(counters: readonly bigint[]): readonly CommittedEntry[] {
    const history = this.#history();
    const replicas = this.#correct().map(({ id, host }) => {
      invariant(host !== undefined, "simulation.down-at-the-end", { id });
      const { stateDigests } = host;
      invariant(stateDigests !== undefined, "simulation.no-state-at-the-end", { id });
      return { id, status: host.status, ...stateDigests };
    });
    for (const checker of this.#world.checkers) checker.atEnd?.({ replicas, history, counters });
    return history;
  }

  #history(): readonly CommittedEntry[] {
    const correct = this.#correct();
    const host = correct[0]?.host;
    invariant(host !== undefined, "simulation.nobody-correct");
    return Array.from({ length: host.status.executed }, (_, i) => {
      // One entry of one replica may be damaged.
      const kept = firstOf(correct, ({ store }) => store && readableEntry(store.history, sequenceNumber(i + 1)));
      const bytes = kept ?? this.#world.archive.get(i + 1);
      invariant(bytes !== undefined, "simulation.history-gap", { seq: i + 1 });
      const decoded = this.#cluster.codec.decodeCommittedEntry(bytes);
      invariant(decoded.ok, "simulation.history-does-not-decode", { seq: i + 1 });
      return decoded.value;
    });
  }

  #status(): readonly string[] {
    const replicas = this.#replicas.flatMap((replica) => this.#twins.get(replica.id)?.all ?? [replica]);
    return [...replicas.map(({ statusLine }) => statusLine), ...this.#linked().map((client) => client.status)];
  }
}

function firstOf<T, R>(items: readonly T[], of: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
