import { Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SEEDS = [1, 2, 3];

/**
 * The first primary proposes one thing to one half of the others and another to the other half, and no half hears the other: three of
 * five, or of six, agree on each.
 */
function split(seed: number, replicas: 5 | 6): SimulationOptions {
  const halves =
    replicas === 5
      ? [
          [0, 1, 3],
          [0, 2, 4],
        ]
      : [
          [0, 1, 3],
          [0, 2, 4, 5],
        ];
  return {
    ...calmOptions(seed, { byzantine: [{ replica: 0, behaviour: "equivocates" }] }),
    replicas,
    faults: [{ type: "partition", atMs: 1, groups: halves, forMs: 900 }],
  };
}

describe("Quorums of four of five and four of six (protocol rule 1.1)", () => {
  for (const replicas of [5, 6] as const)
    for (const seed of SEEDS)
      it(`decide nothing twice where three would, n = ${replicas}, seed ${seed}`, () => {
        const { marks } = new Simulation(split(seed, replicas)).run();

        expect(marks.count("byzantine: equivocates in halves"), "two proposals for one number").to.be.greaterThan(0);
      });
});
