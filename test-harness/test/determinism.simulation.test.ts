import { optionsForSeed, Simulation } from "@quorate/test-harness";
import { expect } from "chai";

/** The last one runs real signatures and the codec. */
const SEEDS = [0, 1, 2, 3, 5, 8, 13, 19];

describe("A simulated run", () => {
  it("leaves the same trace whenever its seed is run, and another than other seeds", () => {
    const hashes = SEEDS.map((seed) => {
      const [first, second] = [0, 1].map(() => new Simulation(optionsForSeed(seed)).run().traceHash);
      expect(first, `seed ${seed}`).to.equal(second);
      return first;
    });

    expect(new Set(hashes).size).to.equal(SEEDS.length);
  });
});
