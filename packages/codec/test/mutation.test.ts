import { describeDecodeError } from "@quorate/codec";
import { expect } from "chai";
import { SAMPLE_LIST } from "./samples.ts";

describe("codec on damaged frames", () => {
  for (const { shape, name, value } of SAMPLE_LIST) {
    it(`refuses every truncation of ${shape.kind} "${name}"`, () => {
      const bytes = shape.encode(value);

      for (let length = 0; length < bytes.length; length++) {
        const decoded = shape.decode(bytes.subarray(0, length));
        expect(decoded.ok, `${length} of ${bytes.length} bytes`).to.equal(false);
        if (!decoded.ok) expect(decoded.error.code, describeDecodeError(decoded.error)).to.equal("truncated");
      }
    });

    it(`refuses ${shape.kind} "${name}" with anything behind it`, () => {
      const bytes = shape.encode(value);

      for (const tail of [Uint8Array.of(0), Uint8Array.of(0xff), bytes]) {
        const decoded = shape.decode(Uint8Array.of(...bytes, ...tail));
        expect(decoded.ok ? "accepted" : decoded.error.code).to.equal("trailing-bytes");
      }
    });

    it(`refuses every single-bit flip of ${shape.kind} "${name}", or reads it as another value with those bytes`, () => {
      const bytes = shape.encode(value);
      let refused = 0;

      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Uint8Array.from(bytes);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const decoded = shape.decode(flipped);
        if (!decoded.ok) {
          refused++;
          continue;
        }
        if (Buffer.compare(shape.encode(decoded.value), flipped) !== 0) expect.fail(`bit ${bit} has two encodings`);
      }

      // Headers, lengths and type numbers are in every frame: a run that refuses nothing has decoded nothing.
      expect(refused).to.be.greaterThan(8);
    });
  }
});
