/** The frames of links and the records of the log: a type number, then what it carries. */
import {
  assertNever,
  type ClientFrame,
  type LogRecord,
  type RefusalCode,
  type ReplicaFrame,
  type ServerFrame,
} from "@quorate/protocol";
import {
  readCheckpointCertificate,
  readCommittedEntry,
  readPreparedCertificate,
  writeCheckpointCertificate,
  writeCommittedEntry,
  writePreparedCertificate,
} from "./certificates.ts";
import { writeBatchAgain } from "./encoded-batches.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import { readReply, writeReply } from "./outputs.ts";
import type { Reader } from "./reader.ts";
import { readBatch, readRequest, writeRequest } from "./requests.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of frames between replicas; append only. */
export const REPLICA_FRAME_CODES: Readonly<Record<ReplicaFrame["type"], number>> = {
  "pre-prepare": 1,
  signed: 2,
  request: 3,
  "batch-body": 4,
  committed: 5,
  "below-history": 6,
  "stable-checkpoint": 7,
};
/** The type numbers of frames from a client; append only. */
export const CLIENT_FRAME_CODES: Readonly<Record<ClientFrame["type"], number>> = { request: 1 };
/** The type numbers of frames to a client; append only. */
export const SERVER_FRAME_CODES: Readonly<Record<ServerFrame["type"], number>> = { reply: 1, refused: 2, welcome: 3 };
/** The type numbers of log records; append only. */
export const LOG_RECORD_CODES: Readonly<Record<LogRecord["type"], number>> = {
  "pre-prepared": 1,
  prepared: 2,
  stable: 3,
};
/** The codes of refusals; append only. */
export const REFUSAL_CODES: Readonly<Record<RefusalCode, number>> = { overloaded: 1, invalid: 2, "too-large": 3 };

const PRE_PREPARE = ["pre-prepare"] as const;
const SIGNED = ["prepare", "commit", "checkpoint", "status", "fetch-batch", "fetch-committed"] as const;

/** The name that belongs to the type number of the array that is entered. */
function enterNamed<T extends string>(reader: Reader, field: string, names: ReadonlyMap<number, T>): T | undefined {
  const code = reader.enterTyped(field);
  const name = names.get(code);
  if (name === undefined) reader.fault("unknown-type", "type", `one of ${[...names.values()].join(", ")}`, `${code}`);
  return name;
}
function namesOf<T extends string>(codes: Readonly<Record<T, number>>): ReadonlyMap<number, T> {
  return new Map((Object.keys(codes) as T[]).map((name) => [codes[name], name]));
}
const REPLICA_FRAMES = namesOf(REPLICA_FRAME_CODES);
const CLIENT_FRAMES = namesOf(CLIENT_FRAME_CODES);
const SERVER_FRAMES = namesOf(SERVER_FRAME_CODES);
const LOG_RECORDS = namesOf(LOG_RECORD_CODES);
const REFUSALS = namesOf(REFUSAL_CODES);

export function writeReplicaFrame(writer: Writer, frame: ReplicaFrame): void {
  writer.array(frame.type === "pre-prepare" ? 3 : 2).uint(REPLICA_FRAME_CODES[frame.type]);
  switch (frame.type) {
    case "pre-prepare":
      writeEnvelope(writer, frame.envelope);
      return writeBatchAgain(writer, frame.batch);
    case "signed":
      return writeEnvelope(writer, frame.envelope);
    case "request":
      return writeRequest(writer, frame.request);
    case "batch-body":
      return writeBatchAgain(writer, frame.batch);
    case "committed":
      return writeCommittedEntry(writer, frame.entry);
    case "below-history":
    case "stable-checkpoint":
      return writeCheckpointCertificate(writer, frame.checkpoint);
    default:
      return assertNever(frame);
  }
}

export function readReplicaFrame(reader: Reader, field: string): ReplicaFrame | undefined {
  const type = enterNamed(reader, field, REPLICA_FRAMES);
  if (type === undefined) return undefined;
  reader.shape(type === "pre-prepare" ? 3 : 2);
  switch (type) {
    case "pre-prepare":
      return { type, envelope: readEnvelope(reader, "envelope", PRE_PREPARE), batch: readBatch(reader, "batch") };
    case "signed":
      return { type, envelope: readEnvelope(reader, "envelope", SIGNED) };
    case "request":
      return { type, request: readRequest(reader, "request") };
    case "batch-body":
      return { type, batch: readBatch(reader, "batch") };
    case "committed":
      return { type, entry: readCommittedEntry(reader, "entry") };
    case "below-history":
    case "stable-checkpoint":
      return { type, checkpoint: readCheckpointCertificate(reader, "checkpoint") };
    default:
      return assertNever(type);
  }
}

export function writeClientFrame(writer: Writer, frame: ClientFrame): void {
  writer.array(2).uint(CLIENT_FRAME_CODES[frame.type]);
  writeRequest(writer, frame.request);
}
export function readClientFrame(reader: Reader, field: string): ClientFrame | undefined {
  const type = enterNamed(reader, field, CLIENT_FRAMES);
  reader.shape(2);
  return type && { type, request: readRequest(reader, "request") };
}

export function writeServerFrame(writer: Writer, frame: ServerFrame): void {
  const type = SERVER_FRAME_CODES[frame.type];
  switch (frame.type) {
    case "reply":
      writer.array(2).uint(type);
      return writeReply(writer, frame.reply);
    case "refused":
      writer.array(3).uint(type).hex32(frame.requestDigest).uint(REFUSAL_CODES[frame.code]);
      return;
    case "welcome":
      writer.array(4).uint(type).uint(frame.epoch).uint(frame.view).uint(frame.executed);
      return;
    default:
      return assertNever(frame);
  }
}

export function readServerFrame(reader: Reader, field: string): ServerFrame | undefined {
  const type = enterNamed(reader, field, SERVER_FRAMES);
  switch (type) {
    case "reply":
      reader.shape(2);
      return { type, reply: readReply(reader, "reply") };
    case "refused":
      reader.shape(3);
      return { type, requestDigest: reader.hex32("requestDigest"), code: readRefusalCode(reader) };
    case "welcome":
      reader.shape(4);
      return {
        type,
        epoch: reader.counter("epoch"),
        view: reader.counter("view"),
        executed: reader.counter("executed"),
      };
    case undefined:
      return undefined;
    default:
      return assertNever(type);
  }
}

function readRefusalCode(reader: Reader): RefusalCode {
  const number = reader.uint("code");
  const code = REFUSALS.get(number);
  if (code === undefined) reader.fault("unknown-type", "code", "a refusal code", `${number}`);
  return code ?? "invalid";
}

export function writeLogRecord(writer: Writer, record: LogRecord): void {
  writer.array(record.type === "pre-prepared" ? 3 : 2).uint(LOG_RECORD_CODES[record.type]);
  switch (record.type) {
    case "pre-prepared":
      writeEnvelope(writer, record.envelope);
      return writeBatchAgain(writer, record.batch);
    case "prepared":
      return writePreparedCertificate(writer, record.certificate);
    case "stable":
      return writeCheckpointCertificate(writer, record.checkpoint);
    default:
      return assertNever(record);
  }
}

export function readLogRecord(reader: Reader, field: string): LogRecord | undefined {
  const type = enterNamed(reader, field, LOG_RECORDS);
  if (type === undefined) return undefined;
  reader.shape(type === "pre-prepared" ? 3 : 2);
  switch (type) {
    case "pre-prepared":
      return { type, envelope: readEnvelope(reader, "envelope", PRE_PREPARE), batch: readBatch(reader, "batch") };
    case "prepared":
      return { type, certificate: readPreparedCertificate(reader, "certificate") };
    case "stable":
      return { type, checkpoint: readCheckpointCertificate(reader, "checkpoint") };
    default:
      return assertNever(type);
  }
}
