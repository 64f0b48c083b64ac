import { REPLICA_ID_MAX, type ReplicaId, readHex32 } from "@quorate/protocol";
import type { DecodeError, DecodeErrorCode } from "./decode-error.ts";
import type { WireLimits } from "./wire-limits.ts";

/** The kinds of items: the upper three bits of a header. */
const UINT = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
/** Stands for a header where the bytes end: the kind of floats, which no place asks for. */
const NOTHING = 0xff;

const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
const NO_BYTES = new Uint8Array(0);
const NO_HASH = "00".repeat(HASH_SIZE);

/** The name of a field, or its number in a list. */
type Field = string | number;

/**
 * Reads the fields of a value in the order of the wire, from bytes that have passed the pre-scan, without building
 * anything in between. Reads never throw: the first wrong field is noted as `error`, from then on everything reads as
 * zero or empty, and the value built from it is thrown away at the end. So readers stay straight lines.
 */
export class Reader {
  readonly limits: WireLimits;
  #bytes: Uint8Array = NO_BYTES;
  /** Where it stands; spelled out only for an error. */
  readonly #places: Field[] = [];
  #depth = 0;
  #at = 0;
  /** The elements of the array that was entered last. */
  #entered = 0;
  #error: DecodeError | undefined;

  constructor(limits: WireLimits) {
    this.limits = limits;
  }

  /** Starts on other bytes: a plain view, for a Buffer would give Buffers. */
  restart(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#error = undefined;
    this.#depth = 0;
  }

  /** The first thing that was wrong. Later faults follow from it and are not kept. */
  get error(): DecodeError | undefined {
    return this.#error;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Enters an array of exactly `length` fields; `leave` when they are read. */
  enter(field: Field, length: number): void {
    this.#enter(field);
    this.shape(length);
  }

  /** Enters an array whose first field, which is read, says what the others are; `shape` has to follow. */
  enterTyped(field: Field): number {
    this.#enter(field);
    const length = this.#entered;
    if (length === 0) this.fault("wrong-length", "type", "a type number", "an empty array");
    return this.uint("type");
  }

  /** As `enter`, of an array that starts with this type number. */
  enterType(field: Field, type: number, length: number): void {
    const found = this.enterTyped(field);
    if (found !== type) this.fault("unknown-type", "type", `${type}`, `${found}`);
    this.shape(length);
  }

  /** Demands that the array that was entered last has exactly `length` fields. */
  shape(length: number): void {
    if (this.#entered !== length)
      this.#fault("wrong-length", this.#here().join("."), `${length} fields`, `${this.#entered}`);
  }

  leave(): void {
    this.#depth--;
  }

  fault(code: DecodeErrorCode, field: Field, expected: string, got: string): void {
    // Spelled out only for the first: what a sender can make happen thousands of times in one frame must stay cheap.
    if (this.#error === undefined) this.#fault(code, [...this.#here(), field].join("."), expected, got);
  }

  /** An unsigned integer of at most `max`, by default any counter. */
  uint(field: Field, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#argument(UINT, field);
    if (value <= max) return value;
    this.fault("out-of-range", field, `at most ${max}`, `${value}`);
    return 0;
  }

  /** A counter of a branded type; the pre-scan has shown that it is below 2^53. */
  counter<T extends number>(field: Field): T {
    return this.#argument(UINT, field) as T;
  }

  replica(field: Field): ReplicaId {
    return this.uint(field, REPLICA_ID_MAX) as ReplicaId;
  }

  /** 32 bytes, given as 64 lower-case hex digits. */
  hex32<T extends string>(field: Field): T {
    if (!this.#fixed(field, HASH_SIZE)) return NO_HASH as T;
    const hex = readHex32(this.#bytes, this.#at);
    this.#at += HASH_SIZE;
    return hex as T;
  }

  /** 64 bytes of signature. */
  signature(field: Field): Uint8Array {
    return this.#fixed(field, SIGNATURE_SIZE) ? this.#copy(SIGNATURE_SIZE) : NO_BYTES;
  }

  /** A byte string of any length, copied. */
  bytes(field: Field): Uint8Array {
    return this.#copy(this.#argument(BYTES, field));
  }

  /** Every element of a list of `min` to `max`, read in order; nothing is read of a list of another length. */
  list<T>(field: Field, min: number, max: number, read: (reader: Reader, index: number) => T): T[] {
    const length = this.#argument(ARRAY, field);
    if (length > max) this.fault("too-many", field, `${min} to ${max} elements`, `${length} elements`);
    else if (length < min) this.fault("wrong-length", field, `${min} to ${max} elements`, `${length} elements`);
    this.#places[this.#depth++] = field;
    const values: T[] = [];
    for (let i = 0; i < length && this.#error === undefined; i++) values.push(read(this, i));
    this.#depth--;
    return values;
  }

  #enter(field: Field): void {
    this.#entered = this.#argument(ARRAY, field);
    this.#places[this.#depth++] = field;
  }

  #fixed(field: Field, size: number): boolean {
    const length = this.#argument(BYTES, field);
    if (length === size) return true;
    this.fault("wrong-length", field, `${size} bytes`, `${length} bytes`);
    return false;
  }

  #copy(size: number): Uint8Array {
    const start = this.#at;
    this.#at += size;
    return this.#bytes.slice(start, this.#at);
  }

  /** The integer, length or number of elements in the header of an item of this kind; 0 for another kind. */
  #argument(major: number, field: Field): number {
    const initial = this.#bytes[this.#at] ?? NOTHING;
    if (initial >> 5 !== major) {
      this.fault("wrong-type", field, EXPECTED[major] ?? "", this.#kind());
      return 0;
    }
    this.#at++;
    const short = initial & 31;
    return short < 24 ? short : this.#unsigned(1 << (short - 24));
  }

  #unsigned(width: number): number {
    let value = 0;
    for (let left = width; left > 0; left--) value = value * 0x100 + (this.#bytes[this.#at++] ?? 0);
    return value;
  }

  /** What stands here, in words. */
  #kind(): string {
    const major = (this.#bytes[this.#at] ?? NOTHING) >> 5;
    if (major === UINT || major === TEXT) return major === UINT ? "an unsigned integer" : "text";
    if (major !== BYTES && major !== ARRAY) return "nothing";
    const argument = this.#argument(major, "");
    return major === BYTES ? `${argument} bytes` : `an array of ${argument}`;
  }

  #here(): Field[] {
    return this.#places.slice(0, this.#depth);
  }

  #fault(code: DecodeErrorCode, path: string, expected: string, got: string): void {
    if (this.#error !== undefined) return;
    this.#error = { code, path, expected, got };
    // Whatever is asked for next is not there.
    this.#at = this.#bytes.length;
  }
}

const EXPECTED: readonly (string | undefined)[] = [
  "an unsigned integer",
  undefined,
  "a byte string",
  undefined,
  "an array",
];
