import {
  allocateBytes,
  bytesToHex,
  compareBytes,
  copyBytes,
  equalBytes,
  InvariantViolation,
  PreimageWriter,
  utf8,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";

const byteString = fc.uint8Array({ maxLength: 64 });
/** Strings without lone surrogates: every other string is not well-formed text. */
const text = fc.string({ unit: "binary", maxLength: 40 });

describe("Allocated bytes", () => {
  it("are zeros that nobody else holds, of any size and in any order of sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 40 }), (sizes) => {
        const all = sizes.map((size, i) => {
          const bytes = allocateBytes(size);
          expect(bytes.length).to.equal(size);
          expect(bytes.every((byte) => byte === 0)).to.equal(true);
          return bytes.fill(i + 1);
        });
        all.forEach((bytes, i) => {
          expect(bytes.every((byte) => byte === i + 1)).to.equal(true);
        });
      }),
      { seed: 3 },
    );
  });

  it("are copied from others, which may change then", () => {
    const original = Uint8Array.of(1, 2, 3);
    const copy = copyBytes(original);
    original.fill(9);
    expect([...copy]).to.deep.equal([1, 2, 3]);
  });
});

describe("The order of byte strings", () => {
  it("is the order of Node's Buffer", () => {
    fc.assert(fc.property(byteString, byteString, (a, b) => Math.sign(compareBytes(a, b)) === Buffer.compare(a, b)));
  });

  it("puts a prefix first", () => {
    expect(compareBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).to.be.below(0);
    expect(compareBytes(new Uint8Array(), Uint8Array.of(0))).to.be.below(0);
  });

  it("finds a string equal to its copy, and to nothing that differs in one bit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, at) => {
        const changed = Uint8Array.from(bytes);
        changed[at % bytes.length]! ^= 1 << (at % 8);
        expect(equalBytes(bytes, Uint8Array.from(bytes))).to.equal(true);
        expect(equalBytes(bytes, changed)).to.equal(false);
        expect(compareBytes(bytes, changed)).to.not.equal(0);
      }),
    );
  });
});

describe("UTF-8", () => {
  it("is what TextEncoder makes of any well-formed text", () => {
    fc.assert(fc.property(text, (value) => equalBytes(utf8(value), new TextEncoder().encode(value))));
  });

  it("takes one to four bytes a character", () => {
    expect(["a", "é", "€", "𝄞"].map((character) => utf8(character).length)).to.deep.equal([1, 2, 3, 4]);
  });
});

describe("A preimage writer", () => {
  it("writes counters big-endian, up to 2^53 - 1", () => {
    const counter = fc.oneof(
      fc.maxSafeNat(),
      fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    );
    fc.assert(
      fc.property(counter, (value) => {
        const bytes = new PreimageWriter(8).u64(value).finish();
        expect(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)).to.equal(BigInt(value));
      }),
    );
  });

  it("refuses what is not a counter", () => {
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN])
      expect(() => new PreimageWriter(8).u64(value), String(value)).to.throw(InvariantViolation);
  });

  it("pads a tag to sixteen bytes and refuses a longer one", () => {
    expect([...new PreimageWriter(16).tag("ab").finish()]).to.deep.equal([97, 98, ...new Array<number>(14).fill(0)]);
    expect(() => new PreimageWriter(32).tag("seventeen letters")).to.throw(InvariantViolation);
  });

  it("refuses to finish before its size is reached", () => {
    expect(() => new PreimageWriter(5).u32(1).finish()).to.throw(InvariantViolation, /preimage\.size/);
  });

  it("never finishes what was written past its size", () => {
    expect(() => new PreimageWriter(4).u32(1).u8(2).finish()).to.throw();
    expect(() => new PreimageWriter(4).u32(1).u32(2).finish()).to.throw();
    expect(() => new PreimageWriter(4).u64(1).finish()).to.throw();
    expect(() => new PreimageWriter(4).raw(new Uint8Array(5)).finish()).to.throw();
    expect(() => new PreimageWriter(4).sized(new Uint8Array(1)).finish()).to.throw();
    expect(() => new PreimageWriter(4).hex32("00".repeat(32)).finish()).to.throw(InvariantViolation);
    expect(() => new PreimageWriter(4).tag("four").finish()).to.throw(InvariantViolation);
  });

  it("gives bytes that later preimages leave alone, zero where a tag is padded", () => {
    const first = new PreimageWriter(20).tag("first").u32(7).finish();
    const before = bytesToHex(first);

    for (let i = 0; i < 2_000; i++)
      new PreimageWriter(40)
        .u64(2 ** 53 - 1)
        .hex32("ff".repeat(32))
        .finish();
    const second = new PreimageWriter(20).tag("first").u32(7).finish();

    expect(bytesToHex(first)).to.equal(before);
    expect(bytesToHex(second)).to.equal(before);
  });

  it("separates neighbouring byte strings by their lengths", () => {
    const both = (a: Uint8Array, b: Uint8Array): string =>
      bytesToHex(new PreimageWriter(8 + a.length + b.length).sized(a).sized(b).finish());

    expect(both(Uint8Array.of(1, 2), Uint8Array.of(3))).to.not.equal(both(Uint8Array.of(1), Uint8Array.of(2, 3)));
  });
});
