/**
 * What Quorate costs: closed-loop clients against a cluster of real processes, and the primitives by themselves.
 *
 * @packageDocumentation
 */
export { runBenchmark } from "./benchmark.ts";
export type { Calibration, Steps } from "./calibration.ts";
export { main } from "./main.ts";
export type { BenchOptions, ClusterOptions, OperationType, RunOptions, Scenario } from "./options.ts";
export type { Report, RunReport } from "./report.ts";
