/**
 * Quorate: Byzantine-fault-tolerant state machine replication. Write a deterministic `Service`, run it on `3f+1`
 * replicas with `startReplica`, and call it through `connect`.
 *
 * @packageDocumentation
 */
export { clusterIdOf, signPossession } from "@quorate/crypto";
export { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
export * from "@quorate/kv";
export { type EpochDocument, epochDocumentOf, parseEpochDocument } from "@quorate/reconfiguration";
export {
  type ChangeDocument,
  ConfigurationError,
  changeDocumentOf,
  initReplicaFolder,
  type PreparedChange,
  type ProcessStatus,
  parseChangeDocument,
  type RunningReplica,
  readGenesis,
  readReplicaFolder,
  type StartOptions,
  startReplica,
} from "@quorate/server";
export {
  type Chunk,
  type ExecutionContext,
  type PlainService,
  plainService,
  Refusal,
  type Service,
  type StateReader,
  type StateStore,
} from "@quorate/state-machine";
export type { CallOptions } from "./call-options.ts";
export { ClaimError } from "./claim-request.ts";
export { createLogger, LOG_LEVELS, type LogLevel } from "./cli/logger.ts";
export * from "./client.ts";
export type { ClientEventMap, ClientEvents } from "./client-events.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export type { ClientPlatform } from "./core-runner.ts";
export * from "./errors.ts";
export { type ClaimInit, type FetchedClaim, fetchClaim } from "./fetch-claim.ts";
export * from "./kv-client.ts";
export type { OperationOutcome } from "./operation-calls.ts";
export type { OperationReceipt } from "./operation-receipt.ts";
export {
  approveChange,
  type ChangeInit,
  type ChangeOrderInit,
  type ChangeProgress,
  type ChangeSubmission,
  type OrderedChange,
  orderChange,
  prepareChange,
  submitChange,
} from "./order-change.ts";
export { type CheckpointOrderInit, type OrderedCheckpoint, orderCheckpoint } from "./order-checkpoint.ts";
export type { SessionlessInit } from "./sessionless-client.ts";
