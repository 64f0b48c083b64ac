/** Signed replica messages on the wire. */
import {
  assertNever,
  type Envelope,
  FETCH_COMMITTED_MAX,
  type FetchCommitted,
  type Lack,
  MESSAGE_TYPE_CODES,
  type ReplicaMessage,
  type ReplicaMessageType,
  STATUS_LACKS_MAX,
  type Status,
  type ThreePhaseMessage,
} from "@quorate/protocol";
import { hex32, signature, uint, type Wire } from "./fields.ts";
import type { Tuple } from "./tuple.ts";

const TYPES: ReadonlyMap<number, ReplicaMessageType> = new Map(
  (Object.keys(MESSAGE_TYPE_CODES) as ReplicaMessageType[]).map((type) => [MESSAGE_TYPE_CODES[type], type]),
);
const LACKS_PRE_PREPARE = 1;
const LACKS_PREPARES = 2;
const LACKS_COMMITS = 4;
const LACKS_ALL = LACKS_PRE_PREPARE | LACKS_PREPARES | LACKS_COMMITS;

export function writeEnvelope(envelope: Envelope): Wire {
  return [uint(envelope.from), signature(envelope.signature), writeMessage(envelope.message)];
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

function writeMessage(message: ReplicaMessage): Wire {
  const type = MESSAGE_TYPE_CODES[message.type];
  const epoch = uint(message.epoch);
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return [type, epoch, uint(message.view), uint(message.seq), hex32(message.digest)];
    case "checkpoint":
      return [type, epoch, uint(message.seq), hex32(message.stateRoot)];
    case "status":
      return [
        type,
        epoch,
        uint(message.view),
        uint(message.executed),
        uint(message.stable),
        uint(message.accepted),
        message.lacks.map(writeLack),
      ];
    case "fetch-batch":
      return [type, epoch, uint(message.seq), hex32(message.digest)];
    case "fetch-committed":
      return [type, epoch, uint(message.first), uint(message.last)];
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
  if (type === undefined || !(allowed as readonly ReplicaMessageType[]).includes(type))
    tuple.fault("unknown-type", "type", `one of ${allowed.join(", ")}`, type ?? `${code}`);
  // An unknown type reads as the first: the fault is noted, and the value goes nowhere.
  const message: ReplicaMessage = readMessageOf(type ?? "pre-prepare", tuple);
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
      return readStatus(tuple.shape(7));
    case "fetch-batch":
      tuple.shape(4);
      return { type, epoch: tuple.counter(1, "epoch"), seq: tuple.counter(2, "seq"), digest: tuple.hex32(3, "digest") };
    case "fetch-committed":
      return readFetchCommitted(tuple.shape(4));
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

function readStatus(tuple: Tuple): Status {
  const lacks = tuple.list(6, "lacks", STATUS_LACKS_MAX, readLack);
  let previous = -1;
  for (const { seq } of lacks) {
    if (seq <= previous) tuple.fault("not-ascending", "lacks", `a number above ${previous}`, `${seq}`);
    previous = seq;
  }
  return {
    type: "status",
    epoch: tuple.counter(1, "epoch"),
    view: tuple.counter(2, "view"),
    executed: tuple.counter(3, "executed"),
    stable: tuple.counter(4, "stable"),
    accepted: tuple.counter(5, "accepted"),
    lacks,
  };
}

function writeLack(lack: Lack): Wire {
  return [
    uint(lack.seq),
    (lack.prePrepare ? LACKS_PRE_PREPARE : 0) |
      (lack.prepares ? LACKS_PREPARES : 0) |
      (lack.commits ? LACKS_COMMITS : 0),
  ];
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
  const message: FetchCommitted = {
    type: "fetch-committed",
    epoch: tuple.counter(1, "epoch"),
    first: tuple.counter(2, "first"),
    last: tuple.counter(3, "last"),
  };
  const count = message.last - message.first + 1;
  if (count < 1 || count > FETCH_COMMITTED_MAX)
    tuple.fault("inconsistent", "last", `1 to ${FETCH_COMMITTED_MAX} numbers from first`, `${count}`);
  return message;
}
