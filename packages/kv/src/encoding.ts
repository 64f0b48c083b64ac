/**
 * The bytes of operations and results: a version, a code, then fixed fields. Lengths and counts are four bytes
 * big-endian, an optional value starts with a byte 0 or 1, numbers are signed 64-bit. One value has one encoding.
 */
import { assertNever, PreimageWriter } from "@quorate/protocol";
import { KvError } from "./kv-error.ts";
import {
  INT64_MAX,
  INT64_MIN,
  type KvEntry,
  type KvOperation,
  type KvOperationType,
  type KvResult,
  type KvResults,
} from "./operations.ts";
import { WireReader } from "./wire-reader.ts";

/** The first byte of every operation and result. */
export const KV_FORMAT_VERSION = 1;

const CODES: Readonly<Record<KvOperationType, number>> = {
  get: 1,
  put: 2,
  delete: 3,
  "compare-and-swap": 4,
  increment: 5,
  range: 6,
};
const UINT32_MAX = 0xffff_ffff;
const HEAD = 2;

/**
 * The bytes of an operation, for a client to send. Whether it keeps to the cluster's limits is judged there.
 *
 * @throws KvError for a number outside 64 bits or a limit that is not an unsigned 32-bit integer.
 */
export function encodeKvOperation(operation: KvOperation): Uint8Array {
  switch (operation.type) {
    case "get":
    case "delete":
      return head(operation.type, size(operation.key)).sized(operation.key).finish();
    case "put": {
      const { key, value } = operation;
      return head("put", size(key) + size(value))
        .sized(key)
        .sized(value)
        .finish();
    }
    case "compare-and-swap": {
      const { key, expected, next } = operation;
      const writer = head("compare-and-swap", size(key) + optionalSize(expected) + optionalSize(next)).sized(key);
      return optional(optional(writer, expected), next).finish();
    }
    case "increment":
      return head("increment", size(operation.key) + 8)
        .sized(operation.key)
        .raw(int64(operation.by))
        .finish();
    case "range": {
      const { from, to, limit } = operation;
      if (!Number.isInteger(limit) || limit < 0 || limit > UINT32_MAX)
        throw new KvError("kv.range-limit", `the limit of a range is ${limit}, expected an integer of at least 1`);
      return optional(head("range", size(from) + optionalSize(to) + 4).sized(from), to)
        .u32(limit)
        .finish();
    }
    default:
      return assertNever(operation);
  }
}

/**
 * Reads an operation, strictly.
 *
 * @throws KvError `kv.malformed` for bytes that `encodeKvOperation` does not make.
 */
export function decodeKvOperation(bytes: Uint8Array): KvOperation {
  const reader = new WireReader("operation", bytes);
  readVersion(reader);
  const operation = readOperation(reader);
  reader.finish();
  return operation;
}

/** The bytes of the result of an operation of this type. */
export function encodeKvResult<T extends KvOperationType>(type: T, result: KvResults[T]): Uint8Array {
  return WRITE_RESULT[type](result);
}

/**
 * Reads the result of `operation`, which the client knows.
 *
 * @throws KvError `kv.malformed` for bytes that are no such result: the cluster runs another version of the service.
 */
export function decodeKvResult<O extends Pick<KvOperation, "type">>(operation: O, bytes: Uint8Array): KvResult<O> {
  const reader = new WireReader("result", bytes);
  readVersion(reader);
  const code = reader.u8();
  const expected = CODES[operation.type];
  if (code !== expected) throw reader.malformed(`expected code ${expected} (${operation.type}), found ${code}`);
  const type: O["type"] = operation.type;
  const result = READ_RESULT[type](reader);
  reader.finish();
  return result;
}

function readOperation(reader: WireReader): KvOperation {
  const code = reader.u8();
  switch (code) {
    case CODES.get:
      return { type: "get", key: reader.sized() };
    case CODES.put:
      return { type: "put", key: reader.sized(), value: reader.sized() };
    case CODES.delete:
      return { type: "delete", key: reader.sized() };
    case CODES["compare-and-swap"]:
      return { type: "compare-and-swap", key: reader.sized(), expected: reader.optional(), next: reader.optional() };
    case CODES.increment:
      return { type: "increment", key: reader.sized(), by: reader.int64() };
    case CODES.range:
      return { type: "range", from: reader.sized(), to: reader.optional(), limit: reader.u32() };
    default:
      throw reader.malformed(`unknown operation code ${code}`);
  }
}

function readVersion(reader: WireReader): void {
  const version = reader.u8();
  if (version !== KV_FORMAT_VERSION)
    throw reader.malformed(`expected format version ${KV_FORMAT_VERSION}, found ${version}`);
}

const WRITE_RESULT: { readonly [T in KvOperationType]: (result: KvResults[T]) => Uint8Array } = {
  get: ({ value }) => optional(head("get", optionalSize(value)), value).finish(),
  put: ({ replaced }) => head("put", 1).u8(Number(replaced)).finish(),
  delete: ({ deleted }) => head("delete", 1).u8(Number(deleted)).finish(),
  "compare-and-swap": ({ swapped, current }) =>
    optional(head("compare-and-swap", 1 + optionalSize(current)).u8(Number(swapped)), current).finish(),
  increment: ({ value }) => head("increment", 8).raw(int64(value)).finish(),
  range: ({ entries, next }) => {
    const bytes = entries.reduce((sum, { key, value }) => sum + size(key) + size(value), 0);
    const writer = head("range", 4 + bytes + optionalSize(next)).u32(entries.length);
    for (const { key, value } of entries) writer.sized(key).sized(value);
    return optional(writer, next).finish();
  },
};

const READ_RESULT: { readonly [T in KvOperationType]: (reader: WireReader) => KvResults[T] } = {
  get: (reader) => ({ value: reader.optional() }),
  put: (reader) => ({ replaced: reader.boolean() }),
  delete: (reader) => ({ deleted: reader.boolean() }),
  "compare-and-swap": (reader) => ({ swapped: reader.boolean(), current: reader.optional() }),
  increment: (reader) => ({ value: reader.int64() }),
  range: (reader) => {
    const entries: KvEntry[] = [];
    // Entry by entry: nothing is allocated on a claim of how many there are.
    for (let left = reader.u32(); left > 0; left--) entries.push({ key: reader.sized(), value: reader.sized() });
    return { entries, next: reader.optional() };
  },
};

function head(type: KvOperationType, bytes: number): PreimageWriter {
  return new PreimageWriter(HEAD + bytes).u8(KV_FORMAT_VERSION).u8(CODES[type]);
}
function size(bytes: Uint8Array): number {
  return 4 + bytes.length;
}
function optionalSize(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 1 : 1 + size(bytes);
}
function optional(writer: PreimageWriter, bytes: Uint8Array | undefined): PreimageWriter {
  return bytes === undefined ? writer.u8(0) : writer.u8(1).sized(bytes);
}
function int64(value: bigint): Uint8Array {
  if (value < INT64_MIN || value > INT64_MAX)
    throw new KvError("kv.overflow", `${value} does not fit a signed 64-bit integer`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}
