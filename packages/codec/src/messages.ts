/** Signed replica messages on the wire. */
import {
  assertNever,
  type Envelope,
  type FetchCommitted,
  type Lack,
  MESSAGE_TYPE_CODES,
  type ReplicaId,
  type ReplicaMessage,
  type ReplicaMessageType,
  STATUS_LACKS_MAX,
  type Status,
  type ThreePhaseMessage,
} from "@quorate/protocol";
import { readAskedNumbers } from "./fetch-history.ts";
import { readOptionalDigest, writeOptionalDigest } from "./optional-digest.ts";
import {
  readQueryStableMessage,
  readReplyStableMessage,
  writeQueryStableMessage,
  writeReplyStableMessage,
} from "./stable-messages.ts";
import type { Tuple } from "./tuple.ts";
import {
  expectAscending,
  readNewViewMessage,
  readViewChangeMessage,
  writeNewViewMessage,
  writeViewChangeMessage,
} from "./view-change-messages.ts";
import type { Writer } from "./writer.ts";

const TYPES: ReadonlyMap<number, ReplicaMessageType> = new Map(
  (Object.keys(MESSAGE_TYPE_CODES) as ReplicaMessageType[]).map((type) => [MESSAGE_TYPE_CODES[type], type]),
);
const LACKS_PRE_PREPARE = 1;
const LACKS_PREPARES = 2;
const LACKS_COMMITS = 4;
const LACKS_ALL = LACKS_PRE_PREPARE | LACKS_PREPARES | LACKS_COMMITS;

export function writeEnvelope(writer: Writer, envelope: Envelope): void {
  writer.array(3).uint(envelope.from).signature(envelope.signature);
  writeMessage(writer, envelope.message);
}

/** An envelope whose message is of one of the types that this place allows. */
export function readEnvelope<T extends ReplicaMessageType>(
  tuple: Tuple,
  allowed: readonly T[],
): Envelope<Extract<ReplicaMessage, { readonly type: T }>> {
  tuple.shape(3);
  return {
    from: tuple.replica(0, "from"),
    message: readMessage(tuple.tuple(2, "message"), allowed),
    signature: tuple.signature(1, "signature"),
  };
}

function writeMessage(writer: Writer, message: ReplicaMessage): void {
  const type = MESSAGE_TYPE_CODES[message.type];
  const { epoch } = message;
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      writer.array(5).uint(type).uint(epoch).uint(message.view).uint(message.seq).hex32(message.digest);
      return;
    case "checkpoint":
      writer.array(4).uint(type).uint(epoch).uint(message.seq).hex32(message.stateRoot);
      return;
    case "status":
      return writeStatus(writer, message);
    case "fetch-batch":
      writer.array(4).uint(type).uint(epoch).uint(message.seq).hex32(message.digest);
      return;
    case "fetch-committed":
      writer.array(4).uint(type).uint(epoch).uint(message.first).uint(message.last);
      return;
    case "view-change":
      return writeViewChangeMessage(writer, message);
    case "new-view":
      return writeNewViewMessage(writer, message);
    case "hand-over":
      writer.array(3).uint(type).uint(epoch).uint(message.view);
      return;
    case "query-stable":
      return writeQueryStableMessage(writer, message);
    case "reply-stable":
      return writeReplyStableMessage(writer, message);
    default:
      return assertNever(message);
  }
}

function readMessage<T extends ReplicaMessageType>(
  tuple: Tuple,
  allowed: readonly T[],
): Extract<ReplicaMessage, { readonly type: T }> {
  const code = tuple.uint(0, "type");
  const type = TYPES.get(code);
  const isAllowed = type !== undefined && (allowed as readonly ReplicaMessageType[]).includes(type);
  if (!isAllowed) tuple.fault("unknown-type", "type", `one of ${allowed.join(", ")}`, type ?? `${code}`);
  // Another type reads as the first that is allowed: the fault is noted, and the value is still what its type says.
  const message: ReplicaMessage = readMessageOf((isAllowed ? type : allowed[0]) ?? "pre-prepare", tuple);
  return message as Extract<ReplicaMessage, { readonly type: T }>;
}

function readMessageOf(type: ReplicaMessageType, tuple: Tuple): ReplicaMessage {
  switch (type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return readThreePhase(type, tuple.shape(5));
    case "checkpoint":
      tuple.shape(4);
      return {
        type,
        epoch: tuple.counter(1, "epoch"),
        seq: tuple.counter(2, "seq"),
        stateRoot: tuple.hex32(3, "stateRoot"),
      };
    case "status":
      return readStatus(tuple.shape(10));
    case "fetch-batch":
      tuple.shape(4);
      return { type, epoch: tuple.counter(1, "epoch"), seq: tuple.counter(2, "seq"), digest: tuple.hex32(3, "digest") };
    case "fetch-committed":
      return readFetchCommitted(tuple.shape(4));
    case "view-change":
      return readViewChangeMessage(tuple);
    case "new-view":
      return readNewViewMessage(tuple);
    case "hand-over":
      tuple.shape(3);
      return { type, epoch: tuple.counter(1, "epoch"), view: tuple.counter(2, "view") };
    case "query-stable":
      return readQueryStableMessage(tuple);
    case "reply-stable":
      return readReplyStableMessage(tuple);
    default:
      return assertNever(type);
  }
}

function readThreePhase(type: ThreePhaseMessage["type"], tuple: Tuple): ThreePhaseMessage {
  return {
    type,
    epoch: tuple.counter(1, "epoch"),
    view: tuple.counter(2, "view"),
    seq: tuple.counter(3, "seq"),
    digest: tuple.hex32(4, "digest"),
  };
}

function writeStatus(writer: Writer, status: Status): void {
  writer.array(10).uint(MESSAGE_TYPE_CODES[status.type]).uint(status.epoch).uint(status.view).uint(status.executed);
  writer.uint(status.stable).uint(status.accepted).array(status.lacks.length);
  for (const lack of status.lacks) writeLack(writer, lack);
  writer.uint(status.target).array(status.viewChangesOf.length);
  for (const from of status.viewChangesOf) writer.uint(from);
  writeOptionalDigest(writer, status.executionDigest);
}
function readStatus(tuple: Tuple): Status {
  const lacks = tuple.list(6, "lacks", STATUS_LACKS_MAX, readLack);
  expectAscending(
    tuple,
    "lacks",
    lacks.map(({ seq }) => seq),
  );
  const status: Status = {
    type: "status",
    epoch: tuple.counter(1, "epoch"),
    view: tuple.counter(2, "view"),
    executed: tuple.counter(3, "executed"),
    stable: tuple.counter(4, "stable"),
    accepted: tuple.counter(5, "accepted"),
    lacks,
    target: tuple.counter(7, "target"),
    viewChangesOf: readReplicas(tuple, 8, "viewChangesOf"),
    executionDigest: readOptionalDigest(tuple.tuple(9, "executionDigest")),
  };
  const { view, target, viewChangesOf } = status;
  if (target < view) tuple.fault("inconsistent", "target", `at least the view ${view}`, `${target}`);
  if (target === view && viewChangesOf.length > 0)
    tuple.fault("inconsistent", "viewChangesOf", "none in the view moved to", `${viewChangesOf.length}`);
  return status;
}

function readReplicas(tuple: Tuple, index: number, field: string): ReplicaId[] {
  const list = tuple.bounded(index, field, 0, tuple.decoding.limits.membersMax);
  const replicas: ReplicaId[] = [];
  for (let i = 0; i < list.length; i++) replicas.push(list.replica(i, i));
  expectAscending(tuple, field, replicas);
  return replicas;
}

function writeLack(writer: Writer, lack: Lack): void {
  const mask =
    (lack.prePrepare ? LACKS_PRE_PREPARE : 0) |
    (lack.prepares ? LACKS_PREPARES : 0) |
    (lack.commits ? LACKS_COMMITS : 0);
  writer.array(2).uint(lack.seq).uint(mask);
}

function readLack(tuple: Tuple): Lack {
  tuple.shape(2);
  const mask = tuple.uint(1, "mask", LACKS_ALL);
  return {
    seq: tuple.counter(0, "seq"),
    prePrepare: (mask & LACKS_PRE_PREPARE) !== 0,
    prepares: (mask & LACKS_PREPARES) !== 0,
    commits: (mask & LACKS_COMMITS) !== 0,
  };
}

function readFetchCommitted(tuple: Tuple): FetchCommitted {
  return { type: "fetch-committed", epoch: tuple.counter(1, "epoch"), ...readAskedNumbers(tuple, 2) };
}
