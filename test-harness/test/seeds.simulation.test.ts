import { Campaign, EXPECTED_MARKS, optionsForSeed } from "@quorate/test-harness";
import { expect } from "chai";

const SEEDS = process.env.QUORATE_FULL === "1" ? 2000 : 200;

describe(`${SEEDS} simulated clusters`, () => {
  const campaign = new Campaign();

  for (let seed = 0; seed < SEEDS; seed++)
    it(`keep every promise and come to rest, seed ${seed}`, () => void campaign.run(seed));

  it("went through every kind of event at least once", () => {
    expect(campaign.tally.marks.missing(EXPECTED_MARKS)).to.deep.equal([]);
  });

  it("had loss, reordering and a restart of a backup each", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { network, faults } = optionsForSeed(seed);
      expect(network.lossMax, `seed ${seed}`).to.be.within(0.01, 0.3);
      expect(network.straggle, `seed ${seed}`).to.be.greaterThan(0);
      const backups = faults.filter(
        (fault) => fault.type === "crash" && fault.replicas.some((id) => id !== "primary" && id > 0),
      );
      expect(backups, `seed ${seed}`).to.not.be.empty;
    }
  });
});
