/** Reads of the state at a stable checkpoint, and their answers, on the wire. */
import {
  assertNever,
  type ProvenEntry,
  type ProvenValue,
  type ReadRefusal,
  type ReadState,
  readBytes,
  STATE_KEY_BYTES_MAX,
  STATE_READ_KEYS_MAX,
  type StateQuery,
  type StateRead,
} from "@quorate/protocol";
import { readCheckpointCertificate, writeCheckpointCertificate } from "./certificates.ts";
import { readStateProof, writeStateProof } from "./state-proofs.ts";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of queries; append only. */
const QUERY_CODES = { keys: 1, range: 2 } as const;
/** The type numbers of answers; append only. */
const ANSWER_CODES = { values: 1, entries: 2, unavailable: 3 } as const;
/** The codes of refusals; append only. */
const READ_REFUSAL_CODES: Readonly<Record<ReadRefusal, number>> = {
  "no-checkpoint": 1,
  "no-state": 2,
  "over-budget": 3,
  "not-readable": 4,
  "too-large": 5,
};
const REFUSALS: ReadonlyMap<number, ReadRefusal> = new Map(
  (Object.keys(READ_REFUSAL_CODES) as ReadRefusal[]).map((reason) => [READ_REFUSAL_CODES[reason], reason]),
);

export function writeReadState(writer: Writer, { id, query }: ReadState): void {
  writer.array(2).uint(id);
  switch (query.type) {
    case "keys":
      writer.array(2).uint(QUERY_CODES.keys).array(query.keys.length);
      for (const key of query.keys) writer.bytes(key);
      return;
    case "range":
      writer.array(4).uint(QUERY_CODES.range).bytes(query.from);
      writeOptional(writer, query.to);
      writer.uint(query.limit);
      return;
    default:
      return assertNever(query);
  }
}

export function readReadState(tuple: Tuple): ReadState {
  tuple.shape(2);
  return { id: tuple.uint(0, "id"), query: readQuery(tuple.tuple(1, "query")) };
}

function readQuery(tuple: Tuple): StateQuery {
  const type = tuple.uint(0, "type");
  if (type === QUERY_CODES.range) {
    tuple.shape(4);
    const limit = tuple.uint(3, "limit", STATE_READ_KEYS_MAX);
    if (limit === 0) tuple.fault("out-of-range", "limit", "at least 1", "0");
    return { type: "range", from: readKey(tuple, 1, "from"), to: readOptionalKey(tuple, 2, "to"), limit };
  }
  if (type !== QUERY_CODES.keys) tuple.fault("unknown-type", "type", "1 or 2", `${type}`);
  const list = tuple.shape(2).bounded(1, "keys", 1, STATE_READ_KEYS_MAX);
  const keys: Uint8Array[] = [];
  for (let i = 0; i < list.length; i++) keys.push(readKey(list, i, i));
  return { type: "keys", keys };
}

export function writeStateRead(writer: Writer, read: StateRead): void {
  writer.array(read.type === "entries" ? 5 : read.type === "values" ? 4 : 3).uint(ANSWER_CODES[read.type]);
  writer.uint(read.id);
  switch (read.type) {
    case "values":
      writeCheckpointCertificate(writer, read.certificate);
      writer.array(read.values.length);
      for (const { value, proof } of read.values) {
        writer.array(2);
        writeOptional(writer, value);
        writeStateProof(writer, proof);
      }
      return;
    case "entries":
      writeCheckpointCertificate(writer, read.certificate);
      writer.array(read.entries.length);
      for (const { key, value, proof } of read.entries) {
        writer.array(3).bytes(key).bytes(value);
        writeStateProof(writer, proof);
      }
      return writeOptional(writer, read.next);
    case "unavailable":
      writer.uint(READ_REFUSAL_CODES[read.reason]);
      return;
    default:
      return assertNever(read);
  }
}

/** Whether it shows anything, and answers what was asked, is judged by whoever asked. */
export function readStateRead(tuple: Tuple): StateRead {
  const type = tuple.uint(0, "type");
  const id = tuple.uint(1, "id");
  if (type === ANSWER_CODES.unavailable) return { id, type: "unavailable", reason: readRefusal(tuple.shape(3)) };
  if (type !== ANSWER_CODES.values && type !== ANSWER_CODES.entries)
    tuple.fault("unknown-type", "type", "1, 2 or 3", `${type}`);
  const read = type === ANSWER_CODES.entries ? readEntries(tuple.shape(5), id) : readValues(tuple.shape(4), id);
  const { stateReadBytesMax } = tuple.decoding.limits;
  const bytes = readBytes(read);
  if (bytes > stateReadBytesMax)
    tuple.fault("too-many", read.type, `at most ${stateReadBytesMax} bytes in all`, `${bytes}`);
  return read;
}

function readValues(tuple: Tuple, id: number): Extract<StateRead, { readonly type: "values" }> {
  const certificate = readCheckpointCertificate(tuple.tuple(2, "certificate"));
  tuple.bounded(3, "values", 1, STATE_READ_KEYS_MAX);
  return { id, type: "values", certificate, values: tuple.list(3, "values", STATE_READ_KEYS_MAX, readValue) };
}

function readEntries(tuple: Tuple, id: number): Extract<StateRead, { readonly type: "entries" }> {
  const certificate = readCheckpointCertificate(tuple.tuple(2, "certificate"));
  const entries = tuple.list(3, "entries", STATE_READ_KEYS_MAX, readEntry);
  return { id, type: "entries", certificate, entries, next: readOptionalKey(tuple, 4, "next") };
}

function readValue(tuple: Tuple): ProvenValue {
  return { value: readOptional(tuple.shape(2), 0, "value"), proof: readStateProof(tuple.tuple(1, "proof")) };
}

function readEntry(tuple: Tuple): ProvenEntry {
  tuple.shape(3);
  return {
    key: readKey(tuple, 0, "key"),
    value: tuple.bytes(1, "value"),
    proof: readStateProof(tuple.tuple(2, "proof")),
  };
}

function readRefusal(tuple: Tuple): ReadRefusal {
  const number = tuple.uint(2, "reason");
  const reason = REFUSALS.get(number);
  if (reason === undefined) tuple.fault("unknown-type", "reason", "the code of a refusal", `${number}`);
  return reason ?? "no-state";
}

function readKey(tuple: Tuple, index: number, field: string | number): Uint8Array {
  return tuple.sized(index, field, 0, STATE_KEY_BYTES_MAX);
}

/** What may be missing is a list of none or one. */
function writeOptional(writer: Writer, value: Uint8Array | undefined): void {
  writer.array(value === undefined ? 0 : 1);
  if (value !== undefined) writer.bytes(value);
}
function readOptional(tuple: Tuple, index: number, field: string): Uint8Array | undefined {
  const list = tuple.tuple(index, field);
  return list.length === 0 ? undefined : list.shape(1).bytes(0, 0);
}
function readOptionalKey(tuple: Tuple, index: number, field: string): Uint8Array | undefined {
  const list = tuple.tuple(index, field);
  return list.length === 0 ? undefined : readKey(list.shape(1), 0, 0);
}
