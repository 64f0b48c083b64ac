import { bytesToHex } from "@quorate/protocol";
import { expect } from "chai";
import { SeedCache } from "../dist/seed-cache.js";

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

describe("a seed cache", () => {
  it("gives each seed its own key, in whatever order they are asked for", () => {
    const cache = new SeedCache((of) => ({ id: bytesToHex(of) }));

    for (const byte of [1, 1, 2, 1, 3, 3, 2, 1]) expect(cache.keyOf(seed(byte)).id).to.equal(bytesToHex(seed(byte)));
  });

  it("makes each key once", () => {
    let made = 0;
    const cache = new SeedCache(() => ({ number: ++made }));

    for (const byte of [1, 1, 2, 1, 2, 2, 1]) expect(cache.keyOf(seed(byte)).number).to.equal(byte);

    expect(made).to.equal(2);
  });

  it("sees a seed that was changed in place as another", () => {
    const cache = new SeedCache((of) => ({ id: bytesToHex(of) }));
    const changing = seed(7);
    cache.keyOf(changing);
    changing[31] = 8;

    expect(cache.keyOf(changing).id).to.equal(bytesToHex(changing));
    expect(cache.keyOf(seed(7)).id).to.equal(bytesToHex(seed(7)));
  });
});
