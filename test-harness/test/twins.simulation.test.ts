import { readFileSync } from "node:fs";
import {
  type ByzantineBehaviour,
  Marks,
  NO_CHANGES,
  optionsForSeed,
  parseSimulationOptions,
  Simulation,
} from "@quorate/test-harness";
import { expect } from "chai";

/** So many seeds run at the least, and then until all has been seen that is looked for: rare events need some luck. */
const SEEDS_MIN = 6;
const SEEDS_MAX = 48;

describe("Twins", function () {
  this.timeout(240_000);

  for (const replicas of [4, 7])
    for (const behaviour of ["twins", "twins-with-an-old-disk"] as const)
      it(`of the first primary among ${replicas} (${behaviour}) contradict themselves, and nobody else is accused`, () => {
        const wanted = ["twins equivocated", "evidence names a twin"];
        if (behaviour === "twins-with-an-old-disk") wanted.push("twins: one from an old disk");

        expect(run(replicas, [{ replica: 0, behaviour }], wanted).missing(wanted)).to.deep.equal([]);
      });

  it("of two members at once, the most that seven bear, do no more harm", () => {
    const wanted = ["evidence names a twin"];
    const two = [
      { replica: 0, behaviour: "twins" },
      { replica: 1, behaviour: "twins-with-an-old-disk" },
    ] as const;

    expect(run(7, two, wanted).missing(wanted)).to.deep.equal([]);
  });

  it("may be in an epoch before everyone else is", () => {
    const file = new URL("../test/twin-first-in-an-epoch.json", import.meta.url);
    const report = new Simulation(parseSimulationOptions(readFileSync(file, "utf8"))).run();
    expect(report.marks.missing(["twins equivocated"])).to.deep.equal([]);
  });

  /** Seeds of the swarm with these liars, and no disk that is lost beside them: it would be one of the f. A seed that fails throws. */
  function run(
    replicas: number,
    byzantine: readonly { replica: number; behaviour: ByzantineBehaviour }[],
    wanted: readonly string[],
  ): Marks {
    const marks = new Marks();
    for (let seed = 0; seed < SEEDS_MIN || (seed < SEEDS_MAX && marks.missing(wanted).length > 0); seed++) {
      const options = optionsForSeed(seed);
      const faults = options.faults.filter(({ type }) => type !== "disk-damage" && type !== "lose-disk");
      const report = new Simulation({ ...options, ...NO_CHANGES, faults, replicas, byzantine }).run();
      for (const [mark, count] of report.marks.entries()) marks.add(mark, count);
    }
    return marks;
  }
});
