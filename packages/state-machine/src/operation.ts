import {
  copyBytes,
  type Digest,
  FAILURE_MESSAGE_BYTES_MAX,
  type Hasher,
  type OperationResult,
  operationSeedPreimage,
  type PublicKey,
  type SequenceNumber,
  type TimestampMs,
  utf8,
} from "@quorate/protocol";
import type { Overlay } from "./overlay.ts";
import type { ExecutionContext, Service } from "./service.ts";
import { StateView } from "./state-view.ts";

/** What the operations of a batch have in common. */
export interface OperationSurroundings {
  readonly service: Service;
  readonly overlay: Overlay;
  readonly hasher: Hasher;
  readonly seq: SequenceNumber;
  readonly timestampMs: TimestampMs;
  readonly batchSeed: Digest;
  readonly valueBytesMax: number;
}

/** One operation's place and sender. */
export interface OperationPlace {
  readonly client: PublicKey;
  readonly requestIndex: number;
  readonly operationIndex: number;
}

/** The context of one operation; its seed is computed when it is asked for, because most services never do. */
class OperationContext implements ExecutionContext {
  readonly seq: SequenceNumber;
  readonly timestampMs: TimestampMs;
  readonly client: PublicKey;
  readonly #surroundings: OperationSurroundings;
  readonly #place: OperationPlace;

  constructor(surroundings: OperationSurroundings, place: OperationPlace) {
    this.seq = surroundings.seq;
    this.timestampMs = surroundings.timestampMs;
    this.client = place.client;
    this.#surroundings = surroundings;
    this.#place = place;
  }

  get seed(): Digest {
    const { hasher, batchSeed } = this.#surroundings;
    return hasher.digest(operationSeedPreimage(batchSeed, this.#place.requestIndex, this.#place.operationIndex));
  }
}

/** What is left of the bytes that the `ok` results of one request share. */
export interface ResultBudget {
  readonly bytesLeft: number;
  readonly bytesMax: number;
}

/**
 * Runs one operation on the state. It has its effect and an `ok` result, or no effect at all: `failed`, or `postponed`
 * when its result would fit into a reply of its own but not into what is left of this one.
 *
 * @throws what the store threw, if it failed underneath: that is no property of the operation, which other replicas
 * will have executed.
 */
export function runOperation(
  surroundings: OperationSurroundings,
  place: OperationPlace,
  operation: Uint8Array,
  budget: ResultBudget,
): OperationResult {
  const { service, overlay } = surroundings;
  const mark = overlay.mark();
  const state = new StateView(overlay, surroundings.valueBytesMax);
  let result: OperationResult;
  try {
    // A copy each way: what the service does to its bytes later must not reach the batch or the reply.
    const value: unknown = service.execute(operation.slice(), state, new OperationContext(surroundings, place));
    result = judgeValue(value, budget);
  } catch (error) {
    result = failed(failureMessage(error));
  }
  state.close();
  if (overlay.failure !== undefined) throw overlay.failure.cause;
  if (result.status !== "ok") {
    overlay.rollback(mark);
    service.undo?.();
  }
  return result;
}

/** The result of an operation that did not run because the reply was full. */
export const POSTPONED: OperationResult = { status: "postponed", value: new Uint8Array(0) };

function judgeValue(value: unknown, { bytesLeft, bytesMax }: ResultBudget): OperationResult {
  if (!(value instanceof Uint8Array)) return failed("the service returned something that is not a Uint8Array");
  if (value.length > bytesMax)
    return failed(`the result has ${value.length} bytes, at most ${bytesMax} are allowed; ask for less at once`);
  if (value.length > bytesLeft) return POSTPONED;
  return { status: "ok", value: copyBytes(value) };
}

function failed(message: string): OperationResult {
  return { status: "failed", value: boundedUtf8(message) };
}

const LANGUAGE_ERRORS = [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

/** The message of the service's own error. The wording of the language's errors is the engine's: only their name. */
function failureMessage(error: unknown): string {
  if (!(error instanceof Error)) return "the service threw something that is not an Error";
  const language = LANGUAGE_ERRORS.find((type) => error instanceof type);
  if (language !== undefined) return `the service threw a ${language.name}`;
  try {
    return String(error.message);
  } catch {
    return "the service threw an error without a message";
  }
}

/** UTF-8 of `text`, cut between two characters. */
function boundedUtf8(text: string): Uint8Array {
  const bounded = text.slice(0, FAILURE_MESSAGE_BYTES_MAX).replace(/\p{Surrogate}/gu, "\ufffd");
  const bytes = utf8(bounded);
  if (bytes.length <= FAILURE_MESSAGE_BYTES_MAX) return bytes;
  let end = FAILURE_MESSAGE_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.slice(0, end);
}
