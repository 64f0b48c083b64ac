import {
  type Fault,
  NO_CHANGES,
  optionsForSeed,
  Simulation,
  type SimulationOptions,
  type SimulationReport,
} from "@quorate/test-harness";
import { expect } from "chai";

const SEEDS = 12;
const K = 3;

/** A network that loses nothing, and nobody who fails: what changes primaries is only what is asked for. */
function calm(seed: number, changes: Partial<SimulationOptions>): SimulationReport {
  return new Simulation({
    ...optionsForSeed(seed),
    ...NO_CHANGES,
    replicas: 4,
    faultyClients: 0,
    rotateEveryBatches: 0,
    network: { lossMax: 0, duplicate: 0, straggle: 0, straggleMs: 1, delayMs: [1, 3], jitterMs: 1 },
    disk: { store: "memory", flushMs: [0.5, 1], slow: 0, slowMs: 1, historyBytesMax: 1e9 },
    viewChangeMs: 1_200,
    clockSkewMs: 0,
    clocks: [],
    faults: [],
    byzantine: [],
    ...changes,
  }).run();
}

describe("primaries that take turns in a simulation without faults (protocol rule 7.6)", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    it(`order ${K} batches each, without a time-out or a null batch, seed ${seed}`, () => {
      const { marks, batches } = calm(seed, { rotateEveryBatches: K });
      const turns = Math.floor(batches / K);
      expect(turns).to.be.greaterThan(3);
      expect(marks.count("view: new one entered"), `views entered by four in ${turns} turns`).to.equal(4 * turns);
      expect(marks.count("view: rotated")).to.be.greaterThan(turns);
      expect(marks.count("view: left after timer progress")).to.equal(0);
      expect(marks.count("view: null batch executed")).to.equal(0);
    });

    it(`hand over when they are asked, without a time-out or a null batch, seed ${seed}`, () => {
      const faults = [200, 400, 600, 800].map((atMs): Fault => ({ type: "hand-over", atMs, replica: "primary" }));
      const { marks } = calm(seed, { faults });
      expect(marks.count("hand-over: asked")).to.equal(4);
      expect(marks.count("view: new one entered"), "views entered by four").to.equal(16);
      expect(marks.count("view: left after timer progress")).to.equal(0);
      expect(marks.count("view: null batch executed")).to.equal(0);
    });
  }

  it("do neither unless it is asked for", () => {
    expect(calm(0, {}).marks.count("view: new one entered")).to.equal(0);
  });
});
