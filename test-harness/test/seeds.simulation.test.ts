import { randomInt } from "node:crypto";
import {
  Campaign,
  CHANGES_DRAWS,
  changesOf,
  expectedMarks,
  FULL_DRAW,
  isOfOtherEpochs,
  isSeldomMutated,
  mutationCoverage,
  optionsForSeed,
  reachedAllTheSame,
  runSeed,
  runSeeds,
  type SeedResult,
} from "@quorate/test-harness";
import { expect } from "chai";

/** Always the same, so that a failure here is a change of the code. */
const FIXED = seedsFrom(0, 200);
/** Never seen before; the titles of their tests say which they were. */
const FRESH = seedsFrom(randomInt(1_000_000, 1_000_000_000), 100);
/** Of `npm run test:full`: changes as they are drawn in the first half, and in every seed of the second. */
const FULL = seedsFrom(0, 10_000);
const CHANGING_MIN = FULL.length / 2;
const JOBS = 2;
const RUNS_PER_MINUTE_MIN = 100;

function seedsFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function expectPassed(result: SeedResult): void {
  if (!result.hasPassed) expect.fail(`${result.message}\nsaved: ${result.files.join(", ")}`);
}

describe(`simulated clusters, seeds 0..199 and fresh ones from ${FRESH[0]}`, () => {
  const campaign = new Campaign();

  for (const seed of [...FIXED, ...FRESH])
    it(`keep every promise and come to rest, seed ${seed}`, () => {
      const result = runSeed(seed, { draw: FULL_DRAW });
      campaign.add(result);
      expectPassed(result);
    });

  it("went through every kind of event at least once", () => {
    expect(campaign.tally.marks.missing(expectedMarks(FIXED.length + FRESH.length))).to.deep.equal([]);
  });

  it("rejected nothing for a reason that is said to be out of reach", () => {
    expect(reachedAllTheSame(campaign.tally.marks)).to.deep.equal([]);
  });

  it("had loss, reordering and a restart of a backup each", () => {
    for (const seed of [...FIXED, ...FRESH]) {
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

if (process.env.QUORATE_FULL === "1")
  describe(`${FULL.length} simulated clusters in ${JOBS} processes`, () => {
    it(`keep every promise, at ${RUNS_PER_MINUTE_MIN} runs a minute or more on a core`, async () => {
      const startedMs = performance.now();
      const campaign = new Campaign();
      for (const changes of CHANGES_DRAWS) {
        const half = changes === "drawn" ? FULL.slice(0, CHANGING_MIN) : FULL.slice(CHANGING_MIN);
        for await (const result of runSeeds(half, { draw: { ...FULL_DRAW, changes }, jobs: JOBS }))
          campaign.add(result);
      }
      const perMinute = (FULL.length * 60_000) / (performance.now() - startedMs) / JOBS;

      process.stdout.write(`${changesOf(campaign.tally)}\n`);
      for (const failure of campaign.tally.failures) expectPassed(failure);
      expect(campaign.tally.changing, "seeds with changes").to.be.at.least(CHANGING_MIN);
      expect(campaign.tally.marks.missing(expectedMarks(FULL.length)), "never happened").to.deep.equal([]);
      const never = mutationCoverage(campaign.tally.marks).never.filter(
        (mark) => !isSeldomMutated(mark) && !isOfOtherEpochs(mark),
      );
      expect(never, "fields of messages never mutated").to.deep.equal([]);
      expect(reachedAllTheSame(campaign.tally.marks)).to.deep.equal([]);
      expect(perMinute, "runs a minute on a core").to.be.at.least(RUNS_PER_MINUTE_MIN);
    });
  });
