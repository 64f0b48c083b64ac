import { createBatchComposer, Verifier } from "@quorate/crypto";
import { kvService } from "@quorate/kv";
import type { ReplicaId } from "@quorate/protocol";
import { type Compressor, type HostPorts, type HostSettings, ReplicaRunner } from "@quorate/server/host";
import type { ReplicaStore } from "@quorate/storage";
import { archivingStore } from "./archiving-store.ts";
import { type ClockFault, wallMs } from "./clock-fault.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import { recordingService } from "./recording-service.ts";
import type { ReplicaObserver } from "./replica-observer.ts";
import type { ReplicaSender } from "./replica-sender.ts";
import type { ReplicaTimers } from "./replica-timers.ts";
import { simulatedCompressor } from "./simulated-compressor.ts";
import type { SimulatedKeys } from "./simulated-keys.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** Of the replicas; the others neither send the state deflated nor take it so. */
const COMPRESSING = 3 / 4;
/** What deflating or inflating takes. */
const COMPRESSION_MS = 1;

/** The world of one simulated replica, of which its host is made at each start. */
export interface SimulatedHostsOptions {
  readonly id: ReplicaId;
  readonly isCorrect: boolean;
  readonly keys: SimulatedKeys;
  readonly prng: Prng;
  readonly settings: Partial<HostSettings>;
  readonly clockSkewMs: number;
  readonly clock: ClockFault | undefined;
  readonly plant: Plant;
  readonly observer: ReplicaObserver;
  readonly sender: ReplicaSender;
  readonly timers: ReplicaTimers;
  readonly isUp: () => boolean;
  /** Runs what has come to its end, when the replica is not paused. */
  readonly awake: (task: () => void) => void;
}

/** Makes the production `ReplicaRunner` of one replica, over simulated links, clock and disk. */
export class SimulatedHosts {
  readonly #world: World;
  readonly #o: SimulatedHostsOptions;
  readonly #isCompressing: boolean;
  /** Starts; what began in one of them ends with it. */
  #starts = 0;

  constructor(world: World, options: SimulatedHostsOptions) {
    this.#world = world;
    this.#o = options;
    this.#isCompressing = options.prng.fork("compression").chance(COMPRESSING);
  }

  /** @throws what `ReplicaRunner` throws. */
  create(disk: ReplicaStore): ReplicaRunner {
    const { id, keys, settings, plant, observer, sender } = this.#o;
    const { clock, cluster: shared } = this.#world;
    const { cluster, hasher, codec, backend, genesis } = shared;
    observer.restart();
    sender.restart();
    const { inner, service: bent, store } = plant;
    const service = recordingService(
      inner?.(kvService()) ?? kvService(),
      (executed) => observer.onOperation(executed),
      (membership) => observer.onMembership(membership),
    );
    return new ReplicaRunner({
      genesis,
      cluster,
      hasher,
      codec,
      service: bent?.(service, id) ?? service,
      store: this.#archiving(store?.(disk, (task) => clock.after(0, task)) ?? disk),
      keys: keys.ofReplica,
      verifier: new Verifier({
        backend,
        hasher,
        cluster,
        requestsMax: 1024,
        statementsMax: 64,
      }),
      composer: createBatchComposer(hasher, cluster),
      ports: this.#ports(),
      observer: observer.ofHost(),
      settings,
      compressor: this.#compressor(),
    });
  }

  /** What a correct replica puts into its history is kept for the end of the run, however little it keeps itself. */
  #archiving(store: ReplicaStore): ReplicaStore {
    return this.#o.isCorrect ? archivingStore(store, this.#world.archive) : store;
  }

  #ports(): HostPorts {
    const { clock: fault, clockSkewMs, sender, timers } = this.#o;
    const { clock } = this.#world;
    return {
      nowMs: () => wallMs(fault, EPOCH_MS + clockSkewMs, clock.nowMs),
      monotonicMs: () => clock.nowMs,
      sendToReplica: (to, frame) => sender.toReplicas([to], frame),
      sendToReplicas: (to, frame) => sender.toReplicas(to, frame),
      sendToObservers: (frame) => sender.toObservers(frame),
      sendToClient: (client, frame) => sender.toClient(client, frame),
      startTimer: (timer, afterMs, fire) => timers.start(timer, afterMs, fire),
      cancelTimer: (timer) => timers.cancel(timer),
    };
  }

  #compressor(): Compressor | undefined {
    const { id, plant, observer, isUp, awake } = this.#o;
    const start = ++this.#starts;
    const compressor = simulatedCompressor((end) =>
      this.#world.clock.after(COMPRESSION_MS, () =>
        awake(() => {
          if (!isUp() || start !== this.#starts) return;
          end();
          observer.check("compression");
        }),
      ),
    );
    return plant.compressor?.(compressor, id) ?? (this.#isCompressing ? compressor : undefined);
  }
}
