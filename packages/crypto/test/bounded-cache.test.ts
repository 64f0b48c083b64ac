import { InvariantViolation } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { BoundedCache } from "../dist/bounded-cache.js";

describe("a bounded cache", () => {
  it("never holds more than its bound, and what it returns is what was last set", () => {
    const command = fc.tuple(fc.boolean(), fc.nat(30), fc.nat());
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.array(command, { maxLength: 300 }), (entriesMax, commands) => {
        const cache = new BoundedCache<number, number>(entriesMax);
        const all = new Map<number, number>();
        for (const [isSet, key, value] of commands) {
          if (isSet) {
            cache.set(key, value);
            all.set(key, value);
          } else expect(cache.get(key)).to.be.oneOf([undefined, all.get(key)]);
          expect(cache.size).to.be.at.most(entriesMax);
        }
      }),
      { seed: 3 },
    );
  });

  it("keeps the most recently used half", () => {
    const cache = new BoundedCache<number, number>(8);
    for (let key = 0; key < 100; key++) {
      cache.set(key, key);
      cache.get(0);
    }

    expect([0, 97, 98, 99].map((key) => cache.get(key))).to.deep.equal([0, 97, 98, 99]);
    expect(cache.get(50)).to.equal(undefined);
  });

  it("refuses a bound that leaves no room", () => {
    for (const entriesMax of [1, 0, -1, 2.5, Number.NaN])
      expect(() => new BoundedCache(entriesMax), `${entriesMax}`).to.throw(InvariantViolation);
  });
});
