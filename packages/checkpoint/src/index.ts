/**
 * Checkpoints (OSDI'99 §4.3): votes on durable state roots, stable certificates, the low watermark; and the audit, which
 * compares what the members say of what they execute.
 *
 * @packageDocumentation
 */
export { Audit, type AuditOptions, type ExecutedSoFar } from "./audit.ts";
export { Checkpointing, type CheckpointingOptions } from "./checkpointing.ts";
