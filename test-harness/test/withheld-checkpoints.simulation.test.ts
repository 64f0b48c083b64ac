import { Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const K = 8;

/** Replica 3 says no CHECKPOINT; replica 1 is down for a while, and then the other two are no quorum for a state. */
function optionsFor(seed: number): SimulationOptions {
  return calmOptions(seed, {
    replicas: 4,
    checkpointInterval: K,
    operations: 120,
    safetyMs: 1_500,
    faults: [{ type: "crash", atMs: 300, replicas: [1], downMs: 500 }],
    byzantine: [{ replica: 3, behaviour: "withholds-checkpoints" }],
  });
}

describe("a member that votes for every batch and for no checkpoint (OSDI'99 §4.3)", () => {
  for (const seed of [1, 2, 3])
    it(`holds the low watermark back for as long as another one is down, and no longer, seed ${seed}`, () => {
      const lines: string[] = [];
      // Ends only when all that was called for is answered and the correct ones stand at one place.
      const { marks } = new Simulation(optionsFor(seed), {}, undefined, lines).run();

      const events = lines.map((line) => line.slice(line.indexOf(" ") + 1));
      const up = events.findIndex((event) => /^r1 up at e[1-9]/.test(event));
      const before = events.slice(0, up);
      const voted = highest(before, /^r[02] < r1 checkpoint n(\d+)/);
      expect(highest(before, /^r[02] stable n(\d+)/), "h, as far as all three had voted").to.equal(voted);
      expect(highest(before, /^r0 executed n(\d+)/), "batches go on").to.be.at.least(voted + K);
      expect(highest(events, /^r[02] stable n(\d+)/), "h moves again").to.be.greaterThan(voted);
      expect(highest(events, /^r\d < r3 checkpoint n(\d+)/)).to.equal(0);
      expect(marks.count("byzantine: withholds-checkpoints")).to.be.greaterThan(0);
    });
});

/** The highest number that such an event tells of; 0 when there is none. */
function highest(events: readonly string[], pattern: RegExp): number {
  return Math.max(0, ...events.map((event) => Number(pattern.exec(event)?.[1] ?? 0)));
}
