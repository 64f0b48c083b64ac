import { type Arrow, Simulation, type SimulationOptions, SpaceTime } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SAFETY_MS = 3_000;
const LOSS = 0.3;

/** Nothing is wrong but that replica 3 hears so much less of everyone. */
function optionsFor(seed: number): SimulationOptions {
  const faults = [{ type: "lossy", atMs: 0, replica: 3, loss: LOSS }] as const;
  return calmOptions(seed, { operations: 60, safetyMs: SAFETY_MS, faults });
}

describe("a replica that 30 % of what is sent to it does not reach (protocol rules 4.5 and 9.3)", () => {
  for (const seed of [1, 2, 3])
    it(`fetches what it is missing, with certificates and without a state transfer, seed ${seed}`, () => {
      const run = new SpaceTime();
      // Ends only when all four have executed the same and hold the same state, and throws if they do not.
      const { batches, marks } = new Simulation(optionsFor(seed), {}, run).run();

      const isEarly = ({ arrivedMs = Number.POSITIVE_INFINITY }: Arrow): boolean => arrivedMs < SAFETY_MS;
      const named = (name: string): readonly Arrow[] => run.arrows.filter(({ label }) => label.startsWith(`${name} `));
      const toIt = run.arrows.filter(({ to, sentMs }) => to === "r3" && sentMs < SAFETY_MS - 100);
      const lost = toIt.filter(({ arrivedMs }) => arrivedMs === undefined).length / toIt.length;
      expect(lost, "lost on the way to it").to.be.within(LOSS - 0.05, LOSS + 0.05);
      const elsewhere = run.arrows.filter(({ to, sentMs }) => to !== "r3" && sentMs < SAFETY_MS - 100);
      expect(elsewhere.filter(({ arrivedMs }) => arrivedMs === undefined)).to.deep.equal([]);

      expect(
        named("fetch-committed")
          .filter(({ from }) => from === "r3")
          .filter(isEarly),
      ).to.not.be.empty;
      const fetched = named("committed").filter(({ to }) => to === "r3");
      expect(fetched.filter(isEarly), "committed entries, while most was lost").to.not.be.empty;
      // Whoever is below the histories of others, or stranded, needs a state transfer.
      expect(named("below-history")).to.deep.equal([]);

      const executed = [0, 1, 2, 3].map(
        (id) => run.moments.filter(({ end, kind }) => kind === "executed" && end === `r${id}`).length,
      );
      expect(executed, "each batch, each once").to.deep.equal([batches, batches, batches, batches]);
      expect(marks.count("view: new one entered"), "nobody was blamed for it").to.equal(0);
    });
});
