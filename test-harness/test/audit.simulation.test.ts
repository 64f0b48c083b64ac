import { Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

function optionsFor(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  return calmOptions(seed, { replicas: 4, clients: 3, operations: 40, safetyMs: 4_000, ...change });
}

describe("a replica whose state has become wrong (protocol rule 9.5)", () => {
  for (const seed of [1, 2, 3]) {
    it(`finds out by itself, is repaired, goes on, and contradicts nothing that it said, seed ${seed}`, () => {
      const faults = [1, 2, 3].map((i) => ({ type: "diverge", atMs: 700 * i, replica: 2 }) as const);

      const { marks } = new Simulation(optionsFor(seed, { faults })).run();

      expect(marks.count("audit: diverging")).to.be.greaterThan(0);
      expect(marks.count("audit: repaired")).to.be.greaterThan(0);
    });
  }
});
