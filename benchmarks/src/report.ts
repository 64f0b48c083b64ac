import { cpus, loadavg, type } from "node:os";
import type { Calibration } from "./calibration.ts";
import type { ClusterOptions, RunOptions } from "./options.ts";

/** What a run measured, with everything that one must know to read it. Times in milliseconds unless named otherwise. */
export interface RunReport {
  readonly scenario: RunOptions["scenario"];
  readonly operation: RunOptions["operation"];
  readonly valueBytes: number;
  readonly clients: number;
  readonly outstanding: number;
  readonly operations: number;
  readonly failed: number;
  readonly seconds: number;
  readonly operationsPerSecond: number;
  readonly latencyMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Operations per executed sequence number. */
  readonly meanBatch: number;
  /** CPU seconds of each replica and of the client process; undefined where the platform does not tell. */
  readonly cpuSeconds: { readonly replicas: readonly number[]; readonly client: number } | undefined;
  /** CPU seconds of all processes together per 1,000 operations. */
  readonly cpuSecondsPer1000: number | undefined;
  /** Of the last minute, after the run: what else the machine did. */
  readonly loadAverage: number;
}

export interface Report {
  readonly machine: {
    readonly node: string;
    readonly system: string;
    readonly cpu: string;
    readonly cores: number;
  };
  readonly cluster: {
    readonly n: number;
    readonly f: number;
    readonly durability: ClusterOptions["durability"];
    readonly signatures: string;
    readonly pipeline: number | "default";
    readonly checkpointInterval: number;
  };
  /** The machine by itself, before the cluster started and after it ended. */
  readonly calibration: { readonly before: Calibration; readonly after: Calibration };
  readonly runs: readonly RunReport[];
}

export function machine(): Report["machine"] {
  const cores = cpus();
  return { node: process.version, system: type(), cpu: cores[0]?.model ?? "unknown", cores: cores.length };
}

export function loadAverage(): number {
  return round(loadavg()[0] ?? 0);
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** The minimums that a release must reach on one machine of two cores: a median in ms, operations a second. */
const MINIMUMS = { latencyMedianMs: 3, operationsPerSecond: 10_000 } as const;

/** How far the 95th percentile of a verification may lie above its median where nobody else is at work. */
const UNDISTURBED_SPREAD = 1.5;

/** What a report comes to. */
export interface Verdict {
  /** 0: good; 1: operations failed, or a minimum was missed; 3: one was missed, which may be the machine's doing. */
  readonly exitCode: 0 | 1 | 3;
  /** A line each. */
  readonly complaints: readonly string[];
  /** Minimums were missed, and nothing else is wrong. */
  readonly isSlow: boolean;
}

/**
 * Judges a report. A minimum that was reached in spite of somebody else's work is reached; one that was missed beside it says
 * nothing about the program. That an operation failed is no question of speed.
 *
 * @param isChecked whether the minimums are asked for.
 */
export function verdictOf({ runs, calibration }: Report, isChecked: boolean): Verdict {
  const failures = runs.flatMap(({ scenario, failed }) =>
    failed > 0 ? [`${scenario}: ${failed} operations failed`] : [],
  );
  const missed = isChecked ? runs.flatMap(missedMinimums) : [];
  if (failures.length > 0) return { exitCode: 1, complaints: [...failures, ...missed], isSlow: false };
  if (missed.length === 0) return { exitCode: 0, complaints: [], isSlow: false };
  const disturbance = disturbanceIn(calibration);
  if (disturbance === undefined) return { exitCode: 1, complaints: missed, isSlow: true };
  const advice = "measure again on a machine that does nothing else";
  return { exitCode: 3, complaints: [[`no verdict: ${disturbance}`, advice, ...missed].join("; ")], isSlow: true };
}

function missedMinimums({ scenario, latencyMs, operationsPerSecond }: RunReport): readonly string[] {
  if (scenario === "latency" && latencyMs.p50 >= MINIMUMS.latencyMedianMs)
    return [`latency: the median is ${latencyMs.p50} ms, expected less than ${MINIMUMS.latencyMedianMs} ms`];
  if (scenario === "throughput" && operationsPerSecond < MINIMUMS.operationsPerSecond)
    return [
      `throughput: ${operationsPerSecond} operations a second, expected at least ${MINIMUMS.operationsPerSecond}`,
    ];
  return [];
}

/** Who else was at work, as far as the calibration shows; undefined when nobody was. */
function disturbanceIn(calibration: Report["calibration"]): string | undefined {
  for (const when of ["before", "after"] as const) {
    const { p50, p95 } = calibration[when].verificationUs;
    if (p95 > UNDISTURBED_SPREAD * p50)
      return `somebody else was at work ${when} it (a verification took ${p50} µs, the p95 is ${p95} µs)`;
  }
  return undefined;
}

/** The report for people: one column a run, every parameter beside the figures. */
export function table(report: Report): string {
  const { machine, cluster, calibration, runs } = report;
  const rows: readonly (readonly [string, (run: RunReport) => string | number])[] = [
    ["operation", (run) => `${run.operation}${run.operation === "put" ? ` of ${run.valueBytes} bytes` : ""}`],
    ["clients × outstanding", (run) => `${run.clients} × ${run.outstanding}`],
    ["operations / s", (run) => run.operationsPerSecond],
    ["p50 ms", (run) => run.latencyMs.p50],
    ["p95 ms", (run) => run.latencyMs.p95],
    ["p99 ms", (run) => run.latencyMs.p99],
    ["max ms", (run) => run.latencyMs.max],
    ["operations / batch", (run) => run.meanBatch],
    ["operations, failed", (run) => `${run.operations}, ${run.failed}`],
    ["seconds", (run) => run.seconds],
    ["CPU s of replicas", (run) => run.cpuSeconds?.replicas.join(" ") ?? "-"],
    ["CPU s of client", (run) => run.cpuSeconds?.client ?? "-"],
    ["CPU s / 1,000 operations", (run) => run.cpuSecondsPer1000 ?? "-"],
    ["load average after", (run) => run.loadAverage],
  ];
  const cells = [["", ...runs.map(({ scenario }) => scenario)], ...rows.map(([name, of]) => [name, ...runs.map(of)])];
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => `${row[column]}`.length)));
  const lines = cells.map((row) =>
    row.map((cell, i) => (i === 0 ? `${cell}`.padEnd(widths[i] ?? 0) : `${cell}`.padStart(widths[i] ?? 0))).join("  "),
  );
  return [
    `n=${cluster.n} f=${cluster.f}, ${cluster.durability} durability, ${cluster.signatures} signatures, pipeline ${cluster.pipeline}, checkpoint every ${cluster.checkpointInterval}`,
    `node ${machine.node}, ${machine.system}, ${machine.cpu}, ${machine.cores} cores; replicas and client on this machine`,
    `machine before: ${calibrated(calibration.before)}`,
    `machine after:  ${calibrated(calibration.after)}`,
    "",
    ...lines,
  ].join("\n");
}

function calibrated({ verificationUs, syncedWriteUs, loadAverage }: Calibration): string {
  const verification = `verification ${verificationUs.p50} µs (p95 ${verificationUs.p95})`;
  return `${verification}, synced write ${syncedWriteUs.p50} µs (p95 ${syncedWriteUs.p95}), load average ${loadAverage}`;
}
