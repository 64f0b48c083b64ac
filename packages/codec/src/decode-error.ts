/** What is wrong with bytes from outside; append only. */
export type DecodeErrorCode =
  /** More bytes than the limit of this kind of frame, or more items than any legal frame has. */
  | "too-large"
  /** The bytes end before what they promise. */
  | "truncated"
  /** Bytes after the end of the value. */
  | "trailing-bytes"
  /** A map, float, tag, negative integer, simple value, indefinite length or reserved header. */
  | "forbidden-type"
  /** An integer or length that has a shorter encoding. */
  | "not-shortest"
  /** An integer or length of 2^53 or more. */
  | "integer-too-large"
  /** Arrays nested deeper than any legal frame. */
  | "too-deep"
  | "invalid-utf8"
  /** A field of another kind than its place asks for. */
  | "wrong-type"
  /** An array, digest or signature of another length than its place asks for. */
  | "wrong-length"
  /** A number beyond the bounds of its place. */
  | "out-of-range"
  /** A type number or status code that this version does not know. */
  | "unknown-type"
  /** A list that must ascend and does not. */
  | "not-ascending"
  /** A list, or a sum of lengths, above its limit. */
  | "too-many"
  /** Fields that contradict each other. */
  | "inconsistent"
  /** The CBOR decoder threw at what the pre-scan had taken. */
  | "undecodable";

/** Why bytes were refused: bad input from others is a value, counted by sender and code, and changes nothing. */
export interface DecodeError {
  readonly code: DecodeErrorCode;
  /** Where: `@offset` for the structure, otherwise the field, as in `pre-prepare.batch.requests.3.signature`. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** What decoding gives: the value, or the first thing that was wrong. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: DecodeError };

/** One line for people. */
export function describeDecodeError({ code, path, expected, got }: DecodeError): string {
  return `${code} at ${path}: expected ${expected}, got ${got}`;
}
