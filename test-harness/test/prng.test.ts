import { Prng } from "@quorate/test-harness";
import { expect } from "chai";

describe("Seeded randomness", () => {
  it("gives equal streams for equal names and others for others", () => {
    const draw = (name: string): number[] => {
      const prng = new Prng(name);
      return Array.from({ length: 20 }, () => prng.uint32());
    };

    expect(draw("seed/1")).to.deep.equal(draw("seed/1"));
    expect(draw("seed/1")).to.not.deep.equal(draw("seed/2"));
  });

  it("forks streams that do not depend on what was drawn before", () => {
    const fresh = new Prng("seed/1");
    const used = new Prng("seed/1");
    for (let i = 0; i < 100; i++) used.uint32();

    expect(used.fork("disk").uint32()).to.equal(fresh.fork("disk").uint32());
    expect(fresh.fork("disk").uint32()).to.not.equal(fresh.fork("network").uint32());
  });

  it("covers a range evenly, both ends of integers included", () => {
    const prng = new Prng("even");
    const counts = [0, 0, 0, 0, 0];

    for (let i = 0; i < 10_000; i++) counts[prng.integer(0, 4)]! += 1;

    for (const count of counts) expect(count).to.be.within(1800, 2200);
  });

  it("keeps to its bounds and to its probabilities", () => {
    const prng = new Prng("bounds");
    let hits = 0;

    for (let i = 0; i < 10_000; i++) {
      expect(prng.between(2, 3)).to.be.within(2, 3);
      expect(["a", "b"]).to.include(prng.pick(["a", "b"]));
      if (prng.chance(0.3)) hits += 1;
    }

    expect(hits).to.be.within(2800, 3200);
    expect(prng.chance(0)).to.equal(false);
    expect(prng.chance(1)).to.equal(true);
  });
});
