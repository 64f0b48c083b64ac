import {
  decodeValue,
  encodeValue,
  type ServiceValue,
  ServiceValueError,
  VALUE_DEPTH_MAX,
} from "@quorate/typed-service";
import { expect } from "chai";
import fc from "fast-check";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (value: ServiceValue): string => new TextDecoder().decode(encodeValue(value));

const name = fc.string({ unit: "binary" }).filter((key) => key !== "$" && key !== "__proto__");
const values = fc.letrec<{ value: ServiceValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(undefined, null, true, false, -0, 1e300, 5e-324),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new Uint8Array(bytes)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

/** As it comes back: no negative zero, no property that is undefined, sorted. */
function normal(value: ServiceValue): ServiceValue {
  if (typeof value === "number") return value + 0;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(normal);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, normal(item)]),
  );
}

describe("the value of a service", () => {
  it("comes back as it was, from one form", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeValue(value);
        expect(decodeValue(bytes)).to.deep.equal(normal(value));
        expect(encodeValue(decodeValue(bytes))).to.deep.equal(bytes);
      }),
    );
  });

  it("has one form, however an object was put together", () => {
    expect(textOf({ b: 1, a: [2n, new Uint8Array([255])], 10: "x", 9: undefined })).to.equal(
      '{"10":"x","a":[{"$":"bigint","of":"2"},{"$":"bytes","of":"ff"}],"b":1}',
    );
    expect(encodeValue({ a: 1, b: 2 })).to.deep.equal(encodeValue({ b: 2, a: 1 }));
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ["a number that is none", Number.NaN, /the value is NaN, expected a finite number/],
    ["a function", { a: [() => 1] }, /the value\.a\[0\] is a function, expected data/],
    ["an object of a class", { at: new Date(0) }, /the value\.at is an object of a class/],
    ["a promise", Promise.resolve(1), /an object of a class/],
    ["half of a surrogate pair", "\ud800", /half of a surrogate pair/],
    ["half of one in a name", { "\udc00": 1 }, /half of a surrogate pair/],
    ["a property with the name of a tag", { $: "bigint", of: "1" }, /a property named \$/],
  ];
  for (const [what, value, message] of refused)
    it(`is not ${what}`, () => {
      expect(() => encodeValue(value as ServiceValue)).to.throw(ServiceValueError, message);
    });

  it("has a bound of depth in both directions", () => {
    const nested = (depth: number): ServiceValue => (depth === 0 ? [] : [nested(depth - 1)]);
    expect(decodeValue(encodeValue(nested(VALUE_DEPTH_MAX - 1)))).to.be.an("array");
    expect(() => encodeValue(nested(VALUE_DEPTH_MAX))).to.throw(ServiceValueError, /at most 32 deep/);
    // Deeper than any stack; brackets in a text do not count.
    expect(() => decodeValue(bytesOf("[".repeat(1_000_000)))).to.throw(ServiceValueError, /at most 32 deep/);
    const text = `${'["\\'.repeat(200)}`;
    expect(decodeValue(encodeValue(text))).to.equal(text);
  });

  const foreign: readonly (readonly [string, string])[] = [
    ["spaces", "[1, 2]"],
    ["another order", '{"b":1,"a":2}'],
    ["a name twice", '{"a":1,"a":1}'],
    ["a number in another form", "1.0"],
    ["a number too large", "1e999"],
    ["negative zero", "-0"],
    ["a bigint in another form", '{"$":"bigint","of":"01"}'],
    ["negative zero as a bigint", '{"$":"bigint","of":"-0"}'],
    ["an unknown tag", '{"$":"date","of":"1"}'],
    ["a tag with more beside it", '{"$":"bytes","of":"ff","x":1}'],
    ["a property that is undefined", '{"a":{"$":"undefined"}}'],
    ["the prototype of objects", '{"__proto__":{"a":1}}'],
    ["an escape that is not needed", '"\\u0061"'],
    ["half of a surrogate pair", '"\\ud800"'],
    ["nothing", ""],
    ["half of it", '{"a":'],
  ];
  for (const [what, text] of foreign)
    it(`is not read from bytes with ${what}`, () => {
      expect(() => decodeValue(bytesOf(text))).to.throw(ServiceValueError);
    });

  it("is not read from bytes that are no text", () => {
    expect(() => decodeValue(new Uint8Array([0x22, 0xff, 0x22]))).to.throw(ServiceValueError, /no text/);
  });
});
