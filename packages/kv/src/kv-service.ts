import { assertNever, equalBytes, utf8 } from "@quorate/protocol";
import { type Service, STATE_KEY_BYTES_MAX, type StateStore } from "@quorate/state-machine";
import { decodeKvOperation, encodeKvResult } from "./encoding.ts";
import { KvError } from "./kv-error.ts";
import {
  INT64_MAX,
  INT64_MIN,
  type KvEntry,
  type KvOperation,
  type KvResults,
  type RangeOperation,
} from "./operations.ts";

/** Bounds of the key-value store; the same at every replica of a cluster. All are inclusive. */
export interface KvLimits {
  /** Bytes of a key, of which there is at least one. At most `STATE_KEY_BYTES_MAX`. */
  readonly keyBytesMax: number;
  /** Bytes of a value. Above the genesis limits for requests and results it has no effect. */
  readonly valueBytesMax: number;
  /** Entries that one range returns. */
  readonly rangeEntriesMax: number;
  /** Bytes of keys and values that one range returns, but for its first entry, which it always returns. */
  readonly rangeBytesMax: number;
}

export const DEFAULT_KV_LIMITS: KvLimits = {
  keyBytesMax: 512,
  valueBytesMax: 64 * 1024,
  rangeEntriesMax: 1000,
  rangeBytesMax: 256 * 1024,
};

/**
 * A replicated key-value store. Operations that it refuses fail with a message that says why; see `KvOperation` for what
 * each does.
 *
 * @throws KvError for limits outside of what the state can hold.
 */
export function kvService(limits: Partial<KvLimits> = {}): Service {
  const all = { ...DEFAULT_KV_LIMITS, ...limits };
  checkLimits(all);
  return {
    execute: (operation, state) => executeKv(decodeKvOperation(operation), state, all),
    // Whoever may have an operation executed may get any key by one.
    readable: () => true,
  };
}

function executeKv(operation: KvOperation, state: StateStore, limits: KvLimits): Uint8Array {
  checkOperation(operation, limits);
  switch (operation.type) {
    case "get":
      return encodeKvResult("get", { value: state.get(operation.key) });
    case "put": {
      const replaced = state.get(operation.key) !== undefined;
      state.put(operation.key, operation.value);
      return encodeKvResult("put", { replaced });
    }
    case "delete": {
      const deleted = state.get(operation.key) !== undefined;
      if (deleted) state.delete(operation.key);
      return encodeKvResult("delete", { deleted });
    }
    case "compare-and-swap": {
      const { key, expected, next } = operation;
      const current = state.get(key);
      const swapped = isSame(current, expected);
      if (swapped) set(state, key, next);
      return encodeKvResult("compare-and-swap", { swapped, current: swapped ? next : current });
    }
    case "increment": {
      const value = numberAt(state, operation.key) + operation.by;
      if (value < INT64_MIN || value > INT64_MAX)
        throw new KvError("kv.overflow", `adding ${operation.by} would leave the range of a signed 64-bit integer`);
      state.put(operation.key, utf8(value.toString()));
      return encodeKvResult("increment", { value });
    }
    case "range":
      return encodeKvResult("range", readRange(operation, state, limits));
    default:
      return assertNever(operation);
  }
}

function readRange({ from, to, limit }: RangeOperation, state: StateStore, limits: KvLimits): KvResults["range"] {
  const entries: KvEntry[] = [];
  let bytes = 0;
  for (const [key, value] of state.range(from, to)) {
    bytes += key.length + value.length;
    const isFull = entries.length > 0 && bytes > limits.rangeBytesMax;
    if (isFull || entries.length === limit) return { entries, next: key };
    entries.push({ key, value });
  }
  return { entries, next: undefined };
}

const DECIMAL = /^(?:0|-?[1-9][0-9]{0,18})$/;

/** The number stored at `key`: canonical decimal text, within 64 bits. */
function numberAt(state: StateStore, key: Uint8Array): bigint {
  const bytes = state.get(key);
  if (bytes === undefined) return 0n;
  const text = bytes.length <= 20 ? String.fromCharCode(...bytes) : "";
  const value = DECIMAL.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value < INT64_MIN || value > INT64_MAX)
    throw new KvError(
      "kv.not-a-number",
      "the value is not a signed 64-bit integer in decimal digits; put one or delete the key",
    );
  return value;
}

function set(state: StateStore, key: Uint8Array, value: Uint8Array | undefined): void {
  if (value === undefined) state.delete(key);
  else state.put(key, value);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function checkOperation(operation: KvOperation, limits: KvLimits): void {
  switch (operation.type) {
    case "put":
      checkKey(operation.key, limits);
      checkValue(operation.value, limits);
      break;
    case "compare-and-swap":
      checkKey(operation.key, limits);
      // `expected` is only compared, but nothing longer can be there.
      for (const value of [operation.expected, operation.next]) if (value !== undefined) checkValue(value, limits);
      break;
    case "range":
      for (const end of [operation.from, operation.to]) if (end !== undefined && end.length > 0) checkKey(end, limits);
      if (operation.limit < 1 || operation.limit > limits.rangeEntriesMax)
        throw new KvError(
          "kv.range-limit",
          `the limit of a range is ${operation.limit}, expected 1 to ${limits.rangeEntriesMax}`,
        );
      break;
    default:
      checkKey(operation.key, limits);
  }
}

function checkKey(key: Uint8Array, { keyBytesMax }: KvLimits): void {
  if (key.length < 1 || key.length > keyBytesMax)
    throw new KvError("kv.key-length", `a key has ${key.length} bytes, expected 1 to ${keyBytesMax}`);
}

function checkValue(value: Uint8Array, { valueBytesMax }: KvLimits): void {
  if (value.length > valueBytesMax)
    throw new KvError("kv.value-too-long", `a value has ${value.length} bytes, expected at most ${valueBytesMax}`);
}

function checkLimits(limits: KvLimits): void {
  const { keyBytesMax, rangeEntriesMax, rangeBytesMax, valueBytesMax } = limits;
  if (keyBytesMax < 1 || keyBytesMax > STATE_KEY_BYTES_MAX)
    throw new KvError("kv.key-length", `keyBytesMax is ${keyBytesMax}, expected 1 to ${STATE_KEY_BYTES_MAX}`);
  if (valueBytesMax < 0)
    throw new KvError("kv.value-too-long", `valueBytesMax is ${valueBytesMax}, expected at least 0`);
  if (rangeEntriesMax < 1 || rangeBytesMax < 1)
    throw new KvError("kv.range-limit", "rangeEntriesMax and rangeBytesMax must be at least 1");
}
