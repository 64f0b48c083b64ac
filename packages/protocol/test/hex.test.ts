import { bytesToHex, hexToBytes, InvariantViolation, readHex32, writeHex, writeHex32 } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";

const byteString = fc.uint8Array({ maxLength: 64 });
/** Few first and last bytes, so that spellings push each other out and differ late. */
const hash = fc
  .record({ first: fc.nat(2), last: fc.nat(2), rest: fc.constantFrom(0, 0xff, 0x5a) })
  .map(({ first, last, rest }) => Uint8Array.of(first, ...new Array<number>(30).fill(rest), last));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("Hex", () => {
  it("is what Node makes of the same bytes", () => {
    fc.assert(fc.property(byteString, (bytes) => bytesToHex(bytes) === hexOf(bytes)));
  });

  it("gives the bytes back", () => {
    fc.assert(fc.property(byteString, (bytes) => hexOf(hexToBytes(bytesToHex(bytes))) === hexOf(bytes)));
  });

  it("is refused when odd, in upper case or not hex at all", () => {
    for (const hex of ["0", "AB", "0g", "é0", "00 0", "-1", "\u0130\u0130"])
      expect(() => hexToBytes(hex), JSON.stringify(hex)).to.throw(InvariantViolation);
  });

  it("is written in place without touching its neighbours", () => {
    const target = new Uint8Array(4).fill(0xee);

    writeHex(target, 1, "0102");

    expect([...target]).to.deep.equal([0xee, 1, 2, 0xee]);
  });
});

describe("Hex of 32 bytes", () => {
  it("is what Node makes of them, in whatever order the same and others are read and written", () => {
    const step = fc.tuple(
      fc.constantFrom("read", "write"),
      fc.oneof(hash, fc.uint8Array({ minLength: 32, maxLength: 32 })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(9), (steps, offset) => {
        for (const [way, bytes] of steps) {
          const place = new Uint8Array(50).fill(0xee);
          if (way === "write") writeHex32(place, offset, hexOf(bytes));
          else place.set(bytes, offset);
          const expected = new Uint8Array(50).fill(0xee);
          expected.set(bytes, offset);
          expect(hexOf(place)).to.equal(hexOf(expected));
          expect(readHex32(place, offset)).to.equal(hexOf(bytes));
        }
      }),
      { seed: 5 },
    );
  });

  it("stays what it was when the bytes that it was read from change", () => {
    const bytes = new Uint8Array(32).fill(0x77);
    const before = readHex32(bytes, 0);
    bytes[31] = 0;

    expect(readHex32(bytes, 0)).to.equal(hexOf(bytes));
    expect(before).to.equal("77".repeat(32));
  });

  it("is refused when it is no hex or of another length, and what came before is still right", () => {
    const right = `9a${"11".repeat(31)}`;
    const target = new Uint8Array(32);
    writeHex32(target, 0, right);
    const wrong = [
      right.slice(2),
      `${right}00`,
      right.toUpperCase(),
      `${right.slice(0, -1)}g`,
      `${right.slice(0, 40)}é${right.slice(41)}`,
      `\u0130${right.slice(1)}`,
      "",
    ];
    for (const hex of wrong) {
      const untouched = new Uint8Array(32);
      expect(() => writeHex32(untouched, 0, hex), hex).to.throw(InvariantViolation, /bytes\./);
      expect(hexOf(untouched)).to.equal("00".repeat(32));
      writeHex32(untouched, 0, right);
      expect(hexOf(untouched)).to.equal(right);
      expect(readHex32(target, 0)).to.equal(right);
    }
  });

  it("is not read past the end", () => {
    expect(() => readHex32(new Uint8Array(40), 9)).to.throw(InvariantViolation, /bytes\.hex32-end/);
    expect(readHex32(new Uint8Array(40), 8)).to.equal("00".repeat(32));
  });
});
