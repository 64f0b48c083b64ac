import type { Prng } from "../prng.ts";

/** What mutations may draw from. */
export interface MutationDraw {
  readonly prng: Prng;
}

/** One thing in a value that can be made wrong. */
export interface Mutation<T> {
  /** Where in the value: field names joined by points, `[]` for an element of a list; empty for the value itself. */
  readonly path: string;
  /** Another value; undefined when there is nothing to change here, as in an empty list. */
  mutate(value: T, draw: MutationDraw): T | undefined;
}
export type Mutations<T> = readonly Mutation<T>[];

type FieldOf<T> = Exclude<keyof T & string, "type">;
type TypeOf<T> = T extends { readonly type: infer K extends string } ? K : never;

/**
 * The mutations of an object, from those of each of its fields. The compiler demands them all: a field that somebody adds
 * to a message has to be listed here before anything builds.
 */
export function fields<T extends object>(table: { readonly [K in FieldOf<T>]-?: Mutations<T[K]> }): Mutations<T> {
  return (Object.keys(table) as FieldOf<T>[]).flatMap((name) =>
    table[name].map(({ path, mutate }) => ({
      path: joined(name, path),
      mutate: (value: T, draw: MutationDraw): T | undefined => {
        const changed = mutate(value[name], draw);
        return changed === undefined ? undefined : { ...value, [name]: changed };
      },
    })),
  );
}

/** The mutations of a union, from those of each of its types; the compiler demands them all. */
export function oneOf<T extends { readonly type: string }>(
  table: {
    readonly [K in TypeOf<T>]: Mutations<Extract<T, { readonly type: K }>>;
  },
): Mutations<T> {
  const entries = Object.entries(table) as [string, Mutations<T>][];
  return entries.flatMap(([type, mutations]) =>
    mutations.map(({ path, mutate }) => ({
      path: joined(type, path),
      mutate: (value: T, draw: MutationDraw): T | undefined => (value.type === type ? mutate(value, draw) : undefined),
    })),
  );
}

/** The mutations of what may be missing: nothing, while it is. */
export function optional<T>(mutations: Mutations<T>): Mutations<T | undefined> {
  return mutations.map(({ path, mutate }) => ({
    path,
    mutate: (value, draw) => (value === undefined ? undefined : mutate(value, draw)),
  }));
}

/** The mutations of a list: its length and order, and those of one of its elements. */
export function listOf<T>(element: Mutations<T>): Mutations<readonly T[]> {
  const ofOne = element.map(({ path, mutate }) => ({
    path: joined("[]", path),
    mutate: (list: readonly T[], draw: MutationDraw): readonly T[] | undefined => {
      const at = draw.prng.integer(0, Math.max(0, list.length - 1));
      const chosen = list[at];
      const changed = chosen === undefined ? undefined : mutate(chosen, draw);
      return changed === undefined ? undefined : list.with(at, changed);
    },
  }));
  return [{ path: "", mutate: rearranged }, ...ofOne];
}

/** Of places that are named in ascending order, most often none: with one more, without one, or another one. */
export function places(): Mutations<readonly number[]> {
  return leaf((value, prng) => {
    const place = prng.integer(0, NEAR);
    if (value.length === 0) return [place];
    return prng.pick([[...value, (value.at(-1) ?? 0) + 1 + place], value.slice(1), value.with(0, (value[0] ?? 0) + 1)]);
  });
}

/** Without one element, with one twice, with one in another place, or without any. */
function rearranged<T>(list: readonly T[], { prng }: MutationDraw): readonly T[] | undefined {
  const at = prng.integer(0, Math.max(0, list.length - 1));
  const chosen = list[at];
  if (chosen === undefined) return undefined;
  const rest = list.toSpliced(at, 1);
  const moved = at === rest.length ? [chosen, ...rest] : [...rest, chosen];
  return prng.pick([rest, list.toSpliced(at, 0, chosen), rest.length > 0 ? moved : [], []]);
}

/** `change` gives another value than it gets. */
export function leaf<T>(change: (value: T, prng: Prng) => unknown): Mutations<T> {
  return [{ path: "", mutate: (value, { prng }) => change(value, prng) as T }];
}

const COUNTER_MAX = Number.MAX_SAFE_INTEGER;
/** As far as a window or a session reaches, and beyond. */
const NEAR = 64;

/** Of a counter or a time: one more, one less, a little more or less, far more, none at all. Stays one that is encoded. */
export function counter<T extends number>(): Mutations<T> {
  return leaf((value, prng) => {
    const other = prng.pick([
      value + 1,
      value - 1,
      value + prng.integer(2, NEAR),
      value - NEAR,
      2 ** 40,
      COUNTER_MAX,
      0,
    ]);
    return other === value || other < 0 || other > COUNTER_MAX ? value + (value < COUNTER_MAX ? 1 : -1) : other;
  });
}

/** Of a member: another one, or a stranger. */
export function member<T extends number>(): Mutations<T> {
  return leaf((value, prng) => prng.pick([value + 1, value === 0 ? 2 : value - 1, value + 1000]));
}

/** Of a digest, a key or a session, in hex: one digit, all zeros, or anything. */
export function hex32<T extends string>(): Mutations<T> {
  return leaf((value, prng) =>
    prng.pick([
      value.slice(1) + (value.startsWith("0") ? "1" : "0"),
      "0".repeat(64),
      Array.from({ length: 64 }, () => prng.integer(0, 15).toString(16)).join(""),
    ]),
  );
}

/** Of a signature: other bytes, the same number of them. */
export function signature(): Mutations<Uint8Array> {
  return leaf((value, prng) => {
    const at = prng.integer(0, value.length - 1);
    return prng.pick([
      () => value.map((byte, i) => (i === at ? byte ^ (1 << prng.integer(0, 7)) : byte)),
      () => new Uint8Array(value.length),
      () => value.toReversed(),
    ])();
  });
}

/** Of bytes without a form of their own: one flipped, one more, none. */
export function bytes(): Mutations<Uint8Array> {
  return leaf((value, prng) => {
    const longer = Uint8Array.of(...value, 0);
    if (value.length === 0) return longer;
    return prng.pick([longer, value.map((byte) => byte ^ 1), value.subarray(0, value.length >> 1)]);
  });
}

/** Of text: one character more, or none. */
export function text(): Mutations<string> {
  return leaf((value, prng) => (value === "" ? "é" : prng.pick([`${value}0`, `\uFEFF${value}`, ""])));
}

/** Of a signature that may be missing: nothing, while it is. */
export function possibleSignature(): Mutations<Uint8Array> {
  return signature().map(({ path, mutate }) => ({
    path,
    mutate: (value, draw) => (value.length === 0 ? undefined : mutate(value, draw)),
  }));
}

export function flag(): Mutations<boolean> {
  return leaf((value) => !value);
}

/** Of a word: another one of those that there are. */
export function word<T extends string>(words: readonly T[]): Mutations<T> {
  return [
    {
      path: "",
      mutate: (value, { prng }) => {
        const others = words.filter((other) => other !== value);
        return others[prng.integer(0, others.length - 1)];
      },
    },
  ];
}

/** What a mutation at this path is one of: the type of the frame or request. */
export function typeOf(path: string): string {
  return path.split(".", 1)[0] ?? "";
}

function joined(name: string, path: string): string {
  return path === "" ? name : `${name}.${path}`;
}
