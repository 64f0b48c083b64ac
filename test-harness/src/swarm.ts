import { decideResendAfterMs } from "@quorate/client-proxy";
import { HISTORY_BYTES_MAX } from "@quorate/storage";
import { checkpointOrdersFor } from "./checkpoint-orders.ts";
import { MIDDLE_RATES } from "./middle-rates.ts";
import type { Fault, SimulationOptions } from "./options.ts";
import { NO_CHANGES } from "./planned-changes.ts";
import { Prng } from "./prng.ts";
import { FULL_DRAW, type SeedDraw } from "./seed-draw.ts";
import { byzantineFor, faultsOfByzantine, replicasFor } from "./swarm-byzantine.ts";
import { calmed, needsCalm } from "./swarm-calm.ts";
import { changesFor } from "./swarm-changes.ts";
import { clientCutsFor } from "./swarm-clients.ts";
import { clocksFor } from "./swarm-clocks.ts";
import { diskFaultsFor, storeFor } from "./swarm-disks.ts";
import { divergencesFor } from "./swarm-divergence.ts";
import { faultsFor, lostDisks } from "./swarm-faults.ts";
import { partitionsFor } from "./swarm-partitions.ts";

/** As in production, and, in one of so many seeds, so few that a slow flush keeps messages from being sent. */
const GATED_MESSAGES = 4_096;
const FEW_GATED_MESSAGES = 6;
const FEW_GATED_EVERY = 4;

/** Every so many seeds one runs real signatures and the wire codec. */
const REAL_SCHEME_EVERY = 20;

/**
 * Every second one rotates its primaries: at each batch, or so often that it happens some times in a run. Not where clocks are wrong:
 * one that is far behind and needed, for another is down, lets only its own proposals pass, and each turn of the others costs a time-out.
 */
function rotationFor(prng: Prng, areClocksWrong: boolean): number {
  const drawn = prng.pick([0, 0, 0, 0, 1, 2, 5, 12]);
  return areClocksWrong ? 0 : drawn;
}

/**
 * What a seed means: each draws its own sizes, rates and faults, so that a campaign visits corners that no single
 * choice of rates would (swarm testing). Each has loss, reordering and a restart of a backup. `draw` leaves out a part.
 */
export function optionsForSeed(seed: number, draw: SeedDraw = FULL_DRAW): SimulationOptions {
  const prng = new Prng(`swarm/${seed}`);
  const scheme = seed % REAL_SCHEME_EVERY === REAL_SCHEME_EVERY - 1 ? "real" : "fake";
  const drawnReplicas = prng.pick([4, 4, 4, 4, 4, 5, 7]);
  const wanted = replicasFor(seed, drawnReplicas);
  const replicas = draw.isSwarm ? wanted : (MIDDLE_RATES.replicas ?? wanted);
  const checkpointInterval = prng.pick([4, 4, 6, 8, 16]);
  const sessionWindow = prng.pick([1, 2, 4, 8]);
  const safetyMs = prng.integer(1200, 2500);
  const liars = byzantineFor(prng.fork("byzantine"), seed, replicas);
  const byzantine = draw.isByzantine ? liars : [];
  const store = storeFor(seed, byzantine.length);
  const faultsOfDisks = diskFaultsFor(prng.fork("disks"), {
    seed,
    replicas,
    safetyMs,
    store,
    faulty: byzantine.length,
  });
  const partitions = partitionsFor(prng.fork("partitions"), seed, replicas, safetyMs);
  const clocks = clocksFor(prng.fork("clocks"), replicas, byzantine);
  const faults = faultsFor(prng.fork("faults"), replicas, safetyMs);
  const losses = lostDisks(prng.fork("lost disks"), replicas, safetyMs, byzantine, faultsOfDisks);
  const damages = stateDamageFor(prng.fork("state"), replicas, safetyMs);
  const others = [...faultsOfDisks, ...losses, ...damages];
  const divergences = divergencesFor(prng.fork("divergences"), { replicas, safetyMs, byzantine, others });
  const clients = prng.integer(1, 6);
  const clientCuts = clientCutsFor(prng.fork("client cuts"), { replicas, clients, safetyMs }, faults);
  const options: SimulationOptions = {
    seed,
    replicas,
    clients,
    faultyClients: prng.pick([0, 0, 1, 2]),
    operations: prng.integer(15, 30),
    scheme,
    checkpointInterval,
    windowSize: checkpointInterval * prng.integer(2, 4),
    rotateEveryBatches: rotationFor(prng.fork("rotation"), clocks.length > 0),
    pipelineDepthMax: prng.integer(1, 8),
    batchRequestsMax: prng.pick([1, 2, 4, 16]),
    requestOperationsMax: prng.pick([1, 3, 8]),
    sessionWindow,
    sessionsPerClientMax: prng.pick([4, 64]),
    requestsOutstandingMax: prng.integer(1, sessionWindow),
    pendingRequestsMax: prng.pick([2, 4, 64, 1024]),
    gatedMessagesMax: seed % FEW_GATED_EVERY === 0 ? FEW_GATED_MESSAGES : GATED_MESSAGES,
    statusIntervalMs: prng.pick([20, 50, 100]),
    clockToleranceMs: prng.pick([10, 20, 5000]),
    viewChangeMs: prng.pick([300, 600, 1200]),
    viewChangeMaxMs: 4_800,
    clockSkewMs: prng.pick([0, 10, 60]),
    clocks,
    resendAfterMs: prng.pick([60, 150, 400]),
    impatience: prng.pick([0, 0.05, 0.2]),
    retries: prng.fork("retries").pick([0, 0.5, 0.9, 0.9]),
    network: networkRates(prng),
    disk: { ...diskRates(prng, store), historyBytesMax: historyFor(prng.fork("history")) },
    safetyMs,
    ...(draw.isSwarm ? {} : { ...MIDDLE_RATES, disk: { store, ...MIDDLE_RATES.disk } }),
    faults: inOrder(
      faults,
      others,
      divergences,
      partitions,
      clientCuts,
      faultsOfByzantine(byzantine, replicas, safetyMs),
    ),
    ...NO_CHANGES,
    checkpointOrders: checkpointOrdersFor(prng.fork("checkpoint orders"), replicas, safetyMs),
    byzantine,
  };
  const changed = { ...options, ...changesFor(prng.fork("changes"), options, draw) };
  return draw.isSwarm && needsCalm(liars) ? calmed(changed, faults[0]) : asOfProduction(changed);
}

/** Its clients do not wait longer: backups would hear of no request that a slow primary answers. */
function asOfProduction(options: SimulationOptions): SimulationOptions {
  return { ...options, resendAfterMs: Math.min(options.resendAfterMs, decideResendAfterMs(options)) };
}

function networkRates(prng: Prng): SimulationOptions["network"] {
  return {
    lossMax: prng.pick([0.02, 0.1, 0.2, 0.3]),
    duplicate: prng.pick([0, 0.02, 0.1]),
    straggle: prng.pick([0.01, 0.05, 0.2]),
    straggleMs: prng.pick([20, 100, 400]),
    delayMs: prng.pick([
      [0.2, 1],
      [1, 10],
      [2, 40],
    ]),
    jitterMs: prng.pick([1, 5, 20]),
  };
}

function diskRates(
  prng: Prng,
  store: SimulationOptions["disk"]["store"],
): Omit<SimulationOptions["disk"], "historyBytesMax"> {
  const flushMs = prng.pick<readonly [number, number]>([
    [0.1, 0.5],
    [1, 6],
    [5, 30],
  ]);
  return { store, flushMs, slow: prng.pick([0, 0.02]), slowMs: 150 };
}

/** Now and then so little history is kept that who was away for a while needs the others' state. */
function historyFor(prng: Prng): number {
  return prng.chance(0.3) ? prng.pick([0, prng.integer(0, 4_000)]) : HISTORY_BYTES_MAX;
}

/** Bits of one replica's state flip, in one seed of six, late enough for a checkpoint to be stable. */
function stateDamageFor(prng: Prng, replicas: number, safetyMs: number): readonly Fault[] {
  if (!prng.chance(1 / 6)) return [];
  const replica = prng.integer(0, replicas - 1);
  const moments = Array.from({ length: prng.integer(1, 6) }, () => prng.integer(Math.floor(safetyMs / 3), safetyMs));
  return moments.map((atMs) => ({ type: "damage-state", atMs, replica }));
}

function inOrder(...faults: readonly (readonly Fault[])[]): readonly Fault[] {
  return faults.flat().sort((a, b) => a.atMs - b.atMs);
}
