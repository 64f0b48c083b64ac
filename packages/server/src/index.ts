/**
 * A replica as a process: the data folder, sockets, disk and clock around one `ReplicaHost`.
 *
 * @packageDocumentation
 */
export { advertisedAddress, dialedAddress, normalAddress } from "./addresses.ts";
export { ADMIN_COMMAND, ADMIN_HEADER, isFromOperator } from "./admin-command.ts";
export type { AuditDocument, NumberDigest, OwnAudit } from "./audit-document.ts";
export { BackupReader, type BackupStart } from "./backup/backup-reader.ts";
export { BackupJudge, type BackupOrigin, type BackupSummary } from "./backup/judge-backup.ts";
export { verifyBackup } from "./backup/read-backup.ts";
export { checkRoom } from "./backup/restore-state.ts";
export { openStoppedBackup, type StoppedBackup } from "./backup/stopped-backup.ts";
export {
  type ChangeDocument,
  changeDocumentOf,
  type PreparedChange,
  parseChangeDocument,
  withApproval,
} from "./change-document.ts";
export { ConfigurationError, type ConfigurationErrorCode } from "./configuration-error.ts";
export { type Cryptography, type Judges, judgesOf, openStoppedStore } from "./data-reader.ts";
export {
  type KeyFile,
  parseGenesis,
  parseKeyFile,
  parseReplicaConfig,
  type ReplicaConfig,
  readDocument,
} from "./documents.ts";
export {
  checkEvidenceProof,
  type EvidenceDocument,
  type EvidenceProof,
  evidenceDocumentOf,
  parseEvidenceDocument,
} from "./evidence-document.ts";
export { EXPOSITION_CONTENT_TYPE, exposition, type MetricFamily, type MetricSample } from "./exposition.ts";
export { FolderKeys, type FolderKeysOptions } from "./folder-keys.ts";
export type { NumberRange } from "./history-reading.ts";
export * from "./host.ts";
export { type KeptEvidenceList, type KeptOnDisk, type KeptPiece, readKeptEvidence } from "./kept-evidence.ts";
export { type KnownEpochs, knownEpochs } from "./known-epochs.ts";
export { type KnownMembers, knownMembersOf } from "./known-members.ts";
export { type LinkCount, LinkCounts } from "./link-counts.ts";
export type { LogPage, LogPageItem, LogPageRequest } from "./log-page.ts";
export { makeFolder } from "./make-folder.ts";
export {
  ADMIN_PORT_OFFSET,
  defaultAdmin,
  type InitOptions,
  initReplicaFolder,
  keyFileOf,
} from "./make-replica-folder.ts";
export { judgeItem, type LoggedNumber, openStoppedLog } from "./ordered-log.ts";
export type { Traffic } from "./peer-traffic.ts";
export type { PreparedBatch } from "./prepared-batches.ts";
export type { ProcessStatus } from "./process-status.ts";
export { type Readiness, readinessOf } from "./readiness.ts";
export { ReplicaCounters } from "./replica-counters.ts";
export { ReplicaEndpoint, type ReplicaEndpointOptions } from "./replica-endpoint.ts";
export {
  type HeldKey,
  KEY_FILE,
  memberIn,
  NEXT_KEY_FILE,
  type ReplicaFolder,
  readGenesis,
  readReplicaFolder,
} from "./replica-folder.ts";
export {
  type LinkEvents,
  type PeerStatus,
  ReplicaLinks,
  type ReplicaLinksOptions,
} from "./replica-links.ts";
export { type MetricSource, replicaMetrics } from "./replica-metrics.ts";
export type { RunningReplica } from "./replica-process.ts";
export { describeReplica, type ReplicaName, type Standing, standingOf } from "./replica-standing.ts";
export { type SavedTrace, saveTrace, TRACE_FILES_MAX } from "./save-trace.ts";
export type { StartOptions } from "./start-options.ts";
export { startReplica } from "./start-replica.ts";
export { trustEpoch } from "./trust-epoch.ts";
export { EPOCH_FILE, type GivenDocument } from "./trusted-epoch-file.ts";
export type { DataCheck, DataPart } from "./verify-data/data-check.ts";
export { type DataVerdict, unreadableVerdict, verifyData } from "./verify-data/verify-data.ts";
export { writeOnce, writeWhole } from "./write-once.ts";
