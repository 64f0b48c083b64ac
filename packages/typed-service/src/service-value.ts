import { bytesToHex, hexToBytes, isUtf8, utf8, utf8Text } from "@quorate/protocol";

/** What operations take and give, and what their state holds. An absent property and one that is undefined are the same. */
export type ServiceValue =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly ServiceValue[]
  | { readonly [key: string]: ServiceValue };

/** Values stand in each other so deep and no deeper. */
export const VALUE_DEPTH_MAX = 32;

/** Something is no `ServiceValue`, or bytes are none of one: what was expected, and what came. */
export class ServiceValueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ServiceValueError";
  }
}

/** The property by which a value that JSON has not is told. */
const TAG = "$";
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * A value as bytes: JSON with sorted keys, and an object with the property `$` for what that has not. Equal values have equal bytes, on
 * every machine. Negative zero is zero.
 *
 * @throws ServiceValueError for what is no value: a function, a class's object, NaN, half of a surrogate pair, a property named `$`.
 */
export function encodeValue(value: ServiceValue): Uint8Array {
  return utf8(JSON.stringify(toJson(value, "the value", 0)));
}

/**
 * Reads what `encodeValue` wrote, and nothing else: bytes that it would not have written are refused.
 *
 * @throws ServiceValueError
 */
export function decodeValue(bytes: Uint8Array): ServiceValue {
  if (!isUtf8(bytes, 0, bytes.length))
    throw new ServiceValueError("expected a value as JSON, got bytes that are no text");
  const text = utf8Text(bytes);
  // Before it is parsed: how deep a parser goes until it gives up differs between machines.
  if (depthOf(text) > 2 * VALUE_DEPTH_MAX) throw tooDeep();
  const value = fromJson(parsed(text));
  if (JSON.stringify(toJson(value, "the value", 0)) !== text)
    throw new ServiceValueError("expected a value in its one form (sorted keys, no spaces), got another form of it");
  return value;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

function toJson(value: unknown, at: string, depth: number): Json {
  switch (typeof value) {
    case "undefined":
      return { [TAG]: "undefined" };
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new ServiceValueError(`${at} is ${value}, expected a finite number`);
      return value;
    case "bigint":
      return { [TAG]: "bigint", of: `${value}` };
    case "string":
      return checkedText(value, at);
    case "object":
      return value === null ? null : objectToJson(value, at, depth + 1);
    default:
      throw new ServiceValueError(`${at} is a ${typeof value}, expected data`);
  }
}

function objectToJson(value: object, at: string, depth: number): Json {
  if (value instanceof Uint8Array) return { [TAG]: "bytes", of: bytesToHex(value) };
  if (depth > VALUE_DEPTH_MAX) throw tooDeep();
  if (Array.isArray(value)) return Array.from(value, (item: unknown, i) => toJson(item, `${at}[${i}]`, depth));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new ServiceValueError(`${at} is an object of a class, expected a plain one`);
  const json: Record<string, Json> = Object.create(null);
  for (const [key, item] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (key === TAG || key === "__proto__")
      throw new ServiceValueError(`${at} has a property named ${key}, expected another name`);
    if (item !== undefined) json[checkedText(key, at)] = toJson(item, `${at}.${key}`, depth);
  }
  return json;
}

function checkedText(text: string, at: string): string {
  if (LONE_SURROGATE.test(text))
    throw new ServiceValueError(`${at} has half of a surrogate pair, expected whole characters`);
  return text;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new ServiceValueError("expected a value as JSON, got what is none");
  }
}

function fromJson(json: Json): ServiceValue {
  if (typeof json !== "object" || json === null) return json;
  if (isList(json)) return json.map(fromJson);
  if (Object.hasOwn(json, TAG)) return untagged(json);
  const value: Record<string, ServiceValue> = {};
  for (const [key, item] of Object.entries(json))
    Object.defineProperty(value, key, { value: fromJson(item), enumerable: true, configurable: true, writable: true });
  return value;
}

function isList(json: readonly Json[] | { readonly [key: string]: Json }): json is readonly Json[] {
  return Array.isArray(json);
}

function untagged(json: { readonly [key: string]: Json }): ServiceValue {
  const { [TAG]: tag, of } = json;
  if (tag === "undefined") return undefined;
  if (tag === "bigint" && typeof of === "string" && /^-?[0-9]+$/.test(of)) return BigInt(of);
  if (tag === "bytes" && typeof of === "string" && /^([0-9a-f]{2})*$/.test(of)) return hexToBytes(of);
  throw new ServiceValueError(`expected "undefined", "bigint" or "bytes" behind ${TAG}, got something else`);
}

/** Of the brackets outside of texts. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*"?/gs, "").matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function tooDeep(): ServiceValueError {
  return new ServiceValueError(`expected values at most ${VALUE_DEPTH_MAX} deep in each other, got deeper ones`);
}
