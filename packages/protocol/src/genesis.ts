import type { ClusterId, Digest, SequenceNumber, TimestampMs } from "./ids.ts";
import { epochNumber, isCounter, type PublicKey } from "./ids.ts";
import { MEMBERS_MAX, MEMBERS_MIN, type Member, type Membership, membershipOf } from "./membership.ts";
import { APPROVALS_MAX } from "./reconfiguration.ts";

/** The version of genesis documents, data folders, log records and hellos that this code speaks. */
export const FORMAT_VERSION = 3;

/** Upper bounds that every replica enforces alike. All are inclusive. */
export interface Limits {
  /** Requests in one batch. */
  readonly batchRequestsMax: number;
  /** Sum of the operation bytes of one batch. */
  readonly batchBytesMax: number;
  /** Operations of one batch in all its requests: empty ones cost time, too. */
  readonly batchOperationsMax: number;
  /** Operations in one request. */
  readonly requestOperationsMax: number;
  /** Sum of the operation bytes of one request. */
  readonly requestBytesMax: number;
  /**
   * Sum of the `ok` result bytes of one request, and so of one result; an operation whose result would exceed what its
   * predecessors in the request left is executed as `failed`.
   */
  readonly resultBytesMax: number;
  /** Open sessions in the cluster; beyond it the key that has most loses its oldest. */
  readonly sessionsMax: number;
  /** Open sessions and remembered nonces of one client key. */
  readonly sessionsPerClientMax: number;
  /** Request numbers of one session that are remembered with their replies, and may be outstanding. */
  readonly sessionWindow: number;
  /** V: how far above the executing number a registration's `lastValid` may lie. */
  readonly registrationValidityMax: number;
}

/** Time-outs in milliseconds; part of genesis so that a cluster is reasoned about as one. */
export interface Timeouts {
  /** δ: how far the primary's clock may be ahead of a backup's before the backup waits. */
  readonly clockToleranceMs: number;
  /** Between two status messages of a replica that has work; an idle one sends every tenth. */
  readonly statusIntervalMs: number;
  /** How long a request may wait at a backup before the backup gives up on the primary; doubled by each failed view. */
  readonly viewChangeMs: number;
  /** What the doubling ends at: liveness needs delays below it (protocol rule 1.2). */
  readonly viewChangeMaxMs: number;
}

/** m of these keys are needed for an administrative operation. */
export interface AdminKeys {
  readonly threshold: number;
  readonly keys: readonly PublicKey[];
}

/** The application state that a cluster starts from: that of a backup of another cluster. */
export interface RestoredState {
  /** The cluster whose backup it is, and the number of the checkpoint: where it comes from, for audits. */
  readonly cluster: ClusterId;
  readonly checkpoint: SequenceNumber;
  /** The digest of the application's part of the tree, and how many entries it has; zeros when it has none. */
  readonly applicationRoot: Digest;
  readonly entries: number;
  /** The agreed time then: it does not go back for a service that remembers times. */
  readonly timestampMs: TimestampMs;
}

/** The public document a cluster starts from. Its digest is the cluster id; see `genesisPreimage`. */
export interface Genesis {
  readonly formatVersion: typeof FORMAT_VERSION;
  /** A name for people; at most `NAME_LENGTH_MAX` UTF-16 units. */
  readonly name: string;
  readonly faultModel: "byzantine";
  readonly members: readonly Member[];
  readonly admins: AdminKeys;
  /** Who may open sessions: everyone with an admissible key, or just these. */
  readonly clients: "open" | readonly PublicKey[];
  /** K: a checkpoint every K sequence numbers; between them such as are ordered, see `checkpointSpacing`. */
  readonly checkpointInterval: number;
  /** L: votes are accepted for L numbers above the low watermark; a multiple of K, at least 2K. */
  readonly windowSize: number;
  /** After how many batches of its own a primary hands over to the next one; 0: never (protocol rule 7.6). */
  readonly rotateEveryBatches: number;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  /** Left out by a cluster that starts with nothing. */
  readonly restored?: RestoredState;
}

/** What a cluster gets unless its genesis says otherwise. */
export const DEFAULT_LIMITS: Limits = {
  batchRequestsMax: 512,
  batchBytesMax: 1024 * 1024,
  batchOperationsMax: 16_384,
  requestOperationsMax: 1024,
  requestBytesMax: 512 * 1024,
  resultBytesMax: 1024 * 1024,
  sessionsMax: 10_000,
  sessionsPerClientMax: 256,
  sessionWindow: 16,
  registrationValidityMax: 100_000,
};
/** Inclusive bounds of each limit: `[least, greatest]`. A genesis outside of them is refused. */
export const LIMITS_BOUNDS: Readonly<Record<keyof Limits, readonly [number, number]>> = {
  batchRequestsMax: [1, 10_000],
  batchBytesMax: [1024, 16 * 1024 * 1024],
  batchOperationsMax: [1, 1_000_000],
  requestOperationsMax: [1, 10_000],
  requestBytesMax: [1024, 16 * 1024 * 1024],
  resultBytesMax: [1024, 16 * 1024 * 1024],
  sessionsMax: [1, 1_000_000],
  sessionsPerClientMax: [1, 100_000],
  sessionWindow: [1, 256],
  registrationValidityMax: [16, 2 ** 40],
};
export const DEFAULT_TIMEOUTS: Timeouts = {
  clockToleranceMs: 5_000,
  statusIntervalMs: 200,
  viewChangeMs: 2_000,
  viewChangeMaxMs: 60_000,
};
export const TIMEOUTS_BOUNDS: Readonly<Record<keyof Timeouts, readonly [number, number]>> = {
  clockToleranceMs: [10, 3_600_000],
  statusIntervalMs: [5, 60_000],
  viewChangeMs: [20, 3_600_000],
  viewChangeMaxMs: [20, 86_400_000],
};
export const DEFAULT_CHECKPOINT_INTERVAL = 128;
export const DEFAULT_WINDOW_SIZE = 512;
/** A NEW-VIEW proves every number of the window again: with this window it still fits a frame between replicas. */
export const WINDOW_SIZE_MAX = 2048;
/** The greatest `rotateEveryBatches`. */
export const ROTATE_EVERY_BATCHES_MAX: number = 2 ** 32;
/** What the batches of one window may take of a replica's memory: L times `batchBytesMax`. */
export const WINDOW_BYTES_MAX: number = 1024 * 1024 * 1024;
/** The most UTF-16 units of a cluster's name. */
export const NAME_LENGTH_MAX = 64;

/**
 * The greatest L that a cluster with these limits can come to, whatever that of its genesis is (protocol rule 11.1): frames and
 * records between its replicas are sized by it, so that they stay readable in every epoch.
 */
export function windowSizeMaxOf({ batchBytesMax }: Pick<Limits, "batchBytesMax">): number {
  return Math.min(WINDOW_SIZE_MAX, Math.floor(WINDOW_BYTES_MAX / batchBytesMax));
}

/** An ordered checkpoint is at least so many numbers above the last one (protocol rule 9.1): K/4, rounded up. */
export function checkpointSpacing({ checkpointInterval }: Pick<Genesis, "checkpointInterval">): number {
  return Math.ceil(checkpointInterval / 4);
}

/** The membership of epoch 0. */
export function genesisMembership(genesis: Genesis): Membership {
  return membershipOf(epochNumber(0), genesis.members);
}

/** Why a genesis document cannot be: one sentence that says what is wrong and what was expected. */
export class GenesisError extends Error {
  readonly code = "genesis.inconsistent";

  constructor(message: string) {
    super(message);
    this.name = "GenesisError";
  }
}

/**
 * Checks everything about a well-typed genesis but the admissibility of its keys, which needs curve arithmetic
 * (`crypto`).
 *
 * @throws GenesisError naming the first thing that is wrong.
 */
export function checkGenesis(genesis: Genesis): void {
  checkName(genesis.name);
  checkMembers(genesis.members);
  checkKeys(genesis);
  checkWindow(genesis);
  checkRotation(genesis);
  checkRestored(genesis.restored);
  checkBounds("limits", genesis.limits, LIMITS_BOUNDS);
  checkBounds("timeouts", genesis.timeouts, TIMEOUTS_BOUNDS);
  const { viewChangeMs, viewChangeMaxMs } = genesis.timeouts;
  if (viewChangeMaxMs < viewChangeMs)
    refuse(`timeouts.viewChangeMaxMs is ${viewChangeMaxMs}, expected at least viewChangeMs ${viewChangeMs}`);
  const windowBytes = genesis.windowSize * genesis.limits.batchBytesMax;
  if (windowBytes > WINDOW_BYTES_MAX)
    refuse(
      `windowSize times limits.batchBytesMax is ${windowBytes}, expected at most ${WINDOW_BYTES_MAX}: a faulty primary can fill the window of each replica with batches`,
    );
  if (genesis.limits.requestBytesMax > genesis.limits.batchBytesMax)
    refuse("limits.requestBytesMax is greater than limits.batchBytesMax: such a request could never be ordered");
  if (genesis.limits.requestOperationsMax > genesis.limits.batchOperationsMax)
    refuse(
      "limits.requestOperationsMax is greater than limits.batchOperationsMax: such a request could never be ordered",
    );
}

function refuse(message: string): never {
  throw new GenesisError(message);
}

function checkName(name: string): void {
  if (name.length > NAME_LENGTH_MAX)
    refuse(`the name has ${name.length} characters, expected at most ${NAME_LENGTH_MAX}`);
}

function checkMembers(members: readonly Member[]): void {
  const n = members.length;
  if (n < MEMBERS_MIN || n > MEMBERS_MAX)
    refuse(`a Byzantine cluster has ${MEMBERS_MIN} to ${MEMBERS_MAX} members, this genesis names ${n}`);
  for (const field of ["id", "publicKey", "address"] as const) {
    const twice = firstDuplicate(members.map((member) => member[field]));
    if (twice !== undefined) refuse(`two members share the ${field} ${twice}; each needs its own`);
  }
}

function checkKeys({ admins, clients }: Genesis): void {
  const { threshold, keys } = admins;
  const admin = firstDuplicate(keys);
  if (admin !== undefined) refuse(`the admin key ${admin} is listed twice`);
  if (keys.length > APPROVALS_MAX)
    refuse(
      `this genesis names ${keys.length} admin keys, expected at most ${APPROVALS_MAX}: no change could name them`,
    );
  if (!isCounter(threshold) || threshold < 1 || threshold > keys.length)
    refuse(`the admin threshold is ${threshold}, expected 1 to ${keys.length}, the number of admin keys`);
  const client = clients === "open" ? undefined : firstDuplicate(clients);
  if (client !== undefined) refuse(`the client key ${client} is listed twice`);
}

function checkWindow({ checkpointInterval: k, windowSize: l }: Genesis): void {
  if (!isCounter(k) || k < 1) refuse(`checkpointInterval is ${k}, expected an integer of at least 1`);
  if (!isCounter(l) || l < 2 * k || l % k !== 0)
    refuse(`windowSize is ${l}, expected a multiple of checkpointInterval ${k}, at least ${2 * k}`);
  if (l > WINDOW_SIZE_MAX) refuse(`windowSize is ${l}, expected at most ${WINDOW_SIZE_MAX}`);
}

function checkRotation({ rotateEveryBatches: k }: Genesis): void {
  if (!isCounter(k) || k > ROTATE_EVERY_BATCHES_MAX)
    refuse(`rotateEveryBatches is ${k}, expected an integer from 0 (never) to ${ROTATE_EVERY_BATCHES_MAX}`);
}

function checkRestored(restored: RestoredState | undefined): void {
  if (restored === undefined) return;
  const { checkpoint, entries, timestampMs } = restored;
  for (const [field, value, least] of [
    ["checkpoint", checkpoint, 1],
    ["entries", entries, 0],
    ["timestampMs", timestampMs, 0],
  ] as const)
    if (!isCounter(value) || value < least)
      refuse(`restored.${field} is ${value}, expected an integer of at least ${least}`);
  const isNothing = /^0+$/.test(restored.applicationRoot);
  if (isNothing !== (entries === 0))
    refuse(
      `restored.entries is ${entries}, which does not go with restored.applicationRoot; take what \`quorate genesis --from-backup\` writes`,
    );
}

function checkBounds<T extends object>(
  section: string,
  values: T,
  bounds: Readonly<Record<keyof T, readonly [number, number]>>,
): void {
  for (const field of Object.keys(bounds) as (keyof T & string)[]) {
    const [least, greatest] = bounds[field];
    const value: unknown = values[field];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > greatest)
      refuse(`${section}.${field} is ${String(value)}, expected an integer from ${least} to ${greatest}`);
  }
}

function firstDuplicate<T>(values: readonly T[]): T | undefined {
  const seen = new Set<T>();
  for (const value of values) {
    if (seen.has(value)) return value;
    seen.add(value);
  }
  return undefined;
}
