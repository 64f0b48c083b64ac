import { bytesToHex, isUtf8, REPLICA_ID_MAX, type ReplicaId, utf8Text } from "@quorate/protocol";
import type { DecodeError, DecodeErrorCode } from "./decode-error.ts";
import type { WireLimits } from "./wire-limits.ts";

/** One decoding: its limits and the first thing that was wrong. Later faults follow from the first and are not kept. */
export class Decoding {
  readonly limits: WireLimits;
  #error: DecodeError | undefined;

  constructor(limits: WireLimits) {
    this.limits = limits;
  }

  get error(): DecodeError | undefined {
    return this.#error;
  }

  fault(code: DecodeErrorCode, path: string, expected: string, got: string): void {
    this.#error ??= { code, path, expected, got };
  }
}

/** Where a tuple stands; the path is spelled out only for an error. */
interface Place {
  readonly parent: Place | undefined;
  readonly name: string | number;
}

function pathOf(place: Place | undefined, field: string | number): string {
  let path = String(field);
  for (let at = place; at !== undefined; at = at.parent) path = `${at.name}.${path}`;
  return path;
}

const NOTHING: readonly unknown[] = [];
const NO_BYTES = new Uint8Array(0);

/**
 * A decoded array whose places have meanings. Reads never throw: a wrong field is noted in the `Decoding` and read as
 * zero or empty, and the value built from it is thrown away at the end. So readers stay straight lines.
 */
export class Tuple implements Place {
  readonly decoding: Decoding;
  readonly parent: Place | undefined;
  readonly name: string | number;
  readonly #values: readonly unknown[];

  constructor(decoding: Decoding, parent: Place | undefined, name: string | number, value: unknown) {
    this.decoding = decoding;
    this.parent = parent;
    this.name = name;
    if (Array.isArray(value)) this.#values = value;
    else {
      this.#values = NOTHING;
      decoding.fault("wrong-type", pathOf(parent, name), "an array", kindOf(value));
    }
  }

  get length(): number {
    return this.#values.length;
  }

  /** Demands exactly `length` places. */
  shape(length: number): this {
    if (this.#values.length !== length)
      this.decoding.fault("wrong-length", pathOf(this.parent, this.name), `${length} fields`, `${this.length}`);
    return this;
  }

  /** The type number in place 0, then exactly `length` places. */
  typed(type: number, length: number): this {
    const found = this.uint(0, "type");
    if (found !== type) this.fault("unknown-type", "type", `${type}`, `${found}`);
    return this.shape(length);
  }

  fault(code: DecodeErrorCode, field: string | number, expected: string, got: string): void {
    // Built only for the first fault: what a sender can make happen thousands of times in one frame must stay cheap.
    if (this.decoding.error === undefined) this.decoding.fault(code, pathOf(this, field), expected, got);
  }

  /** An unsigned integer of at most `max`, by default any counter. */
  uint(index: number, field: string | number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#values[index];
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number") {
      this.fault("wrong-type", field, "an unsigned integer", kindOf(value));
      return 0;
    }
    if (number > max) this.fault("out-of-range", field, `at most ${max}`, `${number}`);
    return number;
  }

  /** A counter of a branded type; the pre-scan has shown that it is below 2^53. */
  counter<T extends number>(index: number, field: string): T {
    return this.uint(index, field) as T;
  }

  replica(index: number, field: string | number): ReplicaId {
    return this.uint(index, field, REPLICA_ID_MAX) as ReplicaId;
  }

  /** 32 bytes, given as 64 lower-case hex digits. */
  hex32<T extends string>(index: number, field: string | number): T {
    return bytesToHex(this.#fixed(index, field, 32)) as T;
  }

  /** 64 bytes of signature. */
  signature(index: number, field: string | number): Uint8Array {
    return this.#fixed(index, field, 64);
  }

  bytes(index: number, field: string | number): Uint8Array {
    const value = this.#values[index];
    if (value instanceof Uint8Array) return value;
    this.fault("wrong-type", field, "a byte string", kindOf(value));
    return NO_BYTES;
  }

  /** A byte string of at least `min` and at most `max` bytes. */
  sized(index: number, field: string | number, min: number, max: number): Uint8Array {
    const value = this.bytes(index, field);
    if (value.length < min || value.length > max)
      this.fault(
        value.length > max ? "too-many" : "wrong-length",
        field,
        min === max ? `${min} bytes` : `${min} to ${max} bytes`,
        `${value.length} bytes`,
      );
    return value;
  }

  /** A byte string of at most `max` bytes that is text. */
  utf8(index: number, field: string | number, max: number): string {
    const value = this.sized(index, field, 0, max);
    if (isUtf8(value, 0, value.length)) return utf8Text(value);
    this.fault("invalid-utf8", field, "well-formed UTF-8", "other bytes");
    return "";
  }

  tuple(index: number, field: string | number): Tuple {
    return new Tuple(this.decoding, this, field, this.#values[index]);
  }

  /** Every element of a list of at most `max`, read in order; nothing is read of a list that is too long. */
  list<T>(index: number, field: string, max: number, read: (element: Tuple) => T): T[] {
    const list = this.bounded(index, field, 0, max);
    const values: T[] = [];
    for (let i = 0; i < list.length && this.decoding.error === undefined; i++) values.push(read(list.tuple(i, i)));
    return values;
  }

  /** A list of at least `min` and at most `max` elements; an empty one when it has another number. */
  bounded(index: number, field: string, min: number, max: number): Tuple {
    const list = this.tuple(index, field);
    if (list.length >= min && list.length <= max) return list;
    this.fault(
      list.length > max ? "too-many" : "wrong-length",
      field,
      `${min} to ${max} elements`,
      `${list.length} elements`,
    );
    return new Tuple(this.decoding, this, field, NOTHING);
  }

  #fixed(index: number, field: string | number, length: number): Uint8Array {
    const value = this.bytes(index, field);
    if (value.length !== length) this.fault("wrong-length", field, `${length} bytes`, `${value.length} bytes`);
    return value;
  }
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "string" ? "text" : "an unsigned integer";
}
