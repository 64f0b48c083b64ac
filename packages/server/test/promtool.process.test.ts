import { spawnSync } from "node:child_process";
import { expect } from "chai";
import { LINT_RULES } from "./exposition-lint.ts";

function promtool(input: string): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}` };
}

/** Where promtool is not installed, these are skipped: the lint above them has the same rules. */
describe("promtool check metrics", () => {
  before(function () {
    if (spawnSync("promtool", ["--version"]).error !== undefined) this.skip();
  });

  for (const { rule, example } of LINT_RULES)
    it(`complains, too: ${rule}`, () => {
      const { status, said } = promtool(example);

      expect(status, said).to.equal(3);
    });
});
