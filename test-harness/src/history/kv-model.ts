import { assertNever } from "@quorate/protocol";
import type { KvAnswer, KvRequest, KvText } from "./history-operation.ts";

const DECIMAL = /^(?:0|-?[1-9][0-9]{0,18})$/;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** What one key holds after an operation, and what the operation must answer. */
export interface ModelStep {
  readonly state: KvText;
  readonly answer: KvAnswer;
}

/**
 * The key-value service for one key, written a second time and independently: what it checks is not what it is checked
 * with. The limits for sizes are left out; a history has no operations that are refused for theirs.
 */
export function stepModel(state: KvText, request: KvRequest): ModelStep {
  switch (request.op) {
    case "get":
      return { state, answer: { type: "value", value: state } };
    case "put":
      return { state: request.value, answer: { type: "existed", existed: state !== null } };
    case "del":
      return { state: null, answer: { type: "existed", existed: state !== null } };
    case "cas": {
      const swapped = state === request.expect;
      const current = swapped ? request.value : state;
      return { state: current, answer: { type: "swapped", swapped, current } };
    }
    case "incr": {
      const sum = sumOf(state, request.value);
      if (sum === undefined) return { state, answer: { type: "failed" } };
      return { state: sum.toString(), answer: { type: "sum", sum } };
    }
    default:
      return assertNever(request);
  }
}

/** Whether this answer says by itself that nothing was changed, whatever the state was. */
export function isReadOnly(request: KvRequest, answer: KvAnswer | undefined): boolean {
  if (request.op === "get" || answer?.type === "failed") return true;
  if (answer?.type === "swapped") return !answer.swapped;
  return request.op === "del" && answer?.type === "existed" && !answer.existed;
}

/** Whether two answers are the same. */
export function isSameAnswer(a: KvAnswer, b: KvAnswer): boolean {
  switch (a.type) {
    case "value":
      return b.type === "value" && a.value === b.value;
    case "existed":
      return b.type === "existed" && a.existed === b.existed;
    case "swapped":
      return b.type === "swapped" && a.swapped === b.swapped && a.current === b.current;
    case "sum":
      return b.type === "sum" && a.sum === b.sum;
    case "failed":
      return b.type === "failed";
    default:
      return assertNever(a);
  }
}

function sumOf(state: KvText, by: bigint): bigint | undefined {
  const text = state ?? "0";
  if (!DECIMAL.test(text)) return undefined;
  const [value, sum] = [BigInt(text), BigInt(text) + by];
  const isWithin = (number: bigint): boolean => number >= INT64_MIN && number <= INT64_MAX;
  return isWithin(value) && isWithin(sum) ? sum : undefined;
}
