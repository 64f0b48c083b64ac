/**
 * The normal case of PBFT (OSDI'99 §4.2): requests become batches, batches pass three phases over the window.
 *
 * @packageDocumentation
 */
export type { Decision } from "./decision.ts";
export type { ExecutedWaits } from "./executed-waits.ts";
export { Ordering } from "./ordering.ts";
export type { EndOfEpoch, OrderingOptions, RestoredOrdering, RestoredSlot } from "./ordering-options.ts";
export { type BatchLimits, RequestQueue, type RequestQueueLimits } from "./request-queue.ts";
export { Slot, type VoteOutcome } from "./slot.ts";
export { Window } from "./window.ts";
