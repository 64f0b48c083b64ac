/** The frames of links and the records of the log: a type number, then what it carries. */
import {
  assertNever,
  type ClientFrame,
  type LogRecord,
  type NoClaimReason,
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
import { readEpochLinks, readFetchEpochs, writeEpochLinks, writeFetchEpochs } from "./epochs.ts";
import { readFetchHistory, writeFetchHistory } from "./fetch-history.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import { readReply, writeReply } from "./outputs.ts";
import { readFetchClaim, readJoinClaim, writeFetchClaim, writeJoinClaim } from "./reconfigurations.ts";
import { readBatch, readRequest, writeRequest } from "./requests.ts";
import { readReplies, readReplyStable, writeReplies, writeReplyStable } from "./stable-replies.ts";
import { readReadState, readStateRead, writeReadState, writeStateRead } from "./state-reads.ts";
import {
  readDeflatedChunk,
  readFetchState,
  readStateChunk,
  readStateUnavailable,
  writeDeflatedChunk,
  writeFetchState,
  writeStateChunk,
  writeStateUnavailable,
} from "./state-transfer.ts";
import type { Tuple } from "./tuple.ts";
import { readNewView, readViewChange, writeNewView, writeViewChange } from "./view-changes.ts";
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
  "view-change": 8,
  "new-view": 9,
  "query-stable": 10,
  "reply-stable": 11,
  "fetch-state": 12,
  "state-chunk": 13,
  "state-unavailable": 14,
  "deflated-chunk": 15,
  "fetch-epochs": 16,
  "epoch-links": 17,
  "fetch-history": 18,
};
/** The type numbers of frames from a client; append only. */
export const CLIENT_FRAME_CODES: Readonly<Record<ClientFrame["type"], number>> = {
  request: 1,
  "fetch-epochs": 2,
  "fetch-claim": 3,
  "read-state": 4,
};
/** The type numbers of frames to a client; append only. */
export const SERVER_FRAME_CODES: Readonly<Record<ServerFrame["type"], number>> = {
  reply: 1,
  refused: 2,
  welcome: 3,
  "epoch-links": 4,
  "join-claim": 5,
  "no-claim": 6,
  "state-read": 7,
};
/** The type numbers of log records; append only. */
export const LOG_RECORD_CODES: Readonly<Record<LogRecord["type"], number>> = {
  "pre-prepared": 1,
  prepared: 2,
  stable: 3,
  "view-change": 4,
  "new-view": 5,
  mute: 6,
  released: 7,
};
/** The codes of refusals; append only. */
export const REFUSAL_CODES: Readonly<Record<RefusalCode, number>> = { overloaded: 1 };

/** The codes of reasons for no claim; append only. */
const NO_CLAIM_CODES: Readonly<Record<NoClaimReason, number>> = {
  member: 1,
  "not-level": 2,
  "no-address": 3,
  "epoch-other": 4,
};

const SIGNED = ["prepare", "commit", "checkpoint", "status", "fetch-batch", "fetch-committed", "hand-over"] as const;

/** The name that belongs to the number in place 0. */
function typeOf<T extends string>(tuple: Tuple, names: ReadonlyMap<number, T>): T | undefined {
  const code = tuple.uint(0, "type");
  const name = names.get(code);
  if (name === undefined) tuple.fault("unknown-type", "type", `one of ${[...names.values()].join(", ")}`, `${code}`);
  return name;
}
function namesOf<T extends string>(codes: Readonly<Record<T, number>>): ReadonlyMap<number, T> {
  return new Map((Object.keys(codes) as T[]).map((name) => [codes[name], name]));
}
// What a bundle does not read falls out of it: these calls have no effect.
const REPLICA_FRAMES = /* @__PURE__ */ namesOf(REPLICA_FRAME_CODES);
const CLIENT_FRAMES = /* @__PURE__ */ namesOf(CLIENT_FRAME_CODES);
const SERVER_FRAMES = /* @__PURE__ */ namesOf(SERVER_FRAME_CODES);
const LOG_RECORDS = /* @__PURE__ */ namesOf(LOG_RECORD_CODES);
const REFUSALS = /* @__PURE__ */ namesOf(REFUSAL_CODES);
const NO_CLAIMS = /* @__PURE__ */ namesOf(NO_CLAIM_CODES);

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
    case "view-change":
      return writeViewChange(writer, frame.viewChange);
    case "new-view":
      return writeNewView(writer, frame.newView);
    case "query-stable":
      return writeEnvelope(writer, frame.envelope);
    case "reply-stable":
      return writeReplyStable(writer, frame.reply);
    case "fetch-state":
      return writeFetchState(writer, frame.fetch);
    case "state-chunk":
      return writeStateChunk(writer, frame.chunk);
    case "deflated-chunk":
      return writeDeflatedChunk(writer, frame.chunk);
    case "state-unavailable":
      return writeStateUnavailable(writer, frame.unavailable);
    case "fetch-epochs":
      return writeFetchEpochs(writer, frame.fetch);
    case "epoch-links":
      return writeEpochLinks(writer, frame.links);
    case "fetch-history":
      return writeFetchHistory(writer, frame.fetch);
    default:
      return assertNever(frame);
  }
}

export function readReplicaFrame(tuple: Tuple): ReplicaFrame | undefined {
  const type = typeOf(tuple, REPLICA_FRAMES);
  switch (type) {
    case "pre-prepare":
      tuple.shape(3);
      return {
        type,
        envelope: readEnvelope(tuple.tuple(1, "envelope"), ["pre-prepare"]),
        batch: readBatch(tuple.tuple(2, "batch")),
      };
    case "signed":
      return { type, envelope: readEnvelope(tuple.shape(2).tuple(1, "envelope"), SIGNED) };
    case "request":
      return { type, request: readRequest(tuple.shape(2).tuple(1, "request")) };
    case "batch-body":
      return { type, batch: readBatch(tuple.shape(2).tuple(1, "batch")) };
    case "committed":
      return { type, entry: readCommittedEntry(tuple.shape(2).tuple(1, "entry")) };
    case "below-history":
    case "stable-checkpoint":
      return { type, checkpoint: readCheckpointCertificate(tuple.shape(2).tuple(1, "checkpoint")) };
    case "view-change":
      return { type, viewChange: readViewChange(tuple.shape(2).tuple(1, "viewChange")) };
    case "new-view":
      return { type, newView: readNewView(tuple.shape(2).tuple(1, "newView")) };
    case "query-stable":
      return { type, envelope: readEnvelope(tuple.shape(2).tuple(1, "envelope"), ["query-stable"]) };
    case "reply-stable":
      return { type, reply: readReplyStable(tuple.shape(2).tuple(1, "reply")) };
    case "fetch-state":
      return { type, fetch: readFetchState(tuple.shape(2).tuple(1, "fetch")) };
    case "state-chunk":
      return { type, chunk: readStateChunk(tuple.shape(2).tuple(1, "chunk")) };
    case "deflated-chunk":
      return { type, chunk: readDeflatedChunk(tuple.shape(2).tuple(1, "chunk")) };
    case "state-unavailable":
      return { type, unavailable: readStateUnavailable(tuple.shape(2).tuple(1, "unavailable")) };
    case "fetch-epochs":
      return { type, fetch: readFetchEpochs(tuple.shape(2).tuple(1, "fetch")) };
    case "epoch-links":
      return { type, links: readEpochLinks(tuple.shape(2), 1) };
    case "fetch-history":
      return { type, fetch: readFetchHistory(tuple.shape(2).tuple(1, "fetch")) };
    case undefined:
      return undefined;
    default:
      return assertNever(type);
  }
}

export function writeClientFrame(writer: Writer, frame: ClientFrame): void {
  writer.array(2).uint(CLIENT_FRAME_CODES[frame.type]);
  switch (frame.type) {
    case "request":
      return writeRequest(writer, frame.request);
    case "fetch-epochs":
      return writeFetchEpochs(writer, frame.fetch);
    case "read-state":
      return writeReadState(writer, frame.read);
    case "fetch-claim":
      return writeFetchClaim(writer, frame.fetch);
    default:
      return assertNever(frame);
  }
}

export function readClientFrame(tuple: Tuple): ClientFrame | undefined {
  const type = typeOf(tuple, CLIENT_FRAMES);
  switch (type) {
    case "request":
      return { type, request: readRequest(tuple.shape(2).tuple(1, "request")) };
    case "fetch-epochs":
      return { type, fetch: readFetchEpochs(tuple.shape(2).tuple(1, "fetch")) };
    case "read-state":
      return { type, read: readReadState(tuple.shape(2).tuple(1, "read")) };
    case "fetch-claim":
      return { type, fetch: readFetchClaim(tuple.shape(2).tuple(1, "fetch")) };
    case undefined:
      return undefined;
    default:
      return assertNever(type);
  }
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
    case "epoch-links":
      return writeEpochLinks(writer.array(2).uint(type), frame.links);
    case "state-read":
      return writeStateRead(writer.array(2).uint(type), frame.read);
    case "join-claim":
      return writeJoinClaim(writer.array(2).uint(type), frame.claim);
    case "no-claim":
      writer.array(2).uint(type).uint(NO_CLAIM_CODES[frame.reason]);
      return;
    default:
      return assertNever(frame);
  }
}

export function readServerFrame(tuple: Tuple): ServerFrame | undefined {
  const type = typeOf(tuple, SERVER_FRAMES);
  switch (type) {
    case "reply":
      return { type, reply: readReply(tuple.shape(2).tuple(1, "reply")) };
    case "refused":
      return { type, requestDigest: tuple.shape(3).hex32(1, "requestDigest"), code: readRefusalCode(tuple) };
    case "welcome":
      tuple.shape(4);
      return {
        type,
        epoch: tuple.counter(1, "epoch"),
        view: tuple.counter(2, "view"),
        executed: tuple.counter(3, "executed"),
      };
    case "epoch-links":
      return { type, links: readEpochLinks(tuple.shape(2), 1) };
    case "state-read":
      return { type, read: readStateRead(tuple.shape(2).tuple(1, "read")) };
    case "join-claim":
      return { type, claim: readJoinClaim(tuple.shape(2).tuple(1, "claim")) };
    case "no-claim":
      return { type, reason: readNoClaimReason(tuple.shape(2)) };
    case undefined:
      return undefined;
    default:
      return assertNever(type);
  }
}

function readNoClaimReason(tuple: Tuple): NoClaimReason {
  const code = tuple.uint(1, "reason");
  const reason = NO_CLAIMS.get(code);
  if (reason === undefined) tuple.fault("unknown-type", "reason", "a reason for no claim", `${code}`);
  return reason ?? "member";
}

function readRefusalCode(tuple: Tuple): RefusalCode {
  const number = tuple.uint(2, "code");
  const code = REFUSALS.get(number);
  if (code === undefined) tuple.fault("unknown-type", "code", "a refusal code", `${number}`);
  return code ?? "overloaded";
}

/** How long the list of a record is, with its type. */
const LOG_RECORD_LENGTHS: Readonly<Record<LogRecord["type"], number>> = {
  "pre-prepared": 3,
  prepared: 2,
  stable: 2,
  "view-change": 3,
  "new-view": 3,
  mute: 3,
  released: 4,
};

export function writeLogRecord(writer: Writer, record: LogRecord): void {
  writer.array(LOG_RECORD_LENGTHS[record.type]).uint(LOG_RECORD_CODES[record.type]);
  switch (record.type) {
    case "pre-prepared":
      writeEnvelope(writer, record.envelope);
      return writeBatchAgain(writer, record.batch);
    case "prepared":
      return writePreparedCertificate(writer, record.certificate);
    case "stable":
      return writeCheckpointCertificate(writer, record.checkpoint);
    case "view-change":
      writer.uint(record.at);
      return writeViewChange(writer, record.viewChange);
    case "new-view":
      writer.uint(record.at);
      return writeNewView(writer, record.newView);
    case "mute":
      return writeReplies(writer.uint(record.at), record.replies);
    case "released":
      writer.uint(record.epoch).uint(record.at).hex32(record.nonce);
      return;
    default:
      return assertNever(record);
  }
}

export function readLogRecord(tuple: Tuple): LogRecord | undefined {
  const type = typeOf(tuple, LOG_RECORDS);
  switch (type) {
    case "pre-prepared":
      tuple.shape(3);
      return {
        type,
        envelope: readEnvelope(tuple.tuple(1, "envelope"), ["pre-prepare"]),
        batch: readBatch(tuple.tuple(2, "batch")),
      };
    case "prepared":
      return { type, certificate: readPreparedCertificate(tuple.shape(2).tuple(1, "certificate")) };
    case "stable":
      return { type, checkpoint: readCheckpointCertificate(tuple.shape(2).tuple(1, "checkpoint")) };
    case "view-change":
      tuple.shape(3);
      return { type, at: tuple.counter(1, "at"), viewChange: readViewChange(tuple.tuple(2, "viewChange")) };
    case "new-view":
      tuple.shape(3);
      return { type, at: tuple.counter(1, "at"), newView: readNewView(tuple.tuple(2, "newView")) };
    case "mute":
      tuple.shape(3);
      return { type, at: tuple.counter(1, "at"), replies: readReplies(tuple, 2) };
    case "released":
      tuple.shape(4);
      return { type, epoch: tuple.counter(1, "epoch"), at: tuple.counter(2, "at"), nonce: tuple.hex32(3, "nonce") };
    case undefined:
      return undefined;
    default:
      return assertNever(type);
  }
}
