/**
 * The state machine: what a service is, and the execution of ordered batches on the replicated state, with sessions that
 * execute each request once and outputs that each replica signs once per batch.
 *
 * @packageDocumentation
 */

export { type ApplicationRead, type FoundEntries, type ReadBounds, readApplication } from "./application-reads.ts";
export { ADMITTED_CLIENTS_MAX, CHANGE_NONCES_MAX } from "./committed-configuration.ts";
export { SESSIONS_CACHED_MAX } from "./committed-sessions.ts";
export * from "./execution-store.ts";
export * from "./executor.ts";
export { GENESIS_HISTORY_DIGEST, genesisStateRoot, stateRootOf } from "./genesis-state.ts";
export { OUTPUTS_CACHED_MAX } from "./outputs.ts";
export { CHUNK_KEY_BYTES_MAX, type Chunk, type PlainService, plainService, Refusal } from "./plain-service.ts";
export { RestorablePart, restoredChanges, restoredGenesis } from "./restoring.ts";
export { type OwnCheckpoint, StateError } from "./rooted-state.ts";
export * from "./service.ts";
export {
  CLIENTS_MOVED_PER_BATCH_MAX,
  NONCES_FORGOTTEN_PER_BATCH_MAX,
  NONCES_PER_SESSION_MAX,
} from "./session-table.ts";
export { partOf } from "./state-keys.ts";
export { isApplicationProven, type ProvenState } from "./state-proof.ts";
export { storedConfiguration } from "./stored-configuration.ts";
