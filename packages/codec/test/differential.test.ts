import { DEPTH_MAX, preScan } from "@quorate/codec";
import { Decoder } from "cbor-x/decode";
import { Decoder as DecoderWithoutEval } from "cbor-x/decode-no-eval";
import { Encoder } from "cbor-x/encode";
import * as cborg from "cborg";
import { expect } from "chai";
import fc from "fast-check";
import { VALUES } from "./arbitraries.ts";
import { array, bytes, header, text, uint } from "./cbor-bytes.ts";
import { SAMPLE_LIST, SHAPES } from "./samples.ts";

const LIMITS = { bytesMax: 1_000_000, itemsMax: 1_000_000, elementsMax: 1_000_000 };
const STRICT: cborg.DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  useMaps: true,
  rejectDuplicateMapKeys: true,
};

/** Whether an independent strict decoder takes the bytes, gives only our types, and encodes them the same again. */
function verdict(input: Uint8Array): boolean {
  let value: unknown;
  try {
    value = cborg.decode(input, STRICT);
  } catch {
    return false;
  }
  return isAllowed(value, 0) && Buffer.compare(cborg.encode(value), input) === 0;
}

function isAllowed(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0;
  if (typeof value === "string" || value instanceof Uint8Array) return true;
  return Array.isArray(value) && depth < DEPTH_MAX && value.every((element) => isAllowed(element, depth + 1));
}

const agrees = (input: Uint8Array): boolean => (preScan(input, LIMITS) === undefined) === verdict(input);
const hexOf = (input: Uint8Array): string => Buffer.from(input).toString("hex");

/** Without what cbor-x would add of its own: records, tags, shared references, packed strings. */
const CBOR_X = new Encoder({
  useRecords: false,
  tagUint8Array: false,
  structuredClone: false,
  pack: false,
  useFloat32: 0,
});
/** From 2^32 on cbor-x writes a number as a float, and a BigInt as an integer. */
function forCborX(value: unknown): unknown {
  if (typeof value === "number" && value >= 2 ** 32) return BigInt(value);
  return Array.isArray(value) ? value.map(forCborX) : value;
}
/** The bytes that each library makes of what it finds in these bytes. */
function writtenByOthers(encoded: Uint8Array): string[] {
  const value: unknown = cborg.decode(encoded, STRICT);
  return [cborg.encode(value), CBOR_X.encode(forCborX(value))].map(hexOf);
}

describe("codec beside an independent strict decoder", () => {
  it("accepts no sample that cborg does not, with the same bytes", () => {
    for (const { shape, name, value } of SAMPLE_LIST)
      expect(verdict(shape.encode(value)), `${shape.kind} ${name}`).to.equal(true);
  });

  it("reads every sample in cbor-x's build for browsers as in the other", () => {
    for (const copyBuffers of [true, false]) {
      const options = { useRecords: false, copyBuffers };
      const [decoder, withoutEval] = [new Decoder(options), new DecoderWithoutEval(options)];
      for (const { shape, name, value } of SAMPLE_LIST) {
        const encoded = new Uint8Array(shape.encode(value));
        expect(withoutEval.decode(encoded), `${shape.kind} ${name}`).to.deep.equal(decoder.decode(encoded));
      }
    }
  });

  it("writes every sample as cborg and cbor-x would", () => {
    for (const { shape, name, value } of SAMPLE_LIST) {
      const encoded = shape.encode(value);
      const expected = hexOf(encoded);
      expect(writtenByOthers(encoded), `${shape.kind} ${name}`).to.deep.equal([expected, expected]);
    }
  });

  for (const { kind, encode } of SHAPES)
    it(`writes every ${kind} as cborg and cbor-x would`, () => {
      fc.assert(
        fc.property(VALUES[kind], (value) => {
          const encoded = encode(value);
          const expected = hexOf(encoded);
          expect(writtenByOthers(encoded)).to.deep.equal([expected, expected]);
        }),
        { numRuns: 60, seed: 4 },
      );
    });

  it("gives cborg's verdict on random values in cborg's encoding", () => {
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        { weight: 4, arbitrary: fc.maxSafeNat() },
        { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }) },
        { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
        {
          weight: 1,
          arbitrary: fc.oneof(fc.maxSafeInteger(), fc.double(), fc.constantFrom(null, true, false, 2n ** 60n)),
        },
        { weight: 6, arbitrary: fc.array(tie("value"), { maxLength: 6 }) },
        { weight: 1, arbitrary: fc.dictionary(fc.string(), tie("value"), { maxKeys: 3 }) },
      ),
    }));
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(value, (any) => {
        const encoded = cborg.encode(any);
        expect(agrees(encoded), hexOf(encoded)).to.equal(true);
        if (verdict(encoded)) accepted++;
        else refused++;
      }),
      { numRuns: 2000, seed: 7 },
    );
    expect(accepted).to.be.greaterThan(100);
    expect(refused).to.be.greaterThan(100);
  });

  it("gives cborg's verdict on CBOR in every legal and illegal form", () => {
    const width = fc.constantFrom(undefined, undefined, undefined, 1 as const, 2 as const, 4 as const, 8 as const);
    const number = fc.oneof(fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 53 - 1), fc.nat(300));
    const { item } = fc.letrec<{ item: number[] }>((tie) => ({
      item: fc.oneof(
        { depthSize: "small" },
        fc.tuple(number, width).map(([n, w]) => uint(n, fits(n, w))),
        fc.uint8Array({ maxLength: 30 }).map(bytes),
        fc.string({ unit: "grapheme", maxLength: 10 }).map(text),
        fc.array(tie("item"), { maxLength: 5 }).map((items) => array(...items)),
        fc.array(tie("item"), { maxLength: 30 }).map((items) => array(...items)),
        {
          weight: 1,
          arbitrary: fc.constantFrom<number[][]>([0x20], [0xa0], [0xc1, 0], [0xf5], [0xf6], [0xf9, 0, 0], [0x9f, 0xff]),
        },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((raw) => [...header(3, raw.length), ...raw]) },
      ),
    }));
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(item, (raw) => {
        const input = Uint8Array.from(raw);
        seen[verdict(input) ? "accepted" : "refused"]++;
        expect(agrees(input), hexOf(input)).to.equal(true);
      }),
      { numRuns: 3000, seed: 11 },
    );
    expect(seen.accepted).to.be.greaterThan(300);
    expect(seen.refused).to.be.greaterThan(300);
  });

  it("gives cborg's verdict on random bytes and on frames with random bytes changed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (input) => {
        expect(agrees(input), hexOf(input)).to.equal(true);
      }),
      { numRuns: 5000, seed: 13 },
    );
    const damaged = fc
      .record({
        sample: fc.constantFrom(...SAMPLE_LIST),
        changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      })
      .map(({ sample, changes }) => {
        const input = sample.shape.encode(sample.value);
        for (const [at, byte] of changes) input[at % input.length] = byte;
        return input;
      });
    fc.assert(
      fc.property(damaged, (input) => {
        expect(agrees(input), hexOf(input)).to.equal(true);
      }),
      { numRuns: 3000, seed: 17 },
    );
  });
});

/** A width that holds the number, or none. */
function fits(number: number, width: 1 | 2 | 4 | 8 | undefined): 1 | 2 | 4 | 8 | undefined {
  return width !== undefined && number < 256 ** width ? width : undefined;
}
