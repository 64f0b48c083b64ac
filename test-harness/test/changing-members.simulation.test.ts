import {
  OBSERVER_LIES,
  type PlannedChange,
  Simulation,
  type SimulationOptions,
  type SimulationReport,
} from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SEEDS = process.env.QUORATE_FULL === "1" ? 40 : 3;

/** Epochs are short, so that all of it happens while there is work. */
function run(seed: number, change: Partial<SimulationOptions>): SimulationReport {
  const sizes = { replicas: 4, operations: 40, checkpointInterval: 4, windowSize: 8 };
  return new Simulation({ ...calmOptions(seed, { faults: [], byzantine: [] }), ...sizes, ...change }).run();
}

function inTurn(...changes: readonly Omit<PlannedChange, "atMs">[]): readonly PlannedChange[] {
  return changes.map((change, i) => ({ ...change, atMs: 300 + 250 * i }) as PlannedChange);
}

const JOIN = { type: "join", replica: 4 } as const;
const LEAVE = { type: "leave", replica: 1, mayLowerFaultThreshold: false } as const;

describe("Members that come and go in the simulator (protocol rules 11.1 to 11.5)", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    it(`one observes, joins and votes, and another leaves and observes, seed ${seed}`, () => {
      const { marks } = run(seed, { joiners: [{ atMs: 20 }], changes: inTurn(JOIN, LEAVE) });

      expect(marks.count("epoch: observer became a member"), "joined").to.equal(1);
      expect(marks.count("epoch: member became an observer"), "left").to.equal(1);
    });

    it(`one is replaced by another while a third lies, seed ${seed}`, () => {
      const { marks } = run(seed, {
        joiners: [{ atMs: 20 }],
        changes: inTurn(JOIN, LEAVE),
        byzantine: [{ replica: 0, behaviour: "equivocates" }],
      });

      expect(marks.count("epoch: observer became a member"), "joined").to.equal(1);
    });

    it(`one that lies while it observes is a member only when that is ordered, seed ${seed}`, () => {
      const { marks } = run(seed, {
        joiners: [{ atMs: 20 }],
        changes: inTurn(JOIN, JOIN, JOIN),
        byzantine: [{ replica: 4, behaviour: "wrong-votes" }],
      });

      for (const lie of Object.values(OBSERVER_LIES))
        expect(marks.count(`byzantine: ${lie}`), lie).to.be.greaterThan(0);
      expect(marks.count("rejected: observer.speaks"), "words of an observer").to.be.greaterThan(0);
      expect(marks.count("rejected: epochs.bad-link"), "forged links").to.be.greaterThan(0);
      expect(marks.count("reconfiguration: joiner-behind"), "false claims").to.be.greaterThan(0);
      expect(marks.count("reconfiguration: accepted"), "by a true one").to.equal(1);
    });

    it(`keys are rotated, and the old one is gone, seed ${seed}`, () => {
      const { marks } = run(seed, { changes: inTurn({ type: "rotate-key", replica: 2 } as PlannedChange) });

      expect(marks.count("epoch: old key gone")).to.equal(1);
    });

    it(`a key in use is another member's, not that of one that has left, seed ${seed}`, () => {
      const left = { ...LEAVE, replica: 0 };
      const used = { type: "rotate-key", replica: 4, isUsed: true } as const;
      const { marks } = run(seed, { joiners: [{ atMs: 20 }], changes: inTurn(JOIN, left, used, used, used, used) });

      expect(marks.count("epoch: member became an observer"), "left").to.equal(1);
      expect(marks.count("reconfiguration: key-used")).to.be.greaterThan(0);
    });

    it(`a member that lost its disk votes again in the epoch that begins with its return, seed ${seed}`, () => {
      const { marks } = run(seed, {
        faults: [{ type: "lose-disk", atMs: 300, replica: 3, downMs: 30 }],
        changes: [{ type: "rejoin", atMs: 500, replica: 3, isBySelf: true }],
      });

      expect(marks.count("epoch: mute member votes in the next one") + marks.count("mute: voted again")).to.equal(1);
    });

    it(`a change that waits is known after power cuts of all, seed ${seed}`, () => {
      const cuts = [420, 520, 620, 720].map((atMs) => {
        return { type: "crash", atMs, replicas: [0, 1, 2, 3], by: "power-cut", downMs: 20 } as const;
      });
      const { marks } = run(seed, {
        windowSize: 32,
        faults: cuts,
        changes: [{ type: "parameters", atMs: 330, checkpointInterval: 8, windowSize: 16 }],
      });

      expect(marks.count("epoch: crash on the way to the activation"), "power cuts in between").to.be.greaterThan(0);
      expect(marks.count("epoch: begun"), "at four replicas").to.be.at.least(4);
    });

    it(`an id is given once, seed ${seed}`, () => {
      const left = { ...LEAVE, replica: 4 };
      const { marks } = run(seed, { joiners: [{ atMs: 20 }], changes: inTurn(JOIN, left, JOIN, JOIN, JOIN) });

      expect(marks.count("reconfiguration: id-used") + marks.count("reconfiguration: joiner-behind")).to.be.greaterThan(
        0,
      );
    });
  }
});
