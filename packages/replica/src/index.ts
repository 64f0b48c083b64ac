/**
 * The mediator: one `step` over the sub-protocols, the output gate before the world, and recovery from the log.
 *
 * @packageDocumentation
 */
export { isVerdict, type LeaveCause } from "@quorate/view-change";
export { BACKLOG_BATCHES_PER_SENDER_MAX, BACKLOG_PER_SENDER_MAX, Backlog, type EarlyMessage } from "./backlog.ts";
export { describeReplicaFrame } from "./describe-frame.ts";
export { describeStep } from "./describe-step.ts";
export type { ReplicaEvent } from "./events.ts";
export { logAfterInstallation } from "./log-after-installation.ts";
export { type Ground, MuteMembers } from "./mute-members.ts";
export { Muteness, type MuteStatus, type RestoredMuteness } from "./muteness.ts";
export { OutputGate, type Released, type WriteNumber } from "./output-gate.ts";
export { type RecoveredDisk, recover, type VerifiedLogRecord } from "./recovery.ts";
export { type ReleaseBounds, releaseBounds, type Standing } from "./release-bounds.ts";
export { Relevance } from "./relevance.ts";
export { Replica } from "./replica.ts";
export type { Recovery, ReplicaOptions, ReplicaStatus } from "./replica-options.ts";
