import type { Limits } from "./genesis.ts";
import type { SequenceNumber } from "./ids.ts";
import { FAILURE_MESSAGE_BYTES_MAX } from "./outputs.ts";

/** Pages and lists of values that one request may ask for: all children of an inner page. */
export const FETCH_STATE_ITEMS_MAX = 256;
/** The longest prefix of a path: the byte of the part and a digest. */
export const STATE_PREFIX_BYTES_MAX = 33;
/** The most leaves of a bucket: the values that one item can ask for. */
export const STATE_BUCKET_VALUES_MAX = 64;
/** The most values that one request can ask for, and one chunk can have: those of so many buckets. */
export const FETCH_STATE_VALUES_MAX: number = FETCH_STATE_ITEMS_MAX * STATE_BUCKET_VALUES_MAX;
/** What a chunk has at most unless one single item is larger. */
export const STATE_CHUNK_BYTES: number = 256 * 1024;

/** One thing to fetch of the state at a checkpoint. */
export type FetchStateItem =
  /** The page of the tree at a prefix of paths. */
  | { readonly type: "page"; readonly prefix: Uint8Array }
  /** The page at a prefix and, if it is a bucket, all its values: for who has nothing there. */
  | { readonly type: "whole"; readonly prefix: Uint8Array }
  /** Values of leaves of the bucket at a prefix, by their places in it, ascending; at least one. */
  | { readonly type: "values"; readonly prefix: Uint8Array; readonly indexes: readonly number[] };

/** Asks for parts of the state at a checkpoint (protocol rule 10.1). Not signed: a link is authenticated. */
export interface FetchState {
  /** Comes back in the chunk, so that an answer finds its request whatever was lost before it. */
  readonly request: number;
  readonly seq: SequenceNumber;
  /** The most content that the answer may have. */
  readonly bytesMax: number;
  /** The answer may be a `DeflatedChunk`. */
  readonly takesDeflated: boolean;
  readonly items: readonly FetchStateItem[];
}

/** What is there for one item of a request. */
export type StateChunkItem =
  /** The donor has it not, or not undamaged. */
  | { readonly type: "missing" }
  /** As it is packed for the way. */
  | { readonly type: "page"; readonly page: Uint8Array }
  /**
   * A bucket with all its values but for those that are missing: their places, ascending. Whoever asks for a whole page gets
   * a `page` where that is an inner page, or where all of it is more than the request allows.
   */
  | {
      readonly type: "whole";
      readonly page: Uint8Array;
      readonly values: readonly Uint8Array[];
      readonly missing: readonly number[];
    }
  /**
   * Values in the order asked, but for those that are missing: their places among the answered ones, ascending. Fewer than
   * asked only in the last item of a chunk.
   */
  | { readonly type: "values"; readonly values: readonly Uint8Array[]; readonly missing: readonly number[] };

/** Answers the first items of a request, as many as fit. Proves itself: by the digests above, up to a certificate. */
export interface StateChunk {
  readonly request: number;
  readonly seq: SequenceNumber;
  readonly items: readonly StateChunkItem[];
  /** The bytes of the first page, whole page or value that did not fit; 0 when everything that was asked for is answered. */
  readonly left: number;
}

/** A chunk in fewer bytes. What is in it is judged as if it had come by itself. */
export interface DeflatedChunk {
  readonly request: number;
  readonly seq: SequenceNumber;
  /** The bytes of the frame that is in it. */
  readonly length: number;
  /** The whole frame of the `StateChunk` in raw deflate (RFC 1951). Fewer bytes than `length`. */
  readonly deflated: Uint8Array;
}

/** The donor does not keep that checkpoint. */
export interface StateUnavailable {
  readonly seq: SequenceNumber;
  /** The donor's last stable checkpoint. */
  readonly stable: SequenceNumber;
}

/** The bytes of pages and values, which are what a budget is about; the number of items is bounded apart from it. */
export function contentBytes(items: readonly StateChunkItem[]): number {
  let bytes = 0;
  for (const item of items) {
    if (item.type === "page" || item.type === "whole") bytes += item.page.length;
    if (item.type === "values" || item.type === "whole") for (const value of item.values) bytes += value.length;
  }
  return bytes;
}

/**
 * The most content of any chunk. A value of the service has at most `requestBytesMax` bytes; one that remembers a reply has its
 * results, each with a head, behind numbers and digests.
 */
export function stateChunkBytesMax({
  requestBytesMax,
  requestOperationsMax,
  resultBytesMax,
}: Pick<Limits, "requestBytesMax" | "requestOperationsMax" | "resultBytesMax">): number {
  const replyBytesMax = resultBytesMax + requestOperationsMax * (FAILURE_MESSAGE_BYTES_MAX + RESULT_HEAD_BYTES);
  return Math.max(STATE_CHUNK_BYTES, requestBytesMax, REPLY_HEAD_BYTES + replyBytesMax);
}

const RESULT_HEAD_BYTES = 5;
const REPLY_HEAD_BYTES = 128;
