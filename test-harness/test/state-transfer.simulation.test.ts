import { Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

/** No history: whoever misses a batch and does not get it at once needs the state of the others. */
function optionsFor(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  const options = calmOptions(seed, { replicas: 4, clients: 3, operations: 40, safetyMs: 4_000, ...change });
  return { ...options, disk: { ...options.disk, historyBytesMax: 0 } };
}

/** Members that lie to whoever fetches, each in its own way. */
const DONORS = [
  "mutates",
  "garbage-answers",
  "drips-answers",
  "silent",
  "silent-to-one-replica",
  "rolls-back",
] as const;

describe("a replica that is left behind (protocol rule 10.1)", () => {
  for (const seed of [1, 2, 3]) {
    it(`has the state brought to it when it was cut off for long, seed ${seed}`, () => {
      const cut = { type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 } as const;

      const { marks } = new Simulation(optionsFor(seed, { faults: [cut] })).run();

      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
      expect(marks.count("state transfer: only what differs")).to.be.greaterThan(0);
    });

    it(`comes back with an empty disk, seed ${seed}`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;

      const { marks } = new Simulation(optionsFor(seed, { faults: [loss] })).run();

      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
    });

    for (const behaviour of DONORS)
      it(`has it brought to it although a donor ${behaviour}, seed ${seed}`, () => {
        const cut = { type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 } as const;
        const byzantine = [{ replica: 1, behaviour }] as const;

        // Of seven, so that the others go on while one lies and one is cut off.
        const { marks } = new Simulation(optionsFor(seed, { replicas: 7, faults: [cut], byzantine })).run();

        expect(marks.count("state transfer: done")).to.be.greaterThan(0);
      });

    it(`goes on installing when it is killed again and again, seed ${seed}`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;
      const kills = Array.from({ length: 14 }, (_, i) => {
        return { type: "crash", atMs: 1_400 + 173 * i + 7 * i * i, replicas: [2], by: "kill", downMs: 3 } as const;
      });
      const options = optionsFor(seed, { faults: [loss, ...kills] });

      // Between the two flushes with which an installation ends there is much time for a kill.
      const { marks } = new Simulation({ ...options, disk: { ...options.disk, flushMs: [15, 25] } }).run();

      expect(marks.count("state transfer: went on after a crash")).to.be.greaterThan(0);
      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
    });

    it(`finds bits that flip in its state when it reads them, and has what differs brought to it, seed ${seed}`, () => {
      const faults = Array.from({ length: 60 }, (_, i) => {
        return { type: "damage-state", atMs: 1_000 + 20 * i, replica: 1 } as const;
      });

      const { marks } = new Simulation(optionsFor(seed, { faults })).run();

      expect(marks.count("state: damaged")).to.be.greaterThan(0);
      expect(marks.count("state transfer: damage found")).to.be.greaterThan(0);
      expect(marks.count("state transfer: repaired")).to.be.greaterThan(0);
    });
  }
});
