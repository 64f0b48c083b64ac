/** Replies, receipts and what they are made of, on the wire. */
import {
  type MerklePath,
  type OperationResult,
  RESULT_STATUS_CODES,
  type Receipt,
  type Reply,
  type ResultStatus,
  type Statement,
} from "@quorate/protocol";
import { readSignatures, writeSignatures } from "./certificates.ts";
import type { Tuple } from "./tuple.ts";
import { PATH_SIBLINGS_MAX } from "./wire-limits.ts";
import type { Writer } from "./writer.ts";

/** The type number of a receipt; a later layout gets the next. Append only. */
const RECEIPT = 1;
/** Statuses from here on judge the whole request: such an output has exactly one result. */
const JUDGEMENT_CODE_MIN = 16;
const LEAVES_MAX = 2 ** PATH_SIBLINGS_MAX;

const STATUSES: ReadonlyMap<number, ResultStatus> = new Map(
  (Object.keys(RESULT_STATUS_CODES) as ResultStatus[]).map((status) => [RESULT_STATUS_CODES[status], status]),
);

function writeStatement(writer: Writer, { epoch, seq, historyDigest, outputsRoot }: Statement): void {
  writer.array(4).uint(epoch).uint(seq).hex32(historyDigest).hex32(outputsRoot);
}
function readStatement(tuple: Tuple): Statement {
  tuple.shape(4);
  return {
    epoch: tuple.counter(0, "epoch"),
    seq: tuple.counter(1, "seq"),
    historyDigest: tuple.hex32(2, "historyDigest"),
    outputsRoot: tuple.hex32(3, "outputsRoot"),
  };
}

function writeResults(writer: Writer, results: readonly OperationResult[]): void {
  writer.array(results.length);
  for (const { status, value } of results) writer.array(2).uint(RESULT_STATUS_CODES[status]).bytes(value);
}
function readResult(tuple: Tuple): OperationResult {
  tuple.shape(2);
  const code = tuple.uint(0, "status");
  const status = STATUSES.get(code);
  if (status === undefined) tuple.fault("unknown-type", "status", "a result status", `${code}`);
  const value = tuple.bytes(1, "value");
  const { resultBytesMax } = tuple.decoding.limits;
  if (value.length > resultBytesMax)
    tuple.fault("too-many", "value", `at most ${resultBytesMax} bytes`, `${value.length}`);
  return { status: status ?? "failed", value };
}

/** At least one result: a request without operations does not exist. */
function readResults(tuple: Tuple, index: number): OperationResult[] {
  const { requestOperationsMax, replyBytesMax } = tuple.decoding.limits;
  const results = tuple.list(index, "results", requestOperationsMax, readResult);
  if (results.length === 0) tuple.fault("wrong-length", "results", "at least one result", "none");
  let bytes = 0;
  for (const { status, value } of results) {
    bytes += value.length;
    if (RESULT_STATUS_CODES[status] >= JUDGEMENT_CODE_MIN && results.length > 1)
      tuple.fault("inconsistent", "results", `exactly one result for ${status}`, `${results.length}`);
  }
  if (bytes > replyBytesMax) tuple.fault("too-many", "results", `at most ${replyBytesMax} bytes in all`, `${bytes}`);
  return results;
}

function writePath(writer: Writer, { index, size, siblings }: MerklePath): void {
  writer.array(3).uint(index).uint(size).array(siblings.length);
  for (const sibling of siblings) writer.hex32(sibling);
}
function readPath(tuple: Tuple): MerklePath {
  tuple.shape(3);
  const index = tuple.uint(0, "index");
  const size = tuple.uint(1, "size", LEAVES_MAX);
  if (index >= size) tuple.fault("inconsistent", "index", `below the size ${size}`, `${index}`);
  const list = tuple.bounded(2, "siblings", 0, PATH_SIBLINGS_MAX);
  const siblings: MerklePath["siblings"][number][] = [];
  for (let i = 0; i < list.length; i++) siblings.push(list.hex32(i, i));
  return { index, size, siblings };
}

export function writeReply(writer: Writer, reply: Reply): void {
  writer.array(9).uint(reply.from);
  writeStatement(writer, reply.statement);
  writer.signature(reply.signature).hex32(reply.session).uint(reply.number).hex32(reply.requestDigest);
  writeResults(writer, reply.results);
  writePath(writer, reply.path);
  writer.uint(reply.view);
}
export function readReply(tuple: Tuple): Reply {
  tuple.shape(9);
  return {
    from: tuple.replica(0, "from"),
    statement: readStatement(tuple.tuple(1, "statement")),
    signature: tuple.signature(2, "signature"),
    session: tuple.hex32(3, "session"),
    number: tuple.counter(4, "number"),
    requestDigest: tuple.hex32(5, "requestDigest"),
    results: readResults(tuple, 6),
    path: readPath(tuple.tuple(7, "path")),
    view: tuple.counter(8, "view"),
  };
}

export function writeReceipt(writer: Writer, receipt: Receipt): void {
  writer.array(8).uint(RECEIPT);
  writeStatement(writer, receipt.statement);
  writeSignatures(writer, receipt.signatures);
  writer.hex32(receipt.session).uint(receipt.number).hex32(receipt.requestDigest);
  writeResults(writer, receipt.results);
  writePath(writer, receipt.path);
}
export function readReceipt(tuple: Tuple): Receipt {
  tuple.typed(RECEIPT, 8);
  return {
    statement: readStatement(tuple.tuple(1, "statement")),
    signatures: readSignatures(tuple, 2, "signatures"),
    session: tuple.hex32(3, "session"),
    number: tuple.counter(4, "number"),
    requestDigest: tuple.hex32(5, "requestDigest"),
    results: readResults(tuple, 6),
    path: readPath(tuple.tuple(7, "path")),
  };
}
