import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Compiles inside the fence, for these are part of the language; the linter must refuse it. */
const NOT_DETERMINISTIC: Readonly<Record<string, string>> = {
  "Math.random": "export const roll: number = Math.random();\n",
  "Date.now": "export const nowMs: number = Date.now();\n",
  "new Date": "export const today: object = new Date();\n",
  "a Date under another name": "export const clock: { now(): number } = Date;\n",
  "a promise": "export const later: object = Promise.resolve();\n",
};

describe("The linter in the sans-I/O packages", function () {
  this.timeout(60_000);
  let copy: string;

  before(() => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), "quorate-lint-")));
    mkdirSync(join(copy, ".git"));
    for (const file of ["biome.json", "determinism.grit", ".gitignore"])
      copyFileSync(join(root, file), join(copy, file));
  });
  after(() => rmSync(copy, { recursive: true }));

  for (const [what, source] of Object.entries(NOT_DETERMINISTIC))
    it(`refuses ${what} in the source of a protocol package, and in no other place`, () => {
      expect(lintErrors(copy, "packages/pbft-core/src/planted.ts", source), "pbft-core/src").to.be.greaterThan(0);
      expect(lintErrors(copy, "packages/kv/src/planted.ts", source), "kv/src").to.be.greaterThan(0);
      expect(lintErrors(copy, "packages/pbft-core/test/planted.ts", source), "pbft-core/test").to.equal(0);
      expect(lintErrors(copy, "packages/server/src/planted.ts", source), "server/src").to.equal(0);
    });

  it("accepts deterministic code there", () => {
    const source = "export function larger(a: number, b: number): number {\n  return Math.max(a, b);\n}\n";

    expect(lintErrors(copy, "packages/pbft-core/src/planted.ts", source)).to.equal(0);
  });
});

/** How many errors biome finds in `source` if it stood at `file` of the workspace. */
function lintErrors(folder: string, file: string, source: string): number {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), source);
  const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
  const { stdout, stderr } = spawnSync(process.execPath, [biome, "lint", "--reporter=json", file], {
    cwd: folder,
    encoding: "utf8",
  });
  rmSync(join(folder, file));
  const report = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { summary: { errors: number; unchanged: number } };
  expect(report.summary.unchanged, `biome must look at ${file}: ${stderr}`).to.equal(1);
  return report.summary.errors;
}
