import { type PlannedChange, Simulation, type SimulationReport } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SEEDS = process.env.QUORATE_FULL === "1" ? 50 : 4;
const [JOINER, LEAVER, ROTATED] = [4, 1, 2];
const SIGNED =
  /^(pre-prepare|prepare|commit|checkpoint|status|fetch-batch|fetch-committed|view-change|new-view|hand-over|query-stable|reply-stable) /;
const VOTE = /^(prepare|commit|pre-prepare) /;

/** What a replica said to others, in order. */
function saidBy(replica: number, lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.match(new RegExp(`^\\S+ r${replica} > r[\\d,r]* (.*)$`))?.slice(1) ?? []);
}

/** From four members to five, back to four without one of the first, and a new key of another one. */
function run(seed: number, lines: string[]): SimulationReport {
  const options = calmOptions(seed, { replicas: 4, faults: [], byzantine: [], joiners: [{ atMs: 10 }] });
  const { safetyMs } = options;
  const changes: readonly PlannedChange[] = [
    // Before the joiner has come far enough it is refused.
    ...[0.15, 0.25, 0.35].map((at): PlannedChange => ({ type: "join", atMs: safetyMs * at, replica: JOINER })),
    { type: "leave", atMs: safetyMs * 0.6, replica: LEAVER, mayLowerFaultThreshold: false },
    { type: "rotate-key", atMs: safetyMs * 0.8, replica: ROTATED },
  ];
  return new Simulation({ ...options, changes }, {}, undefined, lines).run();
}

describe("members that come and go in a simulation without faults (decision 0044)", () => {
  for (let seed = 0; seed < SEEDS; seed++)
    it(`4 → 5 with the joiner voting, 5 → 4 with the leaver silent, and a new key, seed ${seed}`, () => {
      const lines: string[] = [];
      const { marks } = run(seed, lines);

      expect(marks.count("reconfiguration: accepted")).to.equal(3);
      const joiner = saidBy(JOINER, lines);
      const first = joiner.findIndex((said) => SIGNED.test(said));
      expect(joiner[0], "it follows before it votes").to.match(/^fetch-history e0 n1 to /);
      expect(joiner.slice(0, first).filter((said) => !said.startsWith("fetch-"))).to.deep.equal([]);
      expect(joiner.slice(first).filter((said) => VOTE.test(said))).to.have.length.above(10);

      const leaver = saidBy(LEAVER, lines);
      const last = leaver.findLastIndex((said) => SIGNED.test(said));
      expect(leaver.slice(0, last).filter((said) => VOTE.test(said))).to.have.length.above(10);
      expect(
        leaver.slice(last).filter((said) => said.startsWith("fetch-history e2")),
        "it follows after that",
      ).to.have.length.above(0);

      const rotated = saidBy(ROTATED, lines.slice(lines.findIndex((line) => line.includes("fetch-history e3"))));
      expect(rotated.filter((said) => VOTE.test(said))).to.have.length.above(0);
      expect(marks.count("rejected: ingress.bad-signature"), "by the new key").to.equal(0);
    });
});
