/** Requests for parts of the state, and what they bring, on the wire. */
import {
  contentBytes,
  type DeflatedChunk,
  FETCH_STATE_ITEMS_MAX,
  type FetchState,
  type FetchStateItem,
  STATE_BUCKET_VALUES_MAX,
  STATE_PREFIX_BYTES_MAX,
  type StateChunk,
  type StateChunkItem,
  type StateUnavailable,
} from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import { expectAscending } from "./view-change-messages.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of what is asked for, and of answers; append only. */
const ITEM_CODES = { missing: 0, page: 1, values: 2, whole: 3 } as const;

/** The part that an answer about values has, whatever it is part of. */
type Answers = Pick<Extract<StateChunkItem, { readonly type: "values" }>, "values" | "missing">;

/** How a frame of type 13 starts: an array of two, and the type. */
const CHUNK_FRAME_STARTS = [0x82, 13] as const;

/** Whether a frame can only be a chunk of the state, if it decodes. */
export function isStateChunk(frame: Uint8Array): boolean {
  return frame[0] === CHUNK_FRAME_STARTS[0] && frame[1] === CHUNK_FRAME_STARTS[1];
}

export function writeFetchState(writer: Writer, { request, seq, bytesMax, takesDeflated, items }: FetchState): void {
  writer.array(5).uint(request).uint(seq).uint(bytesMax).uint(Number(takesDeflated)).array(items.length);
  for (const item of items) {
    writer.array(item.type === "values" ? 3 : 2).uint(ITEM_CODES[item.type]);
    writer.bytes(item.prefix);
    if (item.type === "values") writeUints(writer, item.indexes);
  }
}

export function readFetchState(tuple: Tuple): FetchState {
  tuple.shape(5);
  return {
    request: tuple.uint(0, "request"),
    seq: tuple.counter<FetchState["seq"]>(1, "seq"),
    bytesMax: tuple.uint(2, "bytesMax"),
    takesDeflated: tuple.uint(3, "takesDeflated", 1) === 1,
    items: readItems(tuple, 4, 1, readFetchItem),
  };
}

export function writeStateChunk(writer: Writer, { request, seq, items, left }: StateChunk): void {
  writer.array(4).uint(request).uint(seq).array(items.length);
  for (const item of items) writeChunkItem(writer, item);
  writer.uint(left);
}

export function readStateChunk(tuple: Tuple): StateChunk {
  tuple.shape(4);
  const { stateChunkBytesMax } = tuple.decoding.limits;
  const chunk = {
    request: tuple.uint(0, "request"),
    seq: tuple.counter<StateChunk["seq"]>(1, "seq"),
    items: readItems(tuple, 2, 0, readChunkItem),
    left: tuple.uint(3, "left", stateChunkBytesMax),
  };
  const bytes = contentBytes(chunk.items);
  if (bytes > stateChunkBytesMax)
    tuple.fault("too-many", "items", `at most ${stateChunkBytesMax} bytes in all`, `${bytes}`);
  return chunk;
}

export function writeDeflatedChunk(writer: Writer, { request, seq, length, deflated }: DeflatedChunk): void {
  writer.array(4).uint(request).uint(seq).uint(length).bytes(deflated);
}

export function readDeflatedChunk(tuple: Tuple): DeflatedChunk {
  tuple.shape(4);
  const { stateChunkBytesMax, replicaFrame } = tuple.decoding.limits;
  const chunk = {
    request: tuple.uint(0, "request"),
    seq: tuple.counter<DeflatedChunk["seq"]>(1, "seq"),
    length: tuple.uint(2, "length", replicaFrame.bytesMax),
    deflated: tuple.bytes(3, "deflated"),
  };
  const bytesMax = Math.min(chunk.length - 1, stateChunkBytesMax);
  const { length } = chunk.deflated;
  if (length < 1 || length > bytesMax) tuple.fault("wrong-length", "deflated", `1 to ${bytesMax} bytes`, `${length}`);
  return chunk;
}

/** The bytes that the frame of a chunk has at most, if it is a correct answer to this request. */
export function chunkFrameBytesMax({ bytesMax, items }: FetchState): number {
  let bytes = CHUNK_HEAD_BYTES + bytesMax;
  for (const item of items) bytes += ITEM_HEAD_BYTES + VALUE_HEAD_BYTES * answersMax(item);
  return bytes;
}

/** Two arrays, the type, two numbers, the head of the items and what is left. */
const CHUNK_HEAD_BYTES = 3 + 9 + 9 + 3 + 9;
/** An array, the type, the head of a page and those of two lists. */
const ITEM_HEAD_BYTES = 1 + 1 + 5 + 2 + 2;
/** Places take less. */
const VALUE_HEAD_BYTES = 5;

function answersMax(item: FetchStateItem): number {
  if (item.type === "values") return item.indexes.length;
  return item.type === "whole" ? STATE_BUCKET_VALUES_MAX : 0;
}

export function writeStateUnavailable(writer: Writer, { seq, stable }: StateUnavailable): void {
  writer.array(2).uint(seq).uint(stable);
}

export function readStateUnavailable(tuple: Tuple): StateUnavailable {
  tuple.shape(2);
  return { seq: tuple.counter(0, "seq"), stable: tuple.counter(1, "stable") };
}

function readFetchItem(tuple: Tuple): FetchStateItem {
  const prefix = tuple.bytes(1, "prefix");
  if (prefix.length > STATE_PREFIX_BYTES_MAX)
    tuple.fault("too-many", "prefix", `at most ${STATE_PREFIX_BYTES_MAX} bytes`, `${prefix.length}`);
  const type = readType(tuple, ITEM_CODES.page);
  if (type !== ITEM_CODES.values) {
    tuple.shape(2);
    return { type: type === ITEM_CODES.page ? "page" : "whole", prefix };
  }
  return { type: "values", prefix, indexes: readUints(tuple.shape(3), 2, "indexes", 1) };
}

function writeChunkItem(writer: Writer, item: StateChunkItem): void {
  switch (item.type) {
    case "missing":
      writer.array(1).uint(ITEM_CODES.missing);
      return;
    case "page":
      writer.array(2).uint(ITEM_CODES.page).bytes(item.page);
      return;
    case "whole":
      writer.array(4).uint(ITEM_CODES.whole).bytes(item.page);
      return writeAnswers(writer, item);
    case "values":
      writer.array(3).uint(ITEM_CODES.values);
      return writeAnswers(writer, item);
  }
}

function readChunkItem(tuple: Tuple): StateChunkItem {
  const type = readType(tuple, ITEM_CODES.missing);
  if (type === ITEM_CODES.missing) {
    tuple.shape(1);
    return { type: "missing" };
  }
  if (type === ITEM_CODES.page) return { type: "page", page: tuple.shape(2).bytes(1, "page") };
  if (type === ITEM_CODES.values) return { type: "values", ...readAnswers(tuple.shape(3), 1) };
  return { type: "whole", page: tuple.shape(4).bytes(1, "page"), ...readAnswers(tuple, 2) };
}

function writeAnswers(writer: Writer, { missing, values }: Answers): void {
  writeUints(writer, missing);
  writer.array(values.length);
  for (const value of values) writer.bytes(value);
}

/** Places of what is missing, then the values. */
function readAnswers(tuple: Tuple, index: number): Answers {
  const missing = readUints(tuple, index, "missing", 0);
  const list = tuple.bounded(index + 1, "values", 0, STATE_BUCKET_VALUES_MAX);
  const values: Uint8Array[] = [];
  for (let i = 0; i < list.length; i++) values.push(list.bytes(i, i));
  const answered = missing.length + values.length;
  if (answered < 1 || answered > STATE_BUCKET_VALUES_MAX)
    tuple.fault("wrong-length", "values", `1 to ${STATE_BUCKET_VALUES_MAX} answers`, `${answered}`);
  return { values, missing };
}

/** A type number from `least` on. */
function readType(tuple: Tuple, least: number): number {
  const type = tuple.uint(0, "type");
  if (type < least || type > ITEM_CODES.whole)
    tuple.fault("unknown-type", "type", `${least} to ${ITEM_CODES.whole}`, `${type}`);
  return type;
}

function readItems<T>(tuple: Tuple, index: number, least: number, read: (element: Tuple) => T): T[] {
  tuple.bounded(index, "items", least, FETCH_STATE_ITEMS_MAX);
  return tuple.list(index, "items", FETCH_STATE_ITEMS_MAX, read);
}

function writeUints(writer: Writer, values: readonly number[]): void {
  writer.array(values.length);
  for (const value of values) writer.uint(value);
}

/** Places in a bucket, ascending. */
function readUints(tuple: Tuple, index: number, field: string, least: number): number[] {
  const list = tuple.bounded(index, field, least, STATE_BUCKET_VALUES_MAX);
  const values: number[] = [];
  for (let i = 0; i < list.length; i++) values.push(list.uint(i, i, STATE_BUCKET_VALUES_MAX - 1));
  expectAscending(tuple, field, values);
  return values;
}
