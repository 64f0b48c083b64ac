/**
 * Every way to change one field of a value: a counter up by one, a digest in its first digit, a flag to its opposite, a
 * byte string in each of its ends and in its length, a list without its last element. Names of types are left alone.
 */
export function alterationsOf<T>(value: T, path = ""): readonly { readonly path: string; readonly altered: T }[] {
  return [...alterations(value, path)].map(([where, altered]) => ({ path: where, altered: altered as T }));
}

function* alterations(value: unknown, path: string): Generator<[string, unknown]> {
  if (typeof value === "number") yield [path, value + 1];
  else if (typeof value === "boolean") yield [path, !value];
  else if (typeof value === "string") yield* alteredDigest(value, path);
  else if (value instanceof Uint8Array) yield* alteredBytes(value, path);
  else if (Array.isArray(value)) yield* alteredList(value, path);
  else if (typeof value === "object" && value !== null) yield* alteredFields(value, path);
}

function* alteredList(value: readonly unknown[], path: string): Generator<[string, unknown]> {
  if (value.length > 0) yield [`${path}.length`, value.slice(0, -1)];
  for (const [i, element] of value.entries())
    for (const [where, altered] of alterations(element, `${path}[${i}]`)) yield [where, value.with(i, altered)];
}

function* alteredFields(value: object, path: string): Generator<[string, unknown]> {
  for (const [key, field] of Object.entries(value))
    for (const [where, altered] of alterations(field, `${path}.${key}`)) yield [where, { ...value, [key]: altered }];
}

function* alteredDigest(value: string, path: string): Generator<[string, unknown]> {
  if (/^[0-9a-f]{64}$/.test(value)) yield [path, (value.startsWith("0") ? "1" : "0") + value.slice(1)];
}

function* alteredBytes(value: Uint8Array, path: string): Generator<[string, unknown]> {
  if (value.length > 0) {
    yield [`${path}[first]`, value.with(0, value[0]! ^ 1)];
    yield [`${path}[last]`, value.with(-1, value.at(-1)! ^ 1)];
    yield [`${path}.shorter`, value.slice(0, -1)];
  }
  yield [`${path}.longer`, Uint8Array.of(...value, 0)];
}
