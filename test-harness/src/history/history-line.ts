import { assertNever } from "@quorate/protocol";
import type { HistoryOperation, KvAnswer, KvRequest, KvText } from "./history-operation.ts";

/** A line of a history file says something else than a call; the message tells which line, and what was expected. */
export class HistoryLineError extends Error {
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.name = "HistoryLineError";
  }
}

/**
 * One call as a line of a history file, without its line end: an object with `client`, `op` (get, put, del, cas or incr),
 * `key`, `value` (put: text; cas: text or null; incr: a whole number), `expect` (cas), `out`, `call_ns`, `return_ns`. `out`
 * is of get the text or null, of put and del whether there was a value, of cas `{"swapped", "current"}`, of incr the sum,
 * and `{"failed": true}` for what the service refused. Without an answer `return_ns` is null. Whole numbers beyond what
 * JSON numbers hold are text.
 */
export function formatHistoryLine({ client, key, request, answer, callNs, returnNs }: HistoryOperation): string {
  const asked = "value" in request ? { value: jsonOf(request.value) } : {};
  const expected = request.op === "cas" ? { expect: request.expect } : {};
  const out = answer === undefined ? null : outOf(answer);
  return JSON.stringify({
    client,
    op: request.op,
    key,
    ...asked,
    ...expected,
    out,
    call_ns: callNs,
    return_ns: returnNs ?? null,
  });
}

/**
 * Reads the lines of a history file; empty ones are skipped.
 *
 * @throws HistoryLineError
 */
export function parseHistory(text: string): readonly HistoryOperation[] {
  return text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parseHistoryLine(line, i + 1)]));
}

function parseHistoryLine(text: string, line: number): HistoryOperation {
  const reader = new LineReader(text, line);
  const request = requestOf(reader);
  const callNs = reader.wholeNumber("call_ns");
  const isAnswered = reader.field("return_ns") !== null;
  const returnNs = isAnswered ? reader.wholeNumber("return_ns") : undefined;
  if (returnNs !== undefined && returnNs < callNs)
    throw reader.error(`return_ns is ${returnNs}, expected at least call_ns, ${callNs}, or null`);
  const answer = isAnswered ? answerOf(reader, request.op) : undefined;
  return { client: reader.wholeNumber("client"), key: reader.text("key"), request, answer, callNs, returnNs };
}

function requestOf(reader: LineReader): KvRequest {
  const op = reader.text("op");
  switch (op) {
    case "get":
    case "del":
      return { op };
    case "put":
      return { op, value: reader.text("value") };
    case "cas":
      return { op, expect: reader.textOrNull("expect"), value: reader.textOrNull("value") };
    case "incr":
      return { op, value: reader.bigInteger("value") };
    default:
      throw reader.error(`op is "${op}", expected get, put, del, cas or incr`);
  }
}

function answerOf(reader: LineReader, op: KvRequest["op"]): KvAnswer {
  const out = reader.field("out");
  const { failed, swapped, current }: { failed?: unknown; swapped?: unknown; current?: unknown } = isObject(out)
    ? out
    : {};
  if (failed === true) return { type: "failed" };
  switch (op) {
    case "get":
      return { type: "value", value: reader.textOrNull("out") };
    case "put":
    case "del":
      if (typeof out === "boolean") return { type: "existed", existed: out };
      break;
    case "cas":
      if (typeof swapped === "boolean" && isText(current)) return { type: "swapped", swapped, current };
      break;
    case "incr":
      return { type: "sum", sum: reader.bigInteger("out") };
    default:
      return assertNever(op);
  }
  const expected = op === "cas" ? '{"swapped":true,"current":"text or null"}' : "true or false";
  throw reader.error(`out of ${op} is ${JSON.stringify(out)}, expected ${expected}`);
}

/** Reads the fields of one line, strictly. */
class LineReader {
  readonly #line: number;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(text: string, line: number) {
    this.#line = line;
    let fields: unknown;
    try {
      fields = JSON.parse(text);
    } catch {
      throw this.error("this is not JSON, expected one JSON object");
    }
    if (!isObject(fields)) throw this.error("expected a JSON object");
    this.#fields = fields;
  }

  error(message: string): HistoryLineError {
    return new HistoryLineError(this.#line, message);
  }

  field(name: string): unknown {
    return this.#fields[name];
  }

  text(name: string): string {
    const value = this.field(name);
    if (typeof value !== "string") throw this.#unexpected(name, "text");
    return value;
  }

  textOrNull(name: string): KvText {
    const value = this.field(name);
    if (!isText(value)) throw this.#unexpected(name, "text or null");
    return value;
  }

  wholeNumber(name: string): number {
    const value = this.field(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw this.#unexpected(name, "a whole number");
    return value;
  }

  bigInteger(name: string): bigint {
    const value = this.field(name);
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
    throw this.#unexpected(name, "a whole number, or one as text");
  }

  #unexpected(name: string, expected: string): HistoryLineError {
    return this.error(`${name} is ${JSON.stringify(this.field(name)) ?? "missing"}, expected ${expected}`);
  }
}

function outOf(answer: KvAnswer): unknown {
  switch (answer.type) {
    case "value":
      return answer.value;
    case "existed":
      return answer.existed;
    case "swapped":
      return { swapped: answer.swapped, current: answer.current };
    case "sum":
      return jsonOf(answer.sum);
    case "failed":
      return { failed: true };
    default:
      return assertNever(answer);
  }
}

function jsonOf(value: KvText | bigint): string | number | null {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is KvText {
  return value === null || typeof value === "string";
}
