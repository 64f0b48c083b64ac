/**
 * The deterministic simulator: the production replica host and client core over a seeded network, disks and a virtual
 * clock, with faults, Byzantine replicas and checkers. Equal seeds give equal runs.
 *
 * @packageDocumentation
 */
export * from "./byzantine.ts";
export * from "./campaign.ts";
export * from "./checkers/agreement.ts";
export * from "./checkers/bounds.ts";
export * from "./checkers/checker.ts";
export * from "./checkers/checkpoints.ts";
export * from "./checkers/client-history.ts";
export * from "./checkers/durability.ts";
export * from "./checkers/evidence.ts";
export * from "./checkers/exactly-once.ts";
export * from "./checkers/linearizability.ts";
export * from "./checkers/promises.ts";
export * from "./checkers/state-equality.ts";
export * from "./checkers/time.ts";
export * from "./checkers/time-outs.ts";
export * from "./checkers/validity.ts";
export * from "./checkers/views.ts";
export * from "./checkers/watermarks.ts";
export * from "./clock-fault.ts";
export { type CutDirection, cutLabels } from "./cut-labels.ts";
export * from "./disk/disk-damage.ts";
export * from "./disk/file-disk.ts";
export * from "./disk/files-with.ts";
export * from "./disk/flush-times.ts";
export * from "./disk/log-witness.ts";
export * from "./disk/simulated-files.ts";
export * from "./draw-run.ts";
export * from "./drawn-part.ts";
export { EXAMPLE_RUN } from "./example-run.ts";
export * from "./failure.ts";
export * from "./history/history-line.ts";
export * from "./history/history-operation.ts";
export * from "./history/history-recorder.ts";
export * from "./history/kv-model.ts";
export * from "./link-shape.ts";
export * from "./marks.ts";
export * from "./mutants/index.ts";
export * from "./mutations/coverage.ts";
export * from "./mutations/frames.ts";
export * from "./mutations/mutation.ts";
export * from "./mutations/mutator.ts";
export * from "./network.ts";
export * from "./options.ts";
export * from "./options-file.ts";
export * from "./planned-changes.ts";
export * from "./plant.ts";
export * from "./prng.ts";
export * from "./processes/index.ts";
export * from "./rare-marks.ts";
export * from "./recording-service.ts";
export * from "./replay-replica.ts";
export * from "./saved-run.ts";
export * from "./seed-draw.ts";
export * from "./seed-run.ts";
export * from "./seed-runs.ts";
export * from "./shrink.ts";
export type { SimulatedBackup } from "./simulated-backup.ts";
export * from "./simulation.ts";
export * from "./space-time.ts";
export * from "./space-time-svg.ts";
export * from "./swarm.ts";
export * from "./virtual-clock.ts";
