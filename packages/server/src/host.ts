/**
 * The replica without sockets, disks or clocks: a host over ports, for the simulator and for embedding.
 *
 * @packageDocumentation
 */
export type { Compressor } from "./compressor.ts";
export { type DamageRepair, RecurringDamage } from "./damage-count.ts";
export type { Departure } from "./departure.ts";
export * from "./describe-evidence.ts";
export * from "./disk-recovery.ts";
export * from "./evidence-shelf.ts";
export * from "./host-options.ts";
export * from "./host-settings.ts";
export type { ExecutionDigests, StateDigests } from "./host-state.ts";
export * from "./ingress.ts";
export type { Installation } from "./installation-record.ts";
export type { RepairStatus } from "./pending-installation.ts";
export * from "./ports.ts";
export { type QuarantineStatus, REPAIR_PAUSES_MS } from "./quarantine.ts";
export * from "./replay-trace.ts";
export { REJECTION_CODES } from "./replica-counters.ts";
export * from "./replica-host.ts";
export { createReplicaKeys, type ReplicaKeys, type ReplicaKeysOptions } from "./replica-keys.ts";
export * from "./replica-runner.ts";
export * from "./replica-trace.ts";
export * from "./steady-clock.ts";
export * from "./step-recorder.ts";
