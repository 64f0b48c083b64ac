import { type ByzantineBehaviour, Marks, optionsForSeed, Simulation } from "@quorate/test-harness";
import { expect } from "chai";

/** Rare events need some luck. */
const SEEDS = 6;

describe("Twins", function () {
  this.timeout(120_000);

  for (const replicas of [4, 7])
    for (const behaviour of ["twins", "twins-with-an-old-disk"] as const)
      it(`of the first primary among ${replicas} (${behaviour}) contradict themselves, and nobody else is accused`, () => {
        const marks = run(replicas, [{ replica: 0, behaviour }]);

        expect(marks.count("twins equivocated"), "contradictions").to.be.greaterThan(0);
        expect(marks.count("evidence names a twin"), "pieces of evidence").to.be.greaterThan(0);
        if (behaviour === "twins-with-an-old-disk")
          expect(marks.count("twins: one from an old disk")).to.be.greaterThan(0);
      });

  it("of two members at once, the most that seven bear, do no more harm", () => {
    const marks = run(7, [
      { replica: 0, behaviour: "twins" },
      { replica: 1, behaviour: "twins-with-an-old-disk" },
    ]);

    expect(marks.count("evidence names a twin")).to.be.greaterThan(0);
  });

  /** Seeds of the swarm with these liars; a seed that fails throws. */
  function run(replicas: number, byzantine: readonly { replica: number; behaviour: ByzantineBehaviour }[]): Marks {
    const marks = new Marks();
    for (let seed = 0; seed < SEEDS; seed++)
      for (const [mark, count] of new Simulation({ ...optionsForSeed(seed), replicas, byzantine })
        .run()
        .marks.entries())
        marks.add(mark, count);
    return marks;
  }
});
