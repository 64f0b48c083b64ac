import { type Fault, optionsForSeed, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const READS = { readers: 2, reads: 40 };
const SMALL: Partial<SimulationOptions> = {
  ...{ replicas: 4, clients: 3, operations: 60, safetyMs: 3_000 },
  ...{ checkpointInterval: 8, windowSize: 24 },
};

describe("stale reads (protocol rule 6.2), compared with what was ordered", () => {
  for (const seed of [1, 2, 3])
    it(`are true of their checkpoints, and all are answered, seed ${seed}`, () => {
      const { marks } = new Simulation(calmOptions(seed, { ...SMALL, faults: [] }), { staleReads: READS }).run();

      expect(marks.count("stale read: values") + marks.count("stale read: entries")).to.equal(80);
      expect(marks.count("stale read: entries")).to.be.greaterThan(0);
    });

  it("are true though one of four changes what it sends, and is found to lie, and others are gone for a while", () => {
    const crash: Fault = { type: "crash", atMs: 700, replicas: [1], by: "kill", downMs: 500 };
    const wiped: Fault = { type: "lose-disk", atMs: 1_600, replica: 2, downMs: 300 };
    const byzantine = [{ replica: 3, behaviour: "mutates" }] as const;
    let lies = 0;
    for (const seed of [4, 5, 6, 7]) {
      const options = calmOptions(seed, { ...SMALL, faults: [crash, wiped], byzantine });
      const { marks } = new Simulation(options, { staleReads: READS }).run();

      expect(marks.count("stale read: values") + marks.count("stale read: entries"), `seed ${seed}`).to.equal(80);
      for (const lie of ["bad-proof", "bad-certificate", "other-question"]) lies += marks.count(`stale read: ${lie}`);
    }
    expect(lies).to.be.greaterThan(0);
  });

  for (const seed of [8, 9, 10])
    it(`are true among the faults of a swarm, seed ${seed}`, () => {
      const options = { ...optionsForSeed(seed), faultyClients: 0, checkpointInterval: 8, windowSize: 24 };
      const { marks } = new Simulation(options, { staleReads: READS }).run();

      expect(marks.count("stale read: values") + marks.count("stale read: entries")).to.equal(80);
    });

  it("would be found to be wrong by this comparison", () => {
    const options = calmOptions(1, { ...SMALL, faults: [] });
    // All replicas agree on a service that is another one than the comparison's.
    const run = (): unknown =>
      new Simulation(options, {
        staleReads: READS,
        inner: (service) => ({
          ...service,
          execute: (operation, state, context) => {
            const result = service.execute(operation, state, context);
            const counter = new TextEncoder().encode("counter/0");
            if (state.get(counter)?.length === 2) state.put(counter, new TextEncoder().encode("7"));
            return result;
          },
        }),
      }).run();

    expect(run).to.throw(/stale-reads\.wrong/);
  });
});
