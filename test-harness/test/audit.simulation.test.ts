import type { ReplicaFrame } from "@quorate/protocol";
import { type Fault, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

function optionsFor(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  return calmOptions(seed, { replicas: 4, clients: 3, operations: 40, safetyMs: 4_000, ...change });
}
const divergingAt = (...times: number[]): Fault[] =>
  times.map((atMs) => ({ type: "diverge", atMs, replica: 2 }) as const);

/** What tells a replica how the others stand. */
function isAudit(frame: ReplicaFrame): boolean {
  if (frame.type === "stable-checkpoint" || frame.type === "below-history") return true;
  return frame.type === "signed" && ["status", "checkpoint"].includes(frame.envelope.message.type);
}

describe("a replica whose state has become wrong (protocol rule 9.5)", () => {
  for (const seed of [1, 2, 3]) {
    it(`finds out by itself, is repaired, goes on, and contradicts nothing that it said, seed ${seed}`, () => {
      const { marks } = new Simulation(optionsFor(seed, { faults: divergingAt(700, 1_400, 2_100) })).run();

      expect(marks.count("audit: diverging")).to.be.greaterThan(0);
      expect(marks.count("audit: repaired")).to.be.greaterThan(0);
    });

    it(`is killed again and again meanwhile, and stays silent of what it may have said wrongly, seed ${seed}`, () => {
      const kills = Array.from({ length: 12 }, (_, i) => {
        return { type: "crash", atMs: 745 + 97 * i + 5 * i * i, replicas: [2], by: "kill", downMs: 3 } as const;
      });
      const options = optionsFor(seed, { faults: [...divergingAt(700), ...kills] });

      const { marks } = new Simulation({ ...options, disk: { ...options.disk, flushMs: [5, 15] } }).run();

      expect(marks.count("audit: diverging")).to.be.greaterThan(0);
    });

    it(`waits for a checkpoint, and orders one, when there has been none, seed ${seed}`, () => {
      const sizes = { checkpointInterval: 32, windowSize: 64, operations: 5 };
      const { marks } = new Simulation(optionsFor(seed, { ...sizes, faults: divergingAt(900, 1_500, 2_100) })).run();

      expect(marks.count("checkpoint: stable"), "only ordered ones").to.be.greaterThan(0);
      expect(marks.count("audit: repaired")).to.be.greaterThan(0);
    });

    it(`does no harm when its own audit is broken, and is named by the others, seed ${seed}`, () => {
      // Faulty in nothing else: gaps are left by primaries, and it is none.
      const byzantine = [{ replica: 2, behaviour: "leaves-gaps" }] as const;
      const options = optionsFor(seed, { byzantine, faults: divergingAt(300, 500, 700, 900) });
      const plant = { isDeafTo: (frame: ReplicaFrame, replica: number) => replica === 2 && isAudit(frame) };

      const { marks } = new Simulation(options, plant).run();

      expect(marks.count("audit: another found to be wrong")).to.be.greaterThan(0);
      expect(marks.entries().filter(([name]) => name.startsWith("audit: quarantined"))).to.deep.equal([]);
    });

    it(`that is delayed for ten seconds is accused of nothing, seed ${seed}`, () => {
      const pause = { type: "pause", atMs: 1_000, replica: 2, forMs: 10_000 } as const;
      const { marks } = new Simulation(optionsFor(seed, { safetyMs: 14_000, faults: [pause] })).run();

      expect(marks.entries().filter(([name]) => name.startsWith("audit:"))).to.deep.equal([]);
    });
  }
});
