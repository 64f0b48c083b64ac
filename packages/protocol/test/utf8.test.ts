import { InvariantViolation, isUtf8, utf8, utf8Text } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";

/** Strings without lone surrogates: every other string is not well-formed text. */
const text = fc.string({ unit: "binary", maxLength: 40 });

describe("UTF-8", () => {
  it("reads back what it has written, with nothing left out", () => {
    fc.assert(
      fc.property(text, (written) => {
        expect(utf8Text(utf8(written))).to.equal(written);
      }),
    );
    expect(utf8Text(utf8("\uFEFFa"))).to.equal("\uFEFFa");
  });

  it("reads what the platform reads, and nothing else", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x9f, 0xa0),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 6 }), (list) => {
        const bytes = Uint8Array.from(list);
        let expected: string | undefined;
        try {
          expected = strict.decode(bytes);
        } catch {
          expected = undefined;
        }
        expect(isUtf8(bytes, 0, bytes.length)).to.equal(expected !== undefined);
        if (expected === undefined) expect(() => utf8Text(bytes)).to.throw(InvariantViolation, "bytes.utf8");
        else expect(utf8Text(bytes)).to.equal(expected);
      }),
      { numRuns: 500 },
    );
  });
});
