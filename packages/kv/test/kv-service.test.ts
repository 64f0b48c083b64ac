import {
  decodeKvResult,
  encodeKvOperation,
  INT64_MAX,
  INT64_MIN,
  KvError,
  type KvLimits,
  type KvOperation,
  type KvResult,
  kvService,
  prefixRange,
} from "@quorate/kv";
import { compareBytes, digest, publicKey, sequenceNumber, timestampMs } from "@quorate/protocol";
import type { ExecutionContext, StateStore } from "@quorate/state-machine";
import { expect } from "chai";
import fc from "fast-check";

const CONTEXT: ExecutionContext = {
  seq: sequenceNumber(1),
  timestampMs: timestampMs(0),
  seed: digest("0".repeat(64)),
  client: publicKey("0".repeat(64)),
};

function b(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
function t(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** A state in a Map. */
class MapState implements StateStore {
  readonly entries: Map<string, Uint8Array> = new Map();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(Buffer.from(key).toString("hex"));
  }
  put(key: Uint8Array, value: Uint8Array): void {
    this.entries.set(Buffer.from(key).toString("hex"), value);
  }
  delete(key: Uint8Array): void {
    this.entries.delete(Buffer.from(key).toString("hex"));
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    const keys = [...this.entries.keys()].map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))).sort(compareBytes);
    for (const key of keys)
      if (compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0)) yield [key, this.get(key)!];
  }
}

/** The service over a state, called as a client calls it. */
class Kv {
  readonly state: MapState = new MapState();
  readonly #service: ReturnType<typeof kvService>;

  constructor(limits?: Partial<KvLimits>) {
    this.#service = kvService(limits);
  }

  do<O extends KvOperation>(operation: O): KvResult<O> {
    return decodeKvResult(operation, this.#service.execute(encodeKvOperation(operation), this.state, CONTEXT));
  }

  raw(operation: Uint8Array): Uint8Array {
    return this.#service.execute(operation, this.state, CONTEXT);
  }

  /** The code of the error with which it refuses. */
  refusal(operation: KvOperation): string {
    const before = new Map(this.state.entries);
    try {
      this.do(operation);
    } catch (error) {
      expect(this.state.entries).to.deep.equal(before);
      if (error instanceof KvError) return error.code;
      throw error;
    }
    return "none";
  }
}

describe("the key-value service", () => {
  it("gets what was put, and nothing where nothing is", () => {
    const kv = new Kv();

    expect(kv.do({ type: "get", key: b("k") })).to.deep.equal({ value: undefined });
    expect(kv.do({ type: "put", key: b("k"), value: b("") })).to.deep.equal({ replaced: false });
    expect(kv.do({ type: "get", key: b("k") })).to.deep.equal({ value: b("") });
    expect(kv.do({ type: "put", key: b("k"), value: b("v") })).to.deep.equal({ replaced: true });
    expect(kv.do({ type: "delete", key: b("k") })).to.deep.equal({ deleted: true });
    expect(kv.do({ type: "delete", key: b("k") })).to.deep.equal({ deleted: false });
  });

  it("swaps only what is expected, absence included", () => {
    const kv = new Kv();
    const key = b("k");

    for (const { expected, next, swapped, current } of [
      { expected: b("x"), next: b("y"), swapped: false, current: undefined },
      { expected: undefined, next: b("a"), swapped: true, current: "a" },
      { expected: undefined, next: b("b"), swapped: false, current: "a" },
      { expected: b("b"), next: b("c"), swapped: false, current: "a" },
      { expected: b("a"), next: b("c"), swapped: true, current: "c" },
      { expected: b("c"), next: undefined, swapped: true, current: undefined },
      { expected: undefined, next: undefined, swapped: true, current: undefined },
    ]) {
      const result = kv.do({ type: "compare-and-swap", key, expected, next });
      expect({ swapped: result.swapped, current: t(result.current) }).to.deep.equal({ swapped, current });
      expect(t(kv.do({ type: "get", key }).value)).to.equal(current);
    }
  });

  it("counts in decimal text, from nothing or from what was put", () => {
    const kv = new Kv();
    const key = b("n");

    expect(kv.do({ type: "increment", key, by: 5n })).to.deep.equal({ value: 5n });
    expect(kv.do({ type: "increment", key, by: -7n })).to.deep.equal({ value: -2n });
    expect(t(kv.do({ type: "get", key }).value)).to.equal("-2");
    kv.do({ type: "put", key, value: b("41") });
    expect(kv.do({ type: "increment", key, by: 1n })).to.deep.equal({ value: 42n });
  });

  it("reaches both ends of 64 bits and goes past neither", () => {
    const kv = new Kv();
    const key = b("n");

    expect(kv.do({ type: "increment", key, by: INT64_MAX }).value).to.equal(INT64_MAX);
    expect(kv.refusal({ type: "increment", key, by: 1n })).to.equal("kv.overflow");
    kv.do({ type: "put", key, value: b(INT64_MIN.toString()) });
    expect(kv.do({ type: "increment", key, by: 0n }).value).to.equal(INT64_MIN);
    expect(kv.refusal({ type: "increment", key, by: -1n })).to.equal("kv.overflow");
  });

  for (const value of ["", "x", "1.5", "01", "-0", "+1", " 1", "1e3", "9223372036854775808", "99999999999999999999"]) {
    it(`does not count from ${JSON.stringify(value)}`, () => {
      const kv = new Kv();
      kv.do({ type: "put", key: b("n"), value: b(value) });

      expect(kv.refusal({ type: "increment", key: b("n"), by: 1n })).to.equal("kv.not-a-number");
    });
  }

  it("reads ranges in the order of bytes and goes on where it was cut short", () => {
    const kv = new Kv();
    for (const key of ["b", "a", "ab", "c", "abc"]) kv.do({ type: "put", key: b(key), value: b(key) });

    const first = kv.do({ type: "range", from: b(""), to: b("c"), limit: 3 });
    const rest = kv.do({ type: "range", from: first.next!, to: b("c"), limit: 3 });
    const prefix = kv.do({ type: "range", ...prefixRange(b("ab")), limit: 10 });

    expect(first.entries.map(({ key }) => t(key))).to.deep.equal(["a", "ab", "abc"]);
    expect(t(first.next)).to.equal("b");
    expect(rest.entries.map(({ value }) => t(value))).to.deep.equal(["b"]);
    expect(rest.next).to.equal(undefined);
    expect(prefix.entries.map(({ key }) => t(key))).to.deep.equal(["ab", "abc"]);
  });

  it("says that nothing follows when a range holds exactly its limit", () => {
    const kv = new Kv();
    for (const key of ["a", "b"]) kv.do({ type: "put", key: b(key), value: b("") });

    expect(kv.do({ type: "range", from: b(""), to: undefined, limit: 2 }).next).to.equal(undefined);
    expect(t(kv.do({ type: "range", from: b(""), to: undefined, limit: 1 }).next)).to.equal("b");
  });

  it("cuts a range short by bytes, but never below one entry", () => {
    const kv = new Kv({ rangeBytesMax: 10 });
    for (const key of ["a", "b", "c"]) kv.do({ type: "put", key: b(key), value: b("12345") });
    kv.do({ type: "put", key: b("d"), value: b("123456789012345") });

    const lengths: number[] = [];
    for (let from: Uint8Array | undefined = b(""); from !== undefined; ) {
      const { entries, next }: KvResult<{ type: "range" }> = kv.do({ type: "range", from, to: undefined, limit: 10 });
      lengths.push(entries.length);
      from = next;
    }

    expect(lengths).to.deep.equal([1, 1, 1, 1]);
    expect(
      new Kv({ rangeBytesMax: 12 }).do({ type: "range", from: b(""), to: undefined, limit: 1 }).entries,
    ).to.deep.equal([]);
  });

  for (const { name, operation, code } of [
    { name: "an empty key", operation: { type: "get", key: b("") }, code: "kv.key-length" },
    {
      name: "a key of 5 bytes where 4 are allowed",
      operation: { type: "delete", key: b("12345") },
      code: "kv.key-length",
    },
    { name: "a key of 4 bytes", operation: { type: "delete", key: b("1234") }, code: "none" },
    {
      name: "a value of 7 bytes where 6 are allowed",
      operation: { type: "put", key: b("k"), value: b("1234567") },
      code: "kv.value-too-long",
    },
    { name: "a value of 6 bytes", operation: { type: "put", key: b("k"), value: b("123456") }, code: "none" },
    {
      name: "a long value to swap in",
      operation: { type: "compare-and-swap", key: b("k"), expected: undefined, next: b("1234567") },
      code: "kv.value-too-long",
    },
    {
      name: "a long value to expect",
      operation: { type: "compare-and-swap", key: b("k"), expected: b("1234567"), next: undefined },
      code: "kv.value-too-long",
    },
    {
      name: "a range of none",
      operation: { type: "range", from: b(""), to: undefined, limit: 0 },
      code: "kv.range-limit",
    },
    {
      name: "a range of 9 where 8 are allowed",
      operation: { type: "range", from: b(""), to: undefined, limit: 9 },
      code: "kv.range-limit",
    },
    { name: "a range of 8", operation: { type: "range", from: b(""), to: undefined, limit: 8 }, code: "none" },
    {
      name: "a range from a long key",
      operation: { type: "range", from: b("12345"), to: undefined, limit: 1 },
      code: "kv.key-length",
    },
  ] as const satisfies readonly { name: string; operation: KvOperation; code: string }[]) {
    it(`${code === "none" ? "takes" : "refuses"} ${name}`, () => {
      const kv = new Kv({ keyBytesMax: 4, valueBytesMax: 6, rangeEntriesMax: 8 });

      expect(kv.refusal(operation)).to.equal(code);
    });
  }

  it("refuses bytes that are no operation with a typed error, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (noise) => {
        const kv = new Kv();
        try {
          kv.raw(noise);
        } catch (error) {
          expect(error).to.be.instanceOf(KvError);
        }
      }),
      { numRuns: 500 },
    );
    expect(() => new Kv().raw(Uint8Array.of(2, 1))).to.throw(KvError, "expected format version 1, found 2");
    expect(() => new Kv().raw(Uint8Array.of(1, 99))).to.throw(KvError, "unknown operation code 99");
  });

  it("does not start with limits that the state cannot hold", () => {
    for (const limits of [{ keyBytesMax: 0 }, { keyBytesMax: 1025 }, { valueBytesMax: -1 }, { rangeEntriesMax: 0 }])
      expect(() => kvService(limits), JSON.stringify(limits)).to.throw(KvError);
    expect(() => kvService({ keyBytesMax: 1024 })).to.not.throw();
  });

  it("behaves as a plain map does", () => {
    const key = fc.constantFrom("a", "b", "c");
    const value = fc.constantFrom("1", "2", "x");
    const optional = fc.option(value, { nil: undefined });
    const command = fc.oneof(
      fc.record({ type: fc.constant("get" as const), key }),
      fc.record({ type: fc.constant("put" as const), key, value }),
      fc.record({ type: fc.constant("delete" as const), key }),
      fc.record({ type: fc.constant("compare-and-swap" as const), key, expected: optional, next: optional }),
      fc.record({ type: fc.constant("increment" as const), key, by: fc.integer({ min: -3, max: 3 }) }),
      fc.record({ type: fc.constant("range" as const), key, limit: fc.integer({ min: 1, max: 3 }) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const kv = new Kv();
        const model = new Map<string, string>();
        for (const one of commands) {
          const expected = onModel(model, one);
          expect(onService(kv, one), JSON.stringify(one)).to.deep.equal(expected);
        }
        expect([...kv.state.range(b(""), undefined)].map(([k, v]) => [t(k), t(v)])).to.deep.equal([...model].sort());
      }),
    );
  });
});

interface Command {
  readonly type: KvOperation["type"];
  readonly key: string;
  readonly value?: string;
  readonly expected?: string | undefined;
  readonly next?: string | undefined;
  readonly by?: number;
  readonly limit?: number;
}

/** What a Map says to a command. */
function onModel(model: Map<string, string>, { type, key, value, expected, next, by, limit }: Command): unknown {
  const before = model.get(key);
  const set = (to: string | undefined): void => void (to === undefined ? model.delete(key) : model.set(key, to));
  const answers: Record<KvOperation["type"], () => unknown> = {
    get: () => before,
    put: () => {
      set(value);
      return before !== undefined;
    },
    delete: () => model.delete(key),
    "compare-and-swap": () => {
      if (before === expected) set(next);
      return [before === expected, model.get(key)];
    },
    increment: () => {
      const number = Number(before ?? "0");
      if (Number.isNaN(number)) return "kv.not-a-number";
      set(String(number + (by ?? 0)));
      return number + (by ?? 0);
    },
    range: () =>
      [...model]
        .filter(([k]) => k >= key)
        .sort()
        .slice(0, limit),
  };
  return answers[type]();
}

/** What the service says to it, in the same shape. */
function onService(kv: Kv, { type, key: text, value, expected, next, by, limit }: Command): unknown {
  const key = b(text);
  const bytesOrNone = (one: string | undefined): Uint8Array | undefined => (one === undefined ? undefined : b(one));
  const answers: Record<KvOperation["type"], () => unknown> = {
    get: () => t(kv.do({ type: "get", key }).value),
    put: () => kv.do({ type: "put", key, value: b(value ?? "") }).replaced,
    delete: () => kv.do({ type: "delete", key }).deleted,
    "compare-and-swap": () => {
      const swap = { type: "compare-and-swap", key, expected: bytesOrNone(expected), next: bytesOrNone(next) } as const;
      const { swapped, current } = kv.do(swap);
      return [swapped, t(current)];
    },
    increment: () => {
      const operation = { type: "increment", key, by: BigInt(by ?? 0) } as const;
      const refusal = t(kv.state.get(key)) === "x" ? kv.refusal(operation) : undefined;
      return refusal ?? Number(kv.do(operation).value);
    },
    range: () =>
      kv.do({ type: "range", from: key, to: undefined, limit: limit ?? 1 }).entries.map((e) => [t(e.key), t(e.value)]),
  };
  return answers[type]();
}
