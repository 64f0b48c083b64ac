import type { ServiceValue } from "./service-value.ts";

/** What an argument must be. Who sends an operation may send anything: this is where it becomes a `T`. */
export interface Parameter<T> {
  /** With its article. */
  readonly expected: string;
  readonly accepts: (value: ServiceValue) => boolean;
  /** Whether it may be left out. */
  readonly isOptional?: boolean;
  /** Of the type only: never there. */
  readonly type?: T;
}

/** A parameter that may be left out, and is undefined then. */
export interface OptionalParameter<T> extends Parameter<T | undefined> {
  readonly isOptional: true;
}

/** What a parameter lets through. */
export type ParameterType<P> = P extends Parameter<infer T> ? T : never;

/** Well-formed text. */
export const text: Parameter<string> = of("a text", (value) => typeof value === "string");
/** A whole number from -(2^53 - 1) to 2^53 - 1. */
export const integer: Parameter<number> = of("a whole number", (value) => Number.isSafeInteger(value));
/** Any finite number. */
export const finite: Parameter<number> = of("a number", (value) => typeof value === "number");
export const bigint: Parameter<bigint> = of("a bigint", (value) => typeof value === "bigint");
export const boolean: Parameter<boolean> = of("true or false", (value) => typeof value === "boolean");
export const bytes: Parameter<Uint8Array> = of("a Uint8Array", (value) => value instanceof Uint8Array);
/** Whatever an operation can take. */
export const anything: Parameter<ServiceValue> = of("a value", () => true);

/** One of these texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Parameter<T> {
  return of(texts.map((name) => JSON.stringify(name)).join(" or "), (value) => texts.some((name) => name === value));
}

export function optional<T>(parameter: Parameter<T>): OptionalParameter<T> {
  const accepts = (value: ServiceValue): boolean => value === undefined || parameter.accepts(value);
  return { expected: `${parameter.expected} or nothing`, accepts, isOptional: true };
}

export function listOf<T>(parameter: Parameter<T>): Parameter<readonly T[]> {
  return of(`a list, each ${parameter.expected}`, (value) => Array.isArray(value) && value.every(parameter.accepts));
}

/** An object with these properties and no others. */
export function record<const P extends Readonly<Record<string, Parameter<unknown>>>>(
  properties: P,
): Parameter<{ readonly [K in keyof P]: ParameterType<P[K]> }> {
  const names = Object.keys(properties);
  const all = names.map((name) => `${name}: ${properties[name]?.expected}`).join(", ");
  return of(`an object { ${all} }`, (value) => {
    if (!isObject(value) || Object.keys(value).some((name) => !Object.hasOwn(properties, name))) return false;
    return names.every(
      (name) => properties[name]?.accepts(Object.hasOwn(value, name) ? value[name] : undefined) === true,
    );
  });
}

function of<T>(expected: string, accepts: (value: ServiceValue) => boolean): Parameter<T> {
  return { expected, accepts };
}

function isObject(value: ServiceValue): value is { readonly [key: string]: ServiceValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
