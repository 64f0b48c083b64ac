import { optionsForSeed, type PlannedChange, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SEEDS = process.env.QUORATE_FULL === "1" ? 200 : 12;

/** Three changes of K and L, the second asked for while the first may still wait. */
function changesOf({ checkpointInterval: k, windowSize: l, safetyMs }: SimulationOptions): readonly PlannedChange[] {
  const halved = { checkpointInterval: Math.max(1, Math.floor(k / 2)), windowSize: 2 * Math.max(1, Math.floor(k / 2)) };
  const before = { checkpointInterval: k, windowSize: l };
  return [
    { atMs: safetyMs * 0.1, type: "parameters", ...halved },
    { atMs: safetyMs * 0.4, type: "parameters", ...before },
    { atMs: safetyMs * 0.7, type: "parameters", ...halved },
  ];
}

function run(options: SimulationOptions): ReturnType<Simulation["run"]> {
  return new Simulation({ ...options, changes: changesOf(options) }).run();
}

describe("epochs in the simulator (protocol rules 11.1 to 11.4)", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    it(`follow each other while requests are served, seed ${seed}`, () => {
      const { marks } = run(calmOptions(seed, { replicas: 4, faults: [], byzantine: [] }));

      expect(marks.count("reconfiguration: accepted"), "changes").to.be.at.least(1);
      const begun = marks.count("epoch: begun");
      expect(begun, "at four replicas").to.be.at.least(4 * marks.count("reconfiguration: accepted"));
    });

    it(`follow each other among all other faults, seed ${1_000 + seed}`, () => {
      const { marks } = run(optionsForSeed(1_000 + seed));

      expect(marks.count("epoch: begun") + marks.count("reconfiguration: in-flight")).to.be.greaterThan(0);
    });
  }
});
