/**
 * Every byte string that is signed or hashed, in one place (protocol rule 2.1). All are a domain tag of 16 bytes, then
 * fixed-width big-endian fields; a list is its length, then its elements. `docs/wire.md` is this file in words.
 */
import { utf8 } from "./bytes.ts";
import type { Genesis, Limits, Timeouts } from "./genesis.ts";
import { FORMAT_VERSION, LIMITS_BOUNDS, TIMEOUTS_BOUNDS } from "./genesis.ts";
import type { ClusterId, Digest, PublicKey, ReplicaId, SequenceNumber, TimestampMs } from "./ids.ts";
import { assertNever } from "./invariant.ts";
import type { Member } from "./membership.ts";
import type {
  Checkpoint,
  FetchBatch,
  FetchCommitted,
  HandOver,
  NewView,
  QueryStable,
  ReplicaMessage,
  ReplyStable,
  Status,
  ThreePhaseMessage,
  ViewChange,
} from "./messages.ts";
import { type OperationResult, type OutputLeaf, RESULT_STATUS_CODES, type Statement } from "./outputs.ts";
import { PreimageWriter } from "./preimage-writer.ts";
import { CHANGE_TYPE_CODES, type ReconfigurationChange, type ReconfigurationRequest } from "./reconfiguration.ts";
import type { CheckpointRequest, OperationsRequest, RegistrationRequest } from "./request.ts";

/** The domain tags. A tag is never reused for another layout. */
export const TAGS = {
  message: "quorate-message",
  request: "quorate-request",
  registration: "quorate-register",
  checkpointRequest: "quorate-ordered",
  reconfiguration: "quorate-change",
  approval: "quorate-approve",
  possession: "quorate-possess",
  operations: "quorate-ops",
  batch: "quorate-batch",
  history: "quorate-history",
  execution: "quorate-executed",
  statement: "quorate-state",
  outputLeaf: "quorate-output",
  result: "quorate-result",
  session: "quorate-session",
  genesis: "quorate-genesis",
  seed: "quorate-seed",
  operationSeed: "quorate-op-seed",
  stateRoot: "quorate-root",
  hello: "quorate-hello",
} as const;

/** The byte of each replica message type in its preimage and on the wire; append only. */
export const MESSAGE_TYPE_CODES: Readonly<Record<ReplicaMessage["type"], number>> = {
  "pre-prepare": 1,
  prepare: 2,
  commit: 3,
  checkpoint: 4,
  status: 5,
  "fetch-batch": 6,
  "fetch-committed": 7,
  "view-change": 8,
  "new-view": 9,
  "hand-over": 10,
  "query-stable": 11,
  "reply-stable": 12,
};

/** The part of a request that its signature and digest cover. */
export type Unsigned<T> = Omit<T, "signature">;

const TAG = 16;
const HASH = 32;
const U32 = 4;
const U64 = 8;

/** The tag and the cluster id, which all preimages of one tag start with. */
interface Head {
  readonly cluster: ClusterId;
  readonly bytes: Uint8Array;
}
const heads = new Map<string, Head>();

/** A preimage that starts with tag and cluster id, `size` bytes without them. A process has one cluster, as a rule. */
function headed(tag: string, cluster: ClusterId, size: number): PreimageWriter {
  let head = heads.get(tag);
  if (head?.cluster !== cluster) {
    head = { cluster, bytes: new PreimageWriter(TAG + HASH).tag(tag).hex32(cluster).finish().slice() };
    heads.set(tag, head);
  }
  return new PreimageWriter(TAG + HASH + size).raw(head.bytes);
}

/** What `from` signs for `message`: tag, cluster, type, epoch, sender, then the type's own fields. */
export function replicaMessagePreimage(cluster: ClusterId, from: ReplicaId, message: ReplicaMessage): Uint8Array {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return threePhaseFields(started(cluster, from, message, 2 * U64 + HASH), message);
    case "checkpoint":
      return checkpointFields(started(cluster, from, message, U64 + HASH), message);
    case "status":
      return statusFields(started(cluster, from, message, statusSize(message)), message);
    case "fetch-batch":
      return fetchBatchFields(started(cluster, from, message, U64 + HASH), message);
    case "fetch-committed":
      return fetchCommittedFields(started(cluster, from, message, 2 * U64), message);
    case "view-change": {
      const size = 2 * U64 + HASH + U32 + message.prepared.length * (2 * U64 + HASH);
      return viewChangeFields(started(cluster, from, message, size), message);
    }
    case "new-view": {
      const size = 2 * U64 + 2 * U32 + message.viewChanges.length * (U32 + HASH) + message.digests.length * HASH;
      return newViewFields(started(cluster, from, message, size), message);
    }
    case "hand-over":
      return handOverFields(started(cluster, from, message, U64), message);
    case "query-stable":
      return queryStableFields(started(cluster, from, message, HASH + 2 * U64), message);
    case "reply-stable":
      return replyStableFields(started(cluster, from, message, 2 * HASH + 2 * U64), message);
    default:
      return assertNever(message);
  }
}

/** The fields that messages of all types have, with room for `own` bytes of the type's own. */
function started(cluster: ClusterId, from: ReplicaId, message: ReplicaMessage, own: number): PreimageWriter {
  return headed(TAGS.message, cluster, 1 + U64 + U32 + own)
    .u8(MESSAGE_TYPE_CODES[message.type])
    .u64(message.epoch)
    .u32(from);
}

function threePhaseFields(writer: PreimageWriter, m: ThreePhaseMessage): Uint8Array {
  return writer.u64(m.view).u64(m.seq).hex32(m.digest).finish();
}
function checkpointFields(writer: PreimageWriter, m: Checkpoint): Uint8Array {
  return writer.u64(m.seq).hex32(m.stateRoot).finish();
}
function statusSize({ lacks, viewChangesOf, executionDigest }: Status): number {
  const digest = 1 + (executionDigest === undefined ? 0 : HASH);
  return 5 * U64 + 2 * U32 + lacks.length * (U64 + 1) + viewChangesOf.length * U32 + digest;
}
function statusFields(writer: PreimageWriter, m: Status): Uint8Array {
  writer.u64(m.view).u64(m.executed).u64(m.stable).u64(m.accepted).u32(m.lacks.length);
  for (const lack of m.lacks)
    writer.u64(lack.seq).u8((lack.prePrepare ? 1 : 0) | (lack.prepares ? 2 : 0) | (lack.commits ? 4 : 0));
  writer.u64(m.target).u32(m.viewChangesOf.length);
  for (const id of m.viewChangesOf) writer.u32(id);
  writer.u8(m.executionDigest === undefined ? 0 : 1);
  if (m.executionDigest !== undefined) writer.hex32(m.executionDigest);
  return writer.finish();
}
function viewChangeFields(writer: PreimageWriter, m: ViewChange): Uint8Array {
  writer.u64(m.view).u64(m.stable.seq).hex32(m.stable.stateRoot).u32(m.prepared.length);
  for (const claim of m.prepared) writer.u64(claim.seq).u64(claim.view).hex32(claim.digest);
  return writer.finish();
}
function newViewFields(writer: PreimageWriter, m: NewView): Uint8Array {
  writer.u64(m.view).u32(m.viewChanges.length);
  for (const { from, digest } of m.viewChanges) writer.u32(from).hex32(digest);
  writer.u64(m.start).u32(m.digests.length);
  for (const digest of m.digests) writer.hex32(digest);
  return writer.finish();
}
function handOverFields(writer: PreimageWriter, m: HandOver): Uint8Array {
  return writer.u64(m.view).finish();
}
function queryStableFields(writer: PreimageWriter, m: QueryStable): Uint8Array {
  return writer.hex32(m.nonce).u64(m.until).u64(m.view).finish();
}
function replyStableFields(writer: PreimageWriter, m: ReplyStable): Uint8Array {
  return writer.hex32(m.nonce).u64(m.stable.seq).hex32(m.stable.stateRoot).u64(m.view).finish();
}
function fetchBatchFields(writer: PreimageWriter, m: FetchBatch): Uint8Array {
  return writer.u64(m.seq).hex32(m.digest).finish();
}
function fetchCommittedFields(writer: PreimageWriter, m: FetchCommitted): Uint8Array {
  return writer.u64(m.first).u64(m.last).finish();
}

/** Hashed to the `operationsDigest` of a request: count, then each operation with its length. */
export function operationsPreimage(operations: readonly Uint8Array[]): Uint8Array {
  let size = TAG + U32;
  for (const operation of operations) size += U32 + operation.length;
  const writer = new PreimageWriter(size).tag(TAGS.operations).u32(operations.length);
  for (const operation of operations) writer.sized(operation);
  return writer.finish();
}

/** What a client signs for its operations, and what is hashed to the request digest. */
export function operationsRequestPreimage(
  cluster: ClusterId,
  request: Unsigned<OperationsRequest>,
  operationsDigest: Digest,
): Uint8Array {
  return headed(TAGS.request, cluster, 2 * HASH + U64 + HASH)
    .hex32(request.client)
    .hex32(request.session)
    .u64(request.number)
    .hex32(operationsDigest)
    .finish();
}

/** What a client signs to open a session, and what is hashed to the request digest. */
export function registrationRequestPreimage(cluster: ClusterId, request: Unsigned<RegistrationRequest>): Uint8Array {
  return headed(TAGS.registration, cluster, 2 * HASH + U64)
    .hex32(request.client)
    .hex32(request.nonce)
    .u64(request.lastValid)
    .finish();
}

/** What an admin or a member signs to order a checkpoint, and what is hashed to the request digest. */
export function checkpointRequestPreimage(cluster: ClusterId, request: Unsigned<CheckpointRequest>): Uint8Array {
  return headed(TAGS.checkpointRequest, cluster, HASH + 2 * U64)
    .hex32(request.client)
    .u64(request.epoch)
    .u64(request.above)
    .finish();
}

/**
 * What an admin signs to agree with a change: bound to the epoch and to a nonce that is used once (protocol rule 11.1). How far
 * a joiner has come is the joiner's to say, and may be newer than what it was when the admins signed.
 */
export function approvalPreimage(
  cluster: ClusterId,
  { epoch, nonce, change }: Pick<ReconfigurationRequest, "epoch" | "nonce" | "change">,
): Uint8Array {
  const fields = change.type === "join" ? joinerFields(change.member) : changeFields(change);
  return headed(TAGS.approval, cluster, U64 + HASH + fields.length)
    .u64(epoch)
    .hex32(nonce)
    .raw(fields)
    .finish();
}

/** What the key that a change brings in signs: its holder agrees, before there is anyone to submit it. */
export function possessionPreimage(
  cluster: ClusterId,
  { epoch, change }: Pick<ReconfigurationRequest, "epoch" | "change">,
): Uint8Array {
  const fields = changeFields(change);
  return headed(TAGS.possession, cluster, U64 + fields.length)
    .u64(epoch)
    .raw(fields)
    .finish();
}

/**
 * What the submitter of a reconfiguration signs, and what is hashed to the request digest: who approved, but not with which
 * signature (protocol rule 2.3).
 */
export function reconfigurationRequestPreimage(
  cluster: ClusterId,
  { client, epoch, nonce, change, approvals }: Omit<ReconfigurationRequest, "signature" | "possession">,
): Uint8Array {
  const fields = changeFields(change);
  const writer = headed(TAGS.reconfiguration, cluster, 2 * HASH + U64 + fields.length + U32 + approvals.length * HASH)
    .hex32(client)
    .u64(epoch)
    .hex32(nonce)
    .raw(fields)
    .u32(approvals.length);
  for (const { key } of approvals) writer.hex32(key);
  return writer.finish();
}

/** Who joins. */
function joinerFields({ id, publicKey, address }: Member): Uint8Array {
  const bytes = utf8(address);
  return new PreimageWriter(1 + 2 * U32 + HASH + bytes.length)
    .u8(CHANGE_TYPE_CODES.join)
    .u32(id)
    .hex32(publicKey)
    .sized(bytes)
    .finish();
}

/** The change: its type, then the type's own fields. */
function changeFields(change: ReconfigurationChange): Uint8Array {
  const code = CHANGE_TYPE_CODES[change.type];
  switch (change.type) {
    case "join": {
      const { member, checkpoint } = change;
      const joiner = joinerFields(member);
      return new PreimageWriter(joiner.length + U64 + HASH)
        .raw(joiner)
        .u64(checkpoint.seq)
        .hex32(checkpoint.stateRoot)
        .finish();
    }
    case "leave":
      return new PreimageWriter(2 + U32)
        .u8(code)
        .u32(change.id)
        .u8(change.mayLowerFaultThreshold ? 1 : 0)
        .finish();
    case "rejoin":
      return new PreimageWriter(1 + U32 + HASH).u8(code).u32(change.id).hex32(change.loss).finish();
    case "rotate-key":
      return new PreimageWriter(1 + U32 + HASH).u8(code).u32(change.id).hex32(change.publicKey).finish();
    case "admins": {
      const { threshold, keys } = change.admins;
      const writer = new PreimageWriter(1 + 2 * U32 + keys.length * HASH).u8(code).u32(threshold).u32(keys.length);
      for (const key of keys) writer.hex32(key);
      return writer.finish();
    }
    case "parameters":
      return new PreimageWriter(1 + 2 * U64).u8(code).u64(change.checkpointInterval).u64(change.windowSize).finish();
    case "admit":
    case "expel":
      return new PreimageWriter(1 + HASH).u8(code).hex32(change.client).finish();
    default:
      return assertNever(change);
  }
}

/** Hashed to the batch digest: the time and the request digests in order. Nothing that execution sees lies outside. */
export function batchPreimage(cluster: ClusterId, time: TimestampMs, requestDigests: readonly Digest[]): Uint8Array {
  const writer = headed(TAGS.batch, cluster, U64 + U32 + requestDigests.length * HASH)
    .u64(time)
    .u32(requestDigests.length);
  for (const requestDigest of requestDigests) writer.hex32(requestDigest);
  return writer.finish();
}

/** Hashed to the history digest at `seq`: one link of the chain over all executed batches. */
export function historyPreimage(cluster: ClusterId, previous: Digest, seq: SequenceNumber, batch: Digest): Uint8Array {
  return headed(TAGS.history, cluster, HASH + U64 + HASH)
    .hex32(previous)
    .u64(seq)
    .hex32(batch)
    .finish();
}

/** Hashed to the execution digest at `seq`: one link of the chain over all statements, signed or not (protocol rule 9.5). */
export function executionPreimage(cluster: ClusterId, previous: Digest, s: Statement): Uint8Array {
  return headed(TAGS.execution, cluster, HASH + U64 + 2 * HASH)
    .hex32(previous)
    .u64(s.seq)
    .hex32(s.historyDigest)
    .hex32(s.outputsRoot)
    .finish();
}

/** Hashed to the agreed seed of batch `seq`: unpredictable before the history up to it is. */
export function seedPreimage(cluster: ClusterId, historyDigest: Digest, seq: SequenceNumber): Uint8Array {
  return headed(TAGS.seed, cluster, HASH + U64)
    .hex32(historyDigest)
    .u64(seq)
    .finish();
}

/** Hashed to the agreed seed of one operation: the batch's seed and the operation's place in the batch. */
export function operationSeedPreimage(batchSeed: Digest, requestIndex: number, operationIndex: number): Uint8Array {
  return new PreimageWriter(TAG + HASH + 2 * U32)
    .tag(TAGS.operationSeed)
    .hex32(batchSeed)
    .u32(requestIndex)
    .u32(operationIndex)
    .finish();
}

/** Hashed to the state root that a CHECKPOINT names: the root of the tree over the state, 32 bytes. */
export function stateRootPreimage(cluster: ClusterId, treeRoot: Digest): Uint8Array {
  return headed(TAGS.stateRoot, cluster, HASH).hex32(treeRoot).finish();
}

/** What each replica signs for an executed batch (protocol rule 5.1). */
export function statementPreimage(cluster: ClusterId, s: Statement): Uint8Array {
  return headed(TAGS.statement, cluster, 2 * U64 + 2 * HASH)
    .u64(s.epoch)
    .u64(s.seq)
    .hex32(s.historyDigest)
    .hex32(s.outputsRoot)
    .finish();
}

/** The content of a leaf of the outputs tree; hashed as a Merkle leaf. */
export function outputLeafPreimage(leaf: OutputLeaf): Uint8Array {
  return new PreimageWriter(TAG + 3 * HASH + U64)
    .tag(TAGS.outputLeaf)
    .hex32(leaf.session)
    .u64(leaf.number)
    .hex32(leaf.requestDigest)
    .hex32(leaf.resultDigest)
    .finish();
}

/** The content of a leaf of a request's results tree; hashed as a Merkle leaf. */
export function resultPreimage(result: OperationResult): Uint8Array {
  return new PreimageWriter(TAG + 1 + U32 + result.value.length)
    .tag(TAGS.result)
    .u8(RESULT_STATUS_CODES[result.status])
    .sized(result.value)
    .finish();
}

/** Hashed to the session id: (client key, nonce, sequence number, index in the batch), protocol rule 3.2. */
export function sessionPreimage(
  cluster: ClusterId,
  client: PublicKey,
  nonce: Digest,
  seq: SequenceNumber,
  index: number,
): Uint8Array {
  return headed(TAGS.session, cluster, 2 * HASH + U64 + U32)
    .hex32(client)
    .hex32(nonce)
    .u64(seq)
    .u32(index)
    .finish();
}

/** Who stands at one end of a link. */
export type LinkIdentity =
  | { readonly role: "replica"; readonly id: ReplicaId; readonly publicKey: PublicKey }
  | { readonly role: "client"; readonly publicKey: PublicKey }
  /** A replica that is no member, and follows. */
  | { readonly role: "observer"; readonly publicKey: PublicKey };

/** The codes of the ends of a link; append only. 0 stands for whoever is there (decision 0042). */
export const LINK_ROLE_CODES: Readonly<Record<LinkIdentity["role"], number>> = { replica: 1, client: 2, observer: 3 };

/**
 * What each end of a link signs to prove its key: cluster, both identities and roles, both nonces, own first. A relayed
 * or reflected hello does not verify, for it names other ends (protocol: transport).
 */
export function helloPreimage(
  cluster: ClusterId,
  own: LinkIdentity,
  ownNonce: Digest,
  other: LinkIdentity,
  otherNonce: Digest,
): Uint8Array {
  const writer = new PreimageWriter(TAG + U32 + HASH + 2 * (1 + U32 + 2 * HASH))
    .tag(TAGS.hello)
    .u32(FORMAT_VERSION)
    .hex32(cluster);
  for (const [end, nonce] of [
    [own, ownNonce],
    [other, otherNonce],
  ] as const)
    writer
      .u8(LINK_ROLE_CODES[end.role])
      .u32(end.role === "replica" ? end.id : 0)
      .hex32(end.publicKey)
      .hex32(nonce);
  return writer.finish();
}

/** Hashed to the cluster id: every field of the genesis document, so that white space and key order do not matter. */
export function genesisPreimage(genesis: Genesis): Uint8Array {
  const name = utf8(genesis.name);
  const members = genesis.members
    .map((member) => ({ ...member, bytes: utf8(member.address) }))
    .sort((a, b) => a.id - b.id);
  const clients = genesis.clients === "open" ? undefined : [...genesis.clients].sort();
  const admins = [...genesis.admins.keys].sort();
  const limits = Object.keys(LIMITS_BOUNDS) as (keyof Limits)[];
  const timeouts = Object.keys(TIMEOUTS_BOUNDS) as (keyof Timeouts)[];
  const size =
    TAG +
    U32 +
    (U32 + name.length) +
    1 +
    U32 +
    members.reduce((sum, m) => sum + U32 + HASH + U32 + m.bytes.length, 0) +
    U32 +
    U32 +
    admins.length * HASH +
    1 +
    U32 +
    (clients?.length ?? 0) * HASH +
    3 * U64 +
    (limits.length + timeouts.length) * U64 +
    (genesis.restored === undefined ? 0 : 1 + 2 * HASH + 3 * U64);
  const writer = new PreimageWriter(size).tag(TAGS.genesis).u32(genesis.formatVersion).sized(name).u8(1);
  writer.u32(members.length);
  for (const member of members) writer.u32(member.id).hex32(member.publicKey).sized(member.bytes);
  writer.u32(genesis.admins.threshold).u32(admins.length);
  for (const key of admins) writer.hex32(key);
  writer.u8(clients === undefined ? 0 : 1).u32(clients?.length ?? 0);
  for (const key of clients ?? []) writer.hex32(key);
  writer.u64(genesis.checkpointInterval).u64(genesis.windowSize).u64(genesis.rotateEveryBatches);
  for (const field of limits) writer.u64(genesis.limits[field]);
  for (const field of timeouts) writer.u64(genesis.timeouts[field]);
  if (genesis.restored !== undefined) {
    const { cluster, checkpoint, applicationRoot, entries, timestampMs } = genesis.restored;
    writer.u8(1).hex32(cluster).u64(checkpoint).hex32(applicationRoot).u64(entries).u64(timestampMs);
  }
  return writer.finish();
}
