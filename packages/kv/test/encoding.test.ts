import {
  decodeKvOperation,
  decodeKvResult,
  encodeKvOperation,
  encodeKvResult,
  INT64_MAX,
  INT64_MIN,
  KvError,
  type KvOperation,
  type KvOperationType,
  prefixRange,
} from "@quorate/kv";
import { compareBytes } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";

const bytes = fc.uint8Array({ maxLength: 12 });
const optional = fc.option(bytes, { nil: undefined });
const int64 = fc.bigInt({ min: INT64_MIN, max: INT64_MAX });

const operation: fc.Arbitrary<KvOperation> = fc.oneof(
  fc.record({ type: fc.constant("get" as const), key: bytes }),
  fc.record({ type: fc.constant("put" as const), key: bytes, value: bytes }),
  fc.record({ type: fc.constant("delete" as const), key: bytes }),
  fc.record({ type: fc.constant("compare-and-swap" as const), key: bytes, expected: optional, next: optional }),
  fc.record({ type: fc.constant("increment" as const), key: bytes, by: int64 }),
  fc.record({ type: fc.constant("range" as const), from: bytes, to: optional, limit: fc.nat() }),
);

/** A result and its bytes. */
function resultOf<T extends KvOperationType>(type: T, result: Parameters<typeof encodeKvResult<T>>[1]) {
  return { type, result, bytes: encodeKvResult(type, result) };
}
const result = fc.oneof(
  optional.map((value) => resultOf("get", { value })),
  fc.boolean().map((replaced) => resultOf("put", { replaced })),
  fc.boolean().map((deleted) => resultOf("delete", { deleted })),
  fc.tuple(fc.boolean(), optional).map(([swapped, current]) => resultOf("compare-and-swap", { swapped, current })),
  int64.map((value) => resultOf("increment", { value })),
  fc
    .tuple(fc.array(fc.record({ key: bytes, value: bytes }, { noNullPrototype: true }), { maxLength: 4 }), optional)
    .map(([entries, next]) => resultOf("range", { entries, next })),
);

/** What reading gives: a value, or the code of a typed error. Anything else that is thrown escapes. */
function read<T>(decode: () => T): T | string {
  try {
    return decode();
  } catch (error) {
    if (error instanceof KvError) return error.code;
    throw error;
  }
}

describe("the encoding of operations", () => {
  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(operation, (value) => {
        expect(decodeKvOperation(encodeKvOperation(value))).to.deep.equal({ ...value });
      }),
    );
  });

  it("has one encoding for one value: whatever it reads, it writes the same", () => {
    const mutated = fc.tuple(operation, fc.nat(), fc.nat({ max: 255 })).map(([value, at, byte]) => {
      const encoded = encodeKvOperation(value).slice();
      encoded[at % encoded.length] = byte;
      return encoded;
    });
    let accepted = 0;
    fc.assert(
      fc.property(mutated, (input) => {
        const decoded = read(() => decodeKvOperation(input));
        if (typeof decoded === "string") expect(decoded).to.equal("kv.malformed");
        else {
          accepted++;
          expect(encodeKvOperation(decoded)).to.deep.equal(input);
        }
      }),
      { numRuns: 500 },
    );
    expect(accepted).to.be.greaterThan(0);
  });

  it("refuses every truncation and every trailing byte with a typed error", () => {
    fc.assert(
      fc.property(operation, (value) => {
        const encoded = encodeKvOperation(value);
        for (let length = 0; length < encoded.length; length++)
          expect(read(() => decodeKvOperation(encoded.slice(0, length)))).to.equal("kv.malformed");
        expect(read(() => decodeKvOperation(Uint8Array.of(...encoded, 0)))).to.equal("kv.malformed");
      }),
    );
  });

  it("reads from the middle of a larger buffer", () => {
    const encoded = encodeKvOperation({ type: "increment", key: Uint8Array.of(1), by: -2n });
    const larger = Uint8Array.of(9, 9, 9, ...encoded, 9);

    expect(decodeKvOperation(larger.subarray(3, 3 + encoded.length))).to.deep.equal({
      type: "increment",
      key: Uint8Array.of(1),
      by: -2n,
    });
  });

  const key = Uint8Array.of(1);
  const range = { type: "range", from: key, to: undefined } as const;
  for (const { name, value, code } of [
    { name: "an increment above 64 bits", value: { type: "increment", key, by: INT64_MAX + 1n }, code: "kv.overflow" },
    { name: "an increment below 64 bits", value: { type: "increment", key, by: INT64_MIN - 1n }, code: "kv.overflow" },
    { name: "a negative limit", value: { ...range, limit: -1 }, code: "kv.range-limit" },
    { name: "half a limit", value: { ...range, limit: 0.5 }, code: "kv.range-limit" },
  ] as const) {
    it(`does not encode ${name}`, () => {
      expect(read(() => encodeKvOperation(value))).to.equal(code);
    });
  }

  it("has these bytes", () => {
    const key = Uint8Array.of(0x6b);
    const hex = (value: KvOperation): string => Buffer.from(encodeKvOperation(value)).toString("hex");

    expect(hex({ type: "get", key })).to.equal("0101000000016b");
    expect(hex({ type: "put", key, value: Uint8Array.of(1, 2) })).to.equal("0102000000016b000000020102");
    expect(hex({ type: "delete", key })).to.equal("0103000000016b");
    expect(hex({ type: "compare-and-swap", key, expected: undefined, next: key })).to.equal(
      "0104000000016b0001000000016b",
    );
    expect(hex({ type: "increment", key, by: -1n })).to.equal("0105000000016bffffffffffffffff");
    expect(hex({ type: "range", from: key, to: undefined, limit: 7 })).to.equal("0106000000016b0000000007");
  });
});

describe("the encoding of results", () => {
  it("reads back what it wrote, for the operation it answers and no other", () => {
    fc.assert(
      fc.property(result, operation, (written, other) => {
        expect(decodeKvResult({ type: written.type }, written.bytes)).to.deep.equal(written.result);
        if (other.type !== written.type)
          expect(read(() => decodeKvResult(other, written.bytes))).to.equal("kv.malformed");
      }),
    );
  });

  it("refuses every truncation and every trailing byte with a typed error", () => {
    fc.assert(
      fc.property(result, ({ type, bytes: encoded }) => {
        for (let length = 0; length < encoded.length; length++)
          expect(read(() => decodeKvResult({ type }, encoded.slice(0, length)))).to.equal("kv.malformed");
        expect(read(() => decodeKvResult({ type }, Uint8Array.of(...encoded, 0)))).to.equal("kv.malformed");
      }),
    );
  });

  it("does not believe a count of entries", () => {
    const claims = Uint8Array.of(1, 6, 0xff, 0xff, 0xff, 0xff);

    expect(read(() => decodeKvResult({ type: "range" }, claims))).to.equal("kv.malformed");
  });
});

describe("the range of a prefix", () => {
  it("holds the keys that start with it and no others", () => {
    const near = fc.uint8Array({ maxLength: 4, min: 0xfd });
    fc.assert(
      fc.property(near, near, (prefix, key) => {
        const { from, to } = prefixRange(prefix);
        const isIn = compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0);

        expect(isIn).to.equal(Buffer.from(key).subarray(0, prefix.length).equals(prefix));
      }),
      { numRuns: 500 },
    );
  });
});
