/** Replies, receipts and what they are made of, on the wire. */
import {
  type Digest,
  type MerklePath,
  type OperationResult,
  RESULT_STATUS_CODES,
  type Receipt,
  type Reply,
  type ResultStatus,
  type Statement,
} from "@quorate/protocol";
import { readSignatures, writeSignatures } from "./certificates.ts";
import type { Reader } from "./reader.ts";
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
function readStatement(reader: Reader): Statement {
  reader.enter("statement", 4);
  const statement: Statement = {
    epoch: reader.counter("epoch"),
    seq: reader.counter("seq"),
    historyDigest: reader.hex32("historyDigest"),
    outputsRoot: reader.hex32("outputsRoot"),
  };
  reader.leave();
  return statement;
}

function writeResults(writer: Writer, results: readonly OperationResult[]): void {
  writer.array(results.length);
  for (const { status, value } of results) writer.array(2).uint(RESULT_STATUS_CODES[status]).bytes(value);
}

/** At least one result: a request without operations does not exist. */
function readResults(reader: Reader): OperationResult[] {
  const { requestOperationsMax, replyBytesMax } = reader.limits;
  const results = reader.list("results", 1, requestOperationsMax, readResult);
  let bytes = 0;
  for (const { status, value } of results) {
    bytes += value.length;
    if (RESULT_STATUS_CODES[status] >= JUDGEMENT_CODE_MIN && results.length > 1)
      reader.fault("inconsistent", "results", `exactly one result for ${status}`, `${results.length}`);
  }
  if (bytes > replyBytesMax) reader.fault("too-many", "results", `at most ${replyBytesMax} bytes in all`, `${bytes}`);
  return results;
}

function readResult(reader: Reader, index: number): OperationResult {
  reader.enter(index, 2);
  const code = reader.uint("status");
  const status = STATUSES.get(code);
  if (status === undefined) reader.fault("unknown-type", "status", "a result status", `${code}`);
  const value = reader.bytes("value");
  const { resultBytesMax } = reader.limits;
  if (value.length > resultBytesMax)
    reader.fault("too-many", "value", `at most ${resultBytesMax} bytes`, `${value.length}`);
  reader.leave();
  return { status: status ?? "failed", value };
}

function writePath(writer: Writer, { index, size, siblings }: MerklePath): void {
  writer.array(3).uint(index).uint(size).array(siblings.length);
  for (const sibling of siblings) writer.hex32(sibling);
}
function readPath(reader: Reader): MerklePath {
  reader.enter("path", 3);
  const index = reader.uint("index");
  const size = reader.uint("size", LEAVES_MAX);
  if (index >= size) reader.fault("inconsistent", "index", `below the size ${size}`, `${index}`);
  const siblings = reader.list("siblings", 0, PATH_SIBLINGS_MAX, readDigest);
  reader.leave();
  return { index, size, siblings };
}
function readDigest(reader: Reader, index: number): Digest {
  return reader.hex32(index);
}

export function writeReply(writer: Writer, reply: Reply): void {
  writer.array(9).uint(reply.from);
  writeStatement(writer, reply.statement);
  writer.signature(reply.signature).hex32(reply.session).uint(reply.number).hex32(reply.requestDigest);
  writeResults(writer, reply.results);
  writePath(writer, reply.path);
  writer.uint(reply.view);
}
export function readReply(reader: Reader, field: string): Reply {
  reader.enter(field, 9);
  const reply: Reply = {
    from: reader.replica("from"),
    statement: readStatement(reader),
    signature: reader.signature("signature"),
    session: reader.hex32("session"),
    number: reader.counter("number"),
    requestDigest: reader.hex32("requestDigest"),
    results: readResults(reader),
    path: readPath(reader),
    view: reader.counter("view"),
  };
  reader.leave();
  return reply;
}

export function writeReceipt(writer: Writer, receipt: Receipt): void {
  writer.array(8).uint(RECEIPT);
  writeStatement(writer, receipt.statement);
  writeSignatures(writer, receipt.signatures);
  writer.hex32(receipt.session).uint(receipt.number).hex32(receipt.requestDigest);
  writeResults(writer, receipt.results);
  writePath(writer, receipt.path);
}
export function readReceipt(reader: Reader, field: string): Receipt {
  reader.enterType(field, RECEIPT, 8);
  const receipt: Receipt = {
    statement: readStatement(reader),
    signatures: readSignatures(reader, "signatures"),
    session: reader.hex32("session"),
    number: reader.counter("number"),
    requestDigest: reader.hex32("requestDigest"),
    results: readResults(reader),
    path: readPath(reader),
  };
  reader.leave();
  return receipt;
}
