import { decodeKvResult, type KvOperation } from "@quorate/kv";
import type { OperationResult } from "@quorate/protocol";
import type { KvAnswer, KvRequest, KvText } from "./history-operation.ts";

/** The key and what was asked of it; undefined for a range, which is of many keys. */
export function requestOfOperation(
  operation: KvOperation,
): { readonly key: string; readonly request: KvRequest } | undefined {
  switch (operation.type) {
    case "get":
      return { key: textOf(operation.key), request: { op: "get" } };
    case "put":
      return { key: textOf(operation.key), request: { op: "put", value: textOf(operation.value) } };
    case "delete":
      return { key: textOf(operation.key), request: { op: "del" } };
    case "compare-and-swap": {
      const { key, expected, next } = operation;
      return {
        key: textOf(key),
        request: { op: "cas", expect: optionalTextOf(expected), value: optionalTextOf(next) },
      };
    }
    case "increment":
      return { key: textOf(operation.key), request: { op: "incr", value: operation.by } };
    case "range":
      return undefined;
  }
}

/** What the result of such an operation says. */
export function answerOfResult(op: KvRequest["op"], { status, value }: OperationResult): KvAnswer {
  if (status === "failed") return { type: "failed" };
  switch (op) {
    case "get":
      return { type: "value", value: optionalTextOf(decodeKvResult({ type: "get" }, value).value) };
    case "put":
      return { type: "existed", existed: decodeKvResult({ type: "put" }, value).replaced };
    case "del":
      return { type: "existed", existed: decodeKvResult({ type: "delete" }, value).deleted };
    case "cas": {
      const { swapped, current } = decodeKvResult({ type: "compare-and-swap" }, value);
      return { type: "swapped", swapped, current: optionalTextOf(current) };
    }
    case "incr":
      return { type: "sum", sum: decodeKvResult({ type: "increment" }, value).value };
  }
}

/** One character a byte: different bytes are different texts, and ASCII stays readable. */
function textOf(bytes: Uint8Array): string {
  return bytes.reduce((text, byte) => text + String.fromCharCode(byte), "");
}

function optionalTextOf(bytes: Uint8Array | undefined): KvText {
  return bytes === undefined ? null : textOf(bytes);
}
