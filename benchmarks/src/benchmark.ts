import { mkdirSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";
import { faultThreshold, genesisMembership } from "@quorate/protocol";
import { connect, KvClient, type ProcessStatus, type QuorateClient } from "quorate";
import { calibrate } from "./calibration.ts";
import { fill, type Measured, runClosedLoops } from "./closed-loop.ts";
import { BenchCluster } from "./cluster.ts";
import { cpuSecondsOf } from "./cpu.ts";
import type { BenchOptions, RunOptions } from "./options.ts";
import { loadAverage, machine, type Report, type RunReport, round } from "./report.ts";

/** What the processes had done at one moment. */
interface Snapshot {
  readonly answered: number;
  readonly executed: number;
  readonly cpuSeconds: readonly (number | undefined)[];
}

/**
 * Starts a cluster, measures every run on it, and ends it; before and after that it measures the machine.
 *
 * @throws when the cluster does not start or its replicas do not agree in the end: then there is nothing to report.
 */
export async function runBenchmark(options: BenchOptions): Promise<Report> {
  const { data } = options.cluster;
  const before = await calibrate(data);
  const measured = await measureCluster(options);
  return { ...measured, calibration: { before, after: await calibrate(data) } };
}

async function measureCluster({ runs, cluster: options }: BenchOptions): Promise<Omit<Report, "calibration">> {
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const cluster = await BenchCluster.start(options);
  const endCluster = onSignal(() => cluster.stop());
  try {
    const profiler = options.profile === undefined ? undefined : await startProfiler();
    const reports: RunReport[] = [];
    for (const run of runs) reports.push(await measure(cluster, run));
    if (options.profile !== undefined) await profiler?.(join(options.profile, "client.cpuprofile"));
    const [status] = await agreement(cluster);
    const { genesis } = cluster;
    return {
      machine: machine(),
      cluster: {
        n: options.replicas,
        f: faultThreshold(genesisMembership(genesis)),
        durability: options.durability,
        signatures: status?.signatures ?? "unknown",
        pipeline: options.pipeline ?? "default",
        checkpointInterval: genesis.checkpointInterval,
      },
      runs: reports,
    };
  } finally {
    await endCluster();
  }
}

/** Runs `end` when the user breaks off, then exits; returned is what to call otherwise, which forgets the signals. */
function onSignal(end: () => Promise<void>): () => Promise<void> {
  const breakOff = (): void => {
    void end().finally(() => process.exit(130));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, breakOff);
  return async () => {
    for (const signal of signals) process.removeListener(signal, breakOff);
    await end();
  };
}

async function measure(cluster: BenchCluster, options: RunOptions): Promise<RunReport> {
  const clients: QuorateClient[] = [];
  for (let i = 0; i < options.clients; i++) clients.push(await connect({ genesis: cluster.genesis }));
  try {
    const stores = clients.map((client) => new KvClient(client));
    const [first] = stores;
    if (first !== undefined) await fill(first, options.valueBytes);
    const edges: Snapshot[] = [];
    const measured = await runClosedLoops(stores, options, async (answered) => {
      edges.push(await snapshot(cluster, answered));
    });
    const [before, after] = edges;
    if (before === undefined || after === undefined) throw new Error("the run ended without being measured");
    return reportOf(options, measured, before, after);
  } finally {
    for (const client of clients) client.close();
  }
}

async function snapshot(cluster: BenchCluster, answered: number): Promise<Snapshot> {
  const cpuSeconds = [...cluster.pids, process.pid].map(cpuSecondsOf);
  const executed = (await cluster.status()).map((status) => status.executed);
  return { answered, executed: Math.max(...executed), cpuSeconds };
}

function reportOf(options: RunOptions, measured: Measured, before: Snapshot, after: Snapshot): RunReport {
  const { operations, failed, seconds, latencyNs } = measured;
  const used = after.cpuSeconds.map((seconds, i) => (seconds ?? Number.NaN) - (before.cpuSeconds[i] ?? Number.NaN));
  // What was answered between the edges, which lie a little outside of the measured time.
  const answered = after.answered - before.answered;
  const total = used.reduce((sum, seconds) => sum + seconds, 0);
  const isCpuKnown = !Number.isNaN(total);
  const ms = (nanoseconds: number): number => round(nanoseconds / 1e6, 3);
  return {
    scenario: options.scenario,
    operation: options.operation,
    valueBytes: options.valueBytes,
    clients: options.clients,
    outstanding: options.outstanding,
    operations,
    failed,
    seconds: round(seconds, 3),
    operationsPerSecond: Math.round(operations / seconds),
    latencyMs: {
      mean: ms(latencyNs.mean),
      p50: ms(latencyNs.percentile(50)),
      p95: ms(latencyNs.percentile(95)),
      p99: ms(latencyNs.percentile(99)),
      max: ms(latencyNs.max),
    },
    meanBatch: round(answered / Math.max(1, after.executed - before.executed), 1),
    cpuSeconds: isCpuKnown
      ? { replicas: used.slice(0, -1).map((seconds) => round(seconds)), client: round(used.at(-1) ?? 0) }
      : undefined,
    cpuSecondsPer1000: isCpuKnown ? round((total * 1000) / answered, 3) : undefined,
    loadAverage: loadAverage(),
  };
}

/** A fast cluster whose replicas do not agree would be worth nothing: all must come to the same state. */
async function agreement(cluster: BenchCluster): Promise<readonly ProcessStatus[]> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const statuses = await cluster.status();
    const isSame = (field: keyof ProcessStatus): boolean => new Set(statuses.map((s) => s[field])).size === 1;
    if (isSame("executed")) {
      const areRootsSame = new Set(await cluster.stateRoots()).size === 1;
      if (areRootsSame && isSame("executionDigest") && isSame("historyDigest")) return statuses;
      throw new Error("the replicas executed the same sequence numbers and are in different states");
    }
    if (performance.now() > deadlineMs) throw new Error("the replicas did not come to the same sequence number");
  }
}

/** Profiles this process, which is the client; the result ends the profile and writes it. */
async function startProfiler(): Promise<(path: string) => Promise<void>> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  return async (path) => {
    const { profile } = await session.post("Profiler.stop");
    writeFileSync(path, JSON.stringify(profile));
    session.disconnect();
  };
}
