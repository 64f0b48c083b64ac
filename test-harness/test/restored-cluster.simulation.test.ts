import {
  type Fault,
  optionsForSeed,
  type SimulatedBackup,
  Simulation,
  type SimulationOptions,
  type SimulationReport,
} from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const ALL = [0, 1, 2, 3];
const WIPED_FIRST: Fault = { type: "lose-disk", atMs: 120, replica: 2, downMs: 20 };

function optionsFor(
  seed: number,
  faults: readonly Fault[],
  change: Partial<SimulationOptions> = {},
): SimulationOptions {
  const sizes = { replicas: 4, clients: 3, operations: 30, safetyMs: 3_000 };
  return calmOptions(seed, { ...sizes, checkpointOrders: [], faults, ...change });
}

/** What a cluster that served these clients for a while leaves. */
function backupOf(seed: number): SimulatedBackup {
  const old = new Simulation(optionsFor(seed, []));
  old.run();
  return old.backUp();
}

/** The next cluster, with checkpoints far apart; the checkers count on from what the old one had, and compare all states. */
function runNext(
  seed: number,
  faults: readonly Fault[],
): SimulationReport & { readonly lines: readonly string[]; readonly restored: SimulatedBackup } {
  const restored = backupOf(seed);
  const options = optionsFor(seed + 100, faults, { checkpointInterval: 16, windowSize: 48 });
  // Hardly any history: what is missing above the checkpoints is in them.
  const disk = { ...options.disk, historyBytesMax: 2_000 };
  const lines: string[] = [];
  return { ...new Simulation({ ...options, disk }, { restored }, undefined, lines).run(), lines, restored };
}

describe("a cluster that starts from the backup of another one (decision 0036)", () => {
  for (const seed of [1, 2, 3]) {
    it(`serves, and brings the state of genesis to one that loses its disk before the first checkpoint, seed ${seed}`, () => {
      const { lines, marks, restored } = runNext(seed, [WIPED_FIRST]);

      expect(restored.restored.entries, "there is something to bring").to.be.greaterThan(2);
      expect(transfersOf(lines, "r2")[0]).to.equal("r2 has the state at n0");
      expect(marks.count("mute: voted again")).to.equal(1);
      expect(marks.count("checkpoint: stable")).to.be.greaterThan(0);
    });

    it(`brings its state to one that is wiped before the first checkpoint, and to another one later, seed ${seed}`, () => {
      const wipedLater: Fault = { type: "lose-disk", atMs: 2_000, replica: 1, downMs: 20 };
      const { lines, marks } = runNext(seed, [WIPED_FIRST, wipedLater]);

      expect(transfersOf(lines, "r2")[0]).to.equal("r2 has the state at n0");
      expect(transfersOf(lines, "r1").at(-1), "that of a checkpoint").to.match(/^r1 has the state at n[1-9]\d*$/);
      expect(marks.count("mute: voted again")).to.equal(2);
    });

    it(`goes on when the wiped one is killed while it has nothing, and all lose their power before the first checkpoint, seed ${seed}`, () => {
      const kills = [141, 146, 152, 160].map((atMs): Fault => {
        return { type: "crash", atMs, replicas: [2], by: "kill", downMs: 2 };
      });
      const powerCut: Fault = { type: "crash", atMs: 400, replicas: ALL, by: "power-cut", downMs: 30 };
      const { lines, marks } = runNext(seed, [WIPED_FIRST, ...kills, powerCut]);

      expect(transfersOf(lines, "r2").length).to.be.greaterThan(0);
      expect(marks.count("state transfer: went on after a crash")).to.be.greaterThan(0);
      expect(marks.count("mute: voted again")).to.be.greaterThan(0);
    });

    it(`keeps all promises among the faults of a swarm, seed ${seed}`, () => {
      const drawn = optionsForSeed(seed);
      const options = { ...drawn, disk: { ...drawn.disk, store: "memory" } as const };

      const { batches } = new Simulation(options, { restored: backupOf(seed) }).run();

      expect(batches).to.be.greaterThan(0);
    });
  }
});

function transfersOf(lines: readonly string[], end: string): readonly string[] {
  return lines.flatMap((line) => line.match(new RegExp(`${end} has the state at n\\d+`))?.[0] ?? []);
}
