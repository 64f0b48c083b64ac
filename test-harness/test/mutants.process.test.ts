import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isAsExpected, MUTANTS, type Mutant, MutantError, MutationRun } from "@quorate/test-harness";
import { expect } from "chai";

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
const TEST = "packages/view-change/test/time-out.test.ts";
const FILE = "packages/view-change/src/time-out.ts";
/** All with one small test file, which need not be shown sound three times. */
const QUICK = ["time-outs-never-grow", "time-outs-never-shrink", "time-outs-without-a-cap"];

const mutantNamed = (name: string): Mutant => MUTANTS.find((mutant) => mutant.name === name)!;
const changed = (find: string, replace: string, change: Partial<Mutant> = {}): Mutant => ({
  name: "of-this-test",
  rule: "7.3",
  bug: "whatever the test says",
  file: FILE,
  edits: [{ find, replace }],
  caughtBy: [TEST],
  ...change,
});

describe("npm run mutants", () => {
  let run: MutationRun;

  before(() => {
    run = new MutationRun(root);
  });
  after(() => run.close());

  for (const name of QUICK)
    it(`catches ${name}, and says which test did`, async () => {
      const report = await run.judge(mutantNamed(name));

      expect(report).to.include({ name, outcome: "caught" });
      expect(report.by).to.match(/^packages\/view-change\/test\/time-out\.test\.ts: TimeOut/);
    });

  it("says that one survived which nobody notices, and takes each out again", async () => {
    const unnoticed = changed("In milliseconds, between", "In ms, between");

    const report = await run.judge(unnoticed);

    expect(report).to.include({ outcome: "survived", by: undefined });
    expect(isAsExpected(report, unnoticed)).to.equal(false);
  });

  it("is content with one that changes nothing when a line says why, and not when a test says otherwise", async () => {
    const harmless = "a comment is not code";
    const comment = changed("In milliseconds, between", "In ms, between", { harmless });
    const wrong = changed("this.#doublings += 1", "this.#doublings += 2", { harmless });

    const [first, second] = [await run.judge(comment), await run.judge(wrong)];

    expect(first).to.include({ outcome: "harmless", by: harmless });
    expect(isAsExpected(first, comment)).to.equal(true);
    expect(second.outcome).to.equal("caught");
    expect(isAsExpected(second, wrong)).to.equal(false);
  });

  it("does not take sources that do not load for a mutant that was caught", async () => {
    const error = await failureOf(run.judge(changed("export class TimeOut {", "export class {")));

    expect(error).to.be.instanceOf(MutantError).with.property("code", "mutant.broken");
  });

  it("believes no test that fails without any mutant", async () => {
    const caughtBy = ["packages/view-change/test/builders.ts"];

    const error = await failureOf(run.judge(changed("export class TimeOut {", "class TimeOut {", { caughtBy })));

    expect(error).to.be.instanceOf(MutantError).with.property("code", "mutant.baseline");
  });

  it("ends what takes too long, and leaves nothing behind", async () => {
    const hasty = new MutationRun(root, 0.001);
    expect(existsSync(hasty.folder), "its copy").to.equal(true);

    const error = await failureOf(hasty.judge(mutantNamed(QUICK[0]!)));
    hasty.close();

    expect(error?.message).to.contain("did not end in 0.001 s");
    expect(existsSync(hasty.folder)).to.equal(false);
  });
});

describe("The command for mutants", () => {
  const command = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, ["test-harness/bin/mutants.js", ...args], { cwd: root, encoding: "utf8" });

  it("lists them all, for people and for programs, and runs nothing", () => {
    const listed = command("--list", "--json").stdout.trim().split("\n");

    expect(listed.map((line) => JSON.parse(line).name)).to.deep.equal(MUTANTS.map(({ name }) => name));
    const { stdout } = command("--list", "--only", QUICK[0]!);
    expect(stdout).to.match(
      /^time-outs-never-grow \(protocol rule 7\.3\)\n .*\n {2}in packages\/.*\n {2}caught by packages\//,
    );
  });

  it("refuses a name that it does not know", () => {
    const { status, stderr } = command("--only", "time-outs-never");

    expect(status).to.equal(2);
    expect(stderr).to.contain("There is no mutant time-outs-never; npm run mutants -- --list shows all.");
  });
});

if (process.env.QUORATE_FULL === "1")
  describe("Every mutant", function () {
    this.timeout(0);
    let run: MutationRun;

    before(() => {
      run = new MutationRun(root);
    });
    after(() => run.close());

    for (const mutant of MUTANTS) {
      const ending = mutant.harmless === undefined ? "is caught" : `changes nothing: ${mutant.harmless}`;
      it(`${mutant.name} (protocol rule ${mutant.rule}) ${ending}`, async () => {
        const report = await run.judge(mutant);
        expect(isAsExpected(report, mutant), `${report.outcome}: ${report.by}`).to.equal(true);
      });
    }
  });

async function failureOf(promise: Promise<unknown>): Promise<Error | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
