/**
 * Checkpoints (OSDI'99 §4.3): votes on durable state roots, stable certificates, the low watermark.
 *
 * @packageDocumentation
 */
export { Checkpointing, type CheckpointingOptions } from "./checkpointing.ts";
