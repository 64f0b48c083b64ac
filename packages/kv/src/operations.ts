/** Reads the value at a key. */
export interface GetOperation {
  readonly type: "get";
  readonly key: Uint8Array;
}
/** Sets the value at a key. */
export interface PutOperation {
  readonly type: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}
/** Removes a key. */
export interface DeleteOperation {
  readonly type: "delete";
  readonly key: Uint8Array;
}
/** Sets the value to `next` if it is `expected`; `undefined` stands for an absent key on either side. */
export interface CompareAndSwapOperation {
  readonly type: "compare-and-swap";
  readonly key: Uint8Array;
  readonly expected: Uint8Array | undefined;
  readonly next: Uint8Array | undefined;
}
/**
 * Adds to a signed 64-bit integer, which is stored as decimal text so that `get` and `put` can read and set it. An absent
 * key counts as 0. Fails if the value is not such a number or the sum would leave the 64 bits.
 */
export interface IncrementOperation {
  readonly type: "increment";
  readonly key: Uint8Array;
  readonly by: bigint;
}
/**
 * Reads entries with `from ≤ key < to` in the order of their bytes; `to` undefined means to the end. At most `limit`
 * entries, fewer where their bytes would be too many: go on at `next`.
 */
export interface RangeOperation {
  readonly type: "range";
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
  readonly limit: number;
}

/** What the key-value store can be asked to do. */
export type KvOperation =
  | GetOperation
  | PutOperation
  | DeleteOperation
  | CompareAndSwapOperation
  | IncrementOperation
  | RangeOperation;
export type KvOperationType = KvOperation["type"];

/** A key and its value. */
export interface KvEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What each operation returns. */
export interface KvResults {
  readonly get: { readonly value: Uint8Array | undefined };
  /** `replaced`: there was a value before. */
  readonly put: { readonly replaced: boolean };
  /** `deleted`: there was one. */
  readonly delete: { readonly deleted: boolean };
  /** `current`: the value after the operation, whether it swapped or not. */
  readonly "compare-and-swap": { readonly swapped: boolean; readonly current: Uint8Array | undefined };
  /** `value`: the number after the operation. */
  readonly increment: { readonly value: bigint };
  /** `next`: where the range goes on, if it was cut short. */
  readonly range: { readonly entries: readonly KvEntry[]; readonly next: Uint8Array | undefined };
}

/** What the operation `O` returns. */
export type KvResult<O extends Pick<KvOperation, "type">> = KvResults[O["type"]];

/** The least and the greatest value of a number that `increment` works on. */
export const INT64_MIN: bigint = -(2n ** 63n);
export const INT64_MAX: bigint = 2n ** 63n - 1n;

/**
 * The range of all keys that start with `prefix`: the smallest key after them is the prefix with its last byte counted up;
 * bytes that cannot be are dropped first.
 */
export function prefixRange(prefix: Uint8Array): Pick<RangeOperation, "from" | "to"> {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return { from: prefix, to: undefined };
  const to = prefix.slice(0, length);
  to[length - 1] = (prefix[length - 1] ?? 0) + 1;
  return { from: prefix, to };
}
