import { decodePlainValue, encodePlainValue } from "@quorate/codec";
import { expect } from "chai";

describe("plain values", () => {
  it("come back as they were, with byte strings that are no view into the bytes", () => {
    const value = {
      text: "é→",
      numbers: [0, 23, 2 ** 32, 2 ** 53 - 1, -1, 0.5, 1_700_000_000_000.25],
      bytes: new Uint8Array([1, 2, 3]),
      nothing: [null, undefined, true, false],
      nested: [{ a: [] }, {}],
    };
    const encoded = encodePlainValue(value);
    const decoded = decodePlainValue(Buffer.from(encoded)) as typeof value;

    expect(decoded).to.deep.equal(value);
    expect(Object.getPrototypeOf(decoded.bytes)).to.equal(Uint8Array.prototype);
    expect(decoded.bytes.buffer).to.not.equal(encoded.buffer);
  });

  it("are bytes of their own each: encoding the next one changes nothing", () => {
    const first = encodePlainValue(["first"]);
    const copy = first.slice();
    encodePlainValue(["the next one"]);

    expect(first).to.deep.equal(copy);
  });

  it("refuse bytes that are no CBOR", () => {
    expect(() => decodePlainValue(Uint8Array.of(0xff))).to.throw();
  });
});
