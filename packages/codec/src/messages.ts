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
import type { Reader } from "./reader.ts";
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
  reader: Reader,
  field: string,
  allowed: readonly T[],
): Envelope<Extract<ReplicaMessage, { readonly type: T }>> {
  reader.enter(field, 3);
  const from = reader.replica("from");
  const signature = reader.signature("signature");
  const message = readMessage(reader, allowed);
  reader.leave();
  return { from, message, signature };
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
      writer.array(7).uint(type).uint(epoch).uint(message.view).uint(message.executed);
      writer.uint(message.stable).uint(message.accepted).array(message.lacks.length);
      for (const lack of message.lacks) writeLack(writer, lack);
      return;
    case "fetch-batch":
      writer.array(4).uint(type).uint(epoch).uint(message.seq).hex32(message.digest);
      return;
    case "fetch-committed":
      writer.array(4).uint(type).uint(epoch).uint(message.first).uint(message.last);
      return;
    default:
      return assertNever(message);
  }
}

function readMessage<T extends ReplicaMessageType>(
  reader: Reader,
  allowed: readonly T[],
): Extract<ReplicaMessage, { readonly type: T }> {
  const code = reader.enterTyped("message");
  const type = TYPES.get(code);
  if (type === undefined || !(allowed as readonly ReplicaMessageType[]).includes(type))
    reader.fault("unknown-type", "type", `one of ${allowed.join(", ")}`, type ?? `${code}`);
  // An unknown type reads as the first: the fault is noted, and the value goes nowhere.
  const message: ReplicaMessage = readMessageOf(type ?? "pre-prepare", reader);
  reader.leave();
  return message as Extract<ReplicaMessage, { readonly type: T }>;
}

function readMessageOf(type: ReplicaMessageType, reader: Reader): ReplicaMessage {
  switch (type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return readThreePhase(type, reader);
    case "checkpoint":
      reader.shape(4);
      return {
        type,
        epoch: reader.counter("epoch"),
        seq: reader.counter("seq"),
        stateRoot: reader.hex32("stateRoot"),
      };
    case "status":
      return readStatus(reader);
    case "fetch-batch":
      reader.shape(4);
      return { type, epoch: reader.counter("epoch"), seq: reader.counter("seq"), digest: reader.hex32("digest") };
    case "fetch-committed":
      return readFetchCommitted(reader);
    default:
      return assertNever(type);
  }
}

function readThreePhase(type: ThreePhaseMessage["type"], reader: Reader): ThreePhaseMessage {
  reader.shape(5);
  return {
    type,
    epoch: reader.counter("epoch"),
    view: reader.counter("view"),
    seq: reader.counter("seq"),
    digest: reader.hex32("digest"),
  };
}

function readStatus(reader: Reader): Status {
  reader.shape(7);
  const status: Status = {
    type: "status",
    epoch: reader.counter("epoch"),
    view: reader.counter("view"),
    executed: reader.counter("executed"),
    stable: reader.counter("stable"),
    accepted: reader.counter("accepted"),
    lacks: reader.list("lacks", 0, STATUS_LACKS_MAX, readLack),
  };
  let previous = -1;
  for (const { seq } of status.lacks) {
    if (seq <= previous) reader.fault("not-ascending", "lacks", `a number above ${previous}`, `${seq}`);
    previous = seq;
  }
  return status;
}

function writeLack(writer: Writer, lack: Lack): void {
  const mask =
    (lack.prePrepare ? LACKS_PRE_PREPARE : 0) |
    (lack.prepares ? LACKS_PREPARES : 0) |
    (lack.commits ? LACKS_COMMITS : 0);
  writer.array(2).uint(lack.seq).uint(mask);
}

function readLack(reader: Reader, index: number): Lack {
  reader.enter(index, 2);
  const seq = reader.counter<Lack["seq"]>("seq");
  const mask = reader.uint("mask", LACKS_ALL);
  reader.leave();
  return {
    seq,
    prePrepare: (mask & LACKS_PRE_PREPARE) !== 0,
    prepares: (mask & LACKS_PREPARES) !== 0,
    commits: (mask & LACKS_COMMITS) !== 0,
  };
}

function readFetchCommitted(reader: Reader): FetchCommitted {
  reader.shape(4);
  const message: FetchCommitted = {
    type: "fetch-committed",
    epoch: reader.counter("epoch"),
    first: reader.counter("first"),
    last: reader.counter("last"),
  };
  const count = message.last - message.first + 1;
  if (count < 1 || count > FETCH_COMMITTED_MAX)
    reader.fault("inconsistent", "last", `1 to ${FETCH_COMMITTED_MAX} numbers from first`, `${count}`);
  return message;
}
