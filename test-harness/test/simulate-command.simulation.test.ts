import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { optionsForSeed, Simulation } from "@quorate/test-harness";
import { expect } from "chai";

const COMMAND = resolve(fileURLToPath(import.meta.url), "../../bin/simulate.js");

function simulate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8" });
}

describe("The simulate command", () => {
  it("runs seeds and tells their traces, which are those of any other process", () => {
    const { status, stdout } = simulate("--seeds", "3..4", "--json");

    const report = JSON.parse(stdout) as { seeds: number; failed: unknown[]; traceHashes: Record<string, string> };
    expect(status).to.equal(0);
    expect(report).to.include({ seeds: 2 });
    expect(report.failed).to.deep.equal([]);
    for (const seed of [3, 4])
      expect(report.traceHashes[seed], `seed ${seed}`).to.equal(new Simulation(optionsForSeed(seed)).run().traceHash);
  });

  it("prints how often what happened", () => {
    const { status, stdout } = simulate("--seed", "1");

    expect(status).to.equal(0);
    expect(stdout).to.match(/^seed 1 passed: \d+ batches, \d+ steps, trace [0-9a-f]{64}$/m);
    expect(stdout).to.match(/^ +\d+ {2}network: frame lost$/m);
    expect(stdout).to.match(/^1 seeds, 0 failed;/m);
  });

  it("says what is wrong with its arguments", () => {
    for (const args of [
      ["--seeds", "9..3"],
      ["--seeds", "x"],
      ["--seed", "-1"],
    ]) {
      const { status, stderr } = simulate(...args);
      expect(status, args.join(" ")).to.equal(2);
      expect(stderr, args.join(" ")).to.match(/^Usage: npm run simulate/m);
    }
  });
});
