import { Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

/**
 * Replica 2 says no PREPARE while replica 3 hears nothing: it alone can prove what prepared in view 0. View 1 begins without
 * it, and ends; replica 3 is back, and from then on only replica 2 is faulty.
 */
function optionsFor(seed: number): SimulationOptions {
  return calmOptions(seed, {
    replicas: 4,
    clients: 3,
    operations: 20,
    safetyMs: 3_500,
    faults: [{ type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 2_600 }],
    byzantine: [{ replica: 2, behaviour: "hides-certificates" }],
  });
}

describe("a member that alone can prove what prepared (protocol rule 4.4)", () => {
  for (const seed of [1, 2, 3])
    it(`finds the batch with everyone who voted for it, however many views later, seed ${seed}`, () => {
      // Ends only when all that was called for is answered.
      const { marks } = new Simulation(optionsFor(seed)).run();

      expect(marks.count("byzantine: claims a hidden certificate")).to.be.greaterThan(0);
    });

  for (const seed of [1, 2, 3])
    it(`also when all of those have been restarted since, seed ${seed}`, () => {
      const options = optionsFor(seed);
      const crash = { type: "crash", atMs: 1_050, replicas: [0, 1], downMs: 20 } as const;

      const { marks } = new Simulation({ ...options, faults: [...options.faults, crash] }).run();

      expect(marks.count("byzantine: claims a hidden certificate")).to.be.greaterThan(0);
    });
});
