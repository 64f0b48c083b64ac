/**
 * The client without I/O: sessions, packing of operations into signed requests, resending, the f+1 output filter and
 * receipts. One synchronous state machine, events in, effects out; `connect` of the `quorate` package runs it over
 * sockets.
 *
 * @packageDocumentation
 */
export { type ChangeOrderOptions, createChangeOrder } from "./change-order.ts";
export { type CheckpointOrderOptions, createCheckpointOrder } from "./checkpoint-order.ts";
export { ClientCore, type ClientOccupancy, type ClientStanding } from "./client-core.ts";
export type { ClientEpochs } from "./epoch-follower.ts";
export { type EpochAnswer, EpochQuestion } from "./epoch-question.ts";
export { createEpochWatch, type EpochWatchOptions } from "./epoch-watch.ts";
export type { ClientEffect, ClientEvent, ClientTimer, RequestFrame, TurnedAwayReason } from "./events.ts";
export { cancelled as cancelledFailure } from "./failures.ts";
export type { ReadJudge, ReadLie } from "./judge-read.ts";
export { CLIENT_DEFAULTS, type ClientLimits, type ClientOptions, decideResendAfterMs } from "./options.ts";
export {
  type CallOutcome,
  type ClientFailure,
  type ClientFailureCode,
  type FailureEffect,
  type Refusal,
  receiptOf,
} from "./outcome.ts";
export { REPLIES_PER_MEMBER_MAX } from "./output-filter.ts";
export { REGISTRATION_ATTEMPTS_MAX } from "./registration.ts";
export { SessionlessCore, type SessionlessEvent, type SessionlessOptions } from "./sessionless-core.ts";
export type {
  ProvenRead,
  ReadFailureCode,
  ReadFault,
  ReadOutcome,
  ReadSource,
  RefusedReads,
  StaleRead,
  StateReadingEffect,
  StateReadingEvent,
} from "./stale-read.ts";
export { READS_OPEN_MAX, StateReading, type StateReadingOptions } from "./state-reading.ts";
