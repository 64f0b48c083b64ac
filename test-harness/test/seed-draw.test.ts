import {
  FULL_DRAW,
  optionsForSeed,
  SEED_DRAWS,
  SimulationFailure,
  type SimulationOptions,
} from "@quorate/test-harness";
import { expect } from "chai";

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);

/** What stands without swarms: all but the seed and what is drawn in any case, wrong clocks and the kind of disks included. */
function ratesOf(options: SimulationOptions): string {
  const { seed, scheme, safetyMs, faults, byzantine, clocks, disk, checkpointOrders, changes, joiners, ...rates } =
    options;
  return JSON.stringify({
    ...rates,
    disk: { ...disk, store: undefined },
    of: [
      typeof seed,
      typeof scheme,
      typeof safetyMs,
      typeof faults,
      typeof checkpointOrders,
      typeof changes,
      byzantine.length > 0,
    ],
  });
}

describe("what a seed draws", () => {
  it("is everything unless something is left out", () => {
    for (const seed of SEEDS)
      expect(optionsForSeed(seed), `seed ${seed}`).to.deep.equal(
        optionsForSeed(seed, { isSwarm: true, isByzantine: true, changes: "drawn" }),
      );
    expect(SEEDS.filter((seed) => optionsForSeed(seed).byzantine.length > 0).length).to.be.greaterThan(20);
    expect(new Set(SEEDS.map((seed) => ratesOf(optionsForSeed(seed)))).size).to.be.greaterThan(30);
  });

  it("has no Byzantine replica without them, and the same sizes, rates and faults otherwise", () => {
    for (const seed of SEEDS) {
      // Damaged and lost disks, wrong states, and clocks that run from another epoch count against f: what is left of it decides on them.
      // Where clocks are wrong primaries take no turns.
      const drawn = optionsForSeed(seed, { isSwarm: true, isByzantine: false, changes: "drawn" });
      const { byzantine, faults, clocks, disk, rotateEveryBatches, changes, joiners, ...rest } = drawn;
      const full = optionsForSeed(seed);
      expect(byzantine, `seed ${seed}`).to.deep.equal([]);
      expect({ ...full, ...rest }, `seed ${seed}`).to.deep.equal(full);
      const ofAnySeed = faults.filter(
        ({ type }) => !type.startsWith("disk-") && type !== "lose-disk" && type !== "diverge",
      );
      expect(full.faults, `seed ${seed}`).to.include.deep.members(ofAnySeed);
    }
  });

  it("is one set of rates for all without swarms, and faults that differ", () => {
    const drawn = SEEDS.map((seed) => optionsForSeed(seed, { isSwarm: false, isByzantine: false, changes: "drawn" }));

    expect(new Set(drawn.map(ratesOf)).size).to.equal(1);
    expect(new Set(drawn.map(({ faults }) => JSON.stringify(faults))).size).to.equal(SEEDS.length);
    for (const { replicas, joiners, faults } of drawn)
      for (const fault of faults)
        if (fault.type === "crash")
          for (const id of fault.replicas) expect(id === "primary" || id < replicas + joiners.length).to.equal(true);
  });

  it("has changes in every seed where they are drawn always, but for lies that need calm, and else the same", () => {
    const always = SEEDS.map((seed) => optionsForSeed(seed, { ...FULL_DRAW, changes: "always" }));

    const unchanged = always.filter(({ changes }) => changes.length === 0);
    expect(unchanged.filter(({ byzantine: [liar] }) => liar?.behaviour.startsWith("delays-") !== true)).to.deep.equal(
      [],
    );
    expect(unchanged.length).to.be.below(SEEDS.length / 10);
    const without = SEEDS.filter((seed) => optionsForSeed(seed).changes.length === 0).length;
    expect(without).to.be.within(SEEDS.length / 3, (SEEDS.length * 4) / 5);
    for (const { changes, joiners, areClientsListed, faults, byzantine, ...rest } of always)
      expect(optionsForSeed(rest.seed), `seed ${rest.seed}`).to.deep.include(rest);
  });

  it("is in the command that repeats a failed run", () => {
    const commands = SEED_DRAWS.map((draw) => {
      const options = optionsForSeed(3, draw);
      const site = { options, atMs: 0, status: [], trace: [], replicaTrace: undefined };
      return new SimulationFailure(new Error("an error"), site).message.split("\n").at(-1);
    });

    // Seed 3 is one of those that draw no Byzantine replica: there its flag changes nothing.
    expect(new Set(commands)).to.deep.equal(
      new Set(
        ["", " --no-swarm", " --changes always", " --no-swarm --changes always"].map(
          (flags) => `repeat: npm run simulate -- --seed 3${flags}`,
        ),
      ),
    );
    const options = optionsForSeed(4, { isSwarm: false, isByzantine: false, changes: "drawn" });
    const site = { options, atMs: 0, status: [], trace: [], replicaTrace: undefined };
    expect(new SimulationFailure(new Error("an error"), site).message).to.match(
      /\nrepeat: npm run simulate -- --seed 4 --no-swarm --no-byzantine$/,
    );
  });
});
