import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS, type Mutant, MutantError, plantMutant } from "@quorate/test-harness";
import { expect } from "chai";

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("The list of mutants", () => {
  it("has a name of its own for each", () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(name).to.match(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it("fits the sources: every snippet is there exactly once, and planting it changes the file", () => {
    for (const mutant of MUTANTS) {
      const source = read(mutant.file);
      expect(plantMutant(mutant, source), mutant.name).to.not.equal(source);
    }
  });

  it("names tests that are there, and plants nothing into tests", () => {
    for (const { name, file, caughtBy } of MUTANTS) {
      expect(file, name).to.match(/^packages\/[a-z-]+\/src\//);
      expect(caughtBy, name).to.not.be.empty;
      for (const detector of caughtBy)
        if (typeof detector === "string")
          expect(existsSync(join(root, detector)), `${name}: ${detector}`).to.equal(true);
    }
  });

  it("names rules that docs/protocol.md has", () => {
    const protocol = read("docs/protocol.md");
    for (const { name, rule } of MUTANTS) expect(protocol, name).to.match(new RegExp(`^- \\*\\*${rule}[ *]`, "m"));
  });

  const mutant: Mutant = {
    name: "a-mutant",
    rule: "1.1",
    bug: "adds one",
    file: "a.ts",
    edits: [{ find: "a + b", replace: "a + b + 1" }],
    caughtBy: ["a.test.ts"],
  };

  it("refuses a snippet that is not there any more, or that has become ambiguous", () => {
    expect(plantMutant(mutant, "return a + b;")).to.equal("return a + b + 1;");
    for (const source of ["return a - b;", "return a + b < a + b;"])
      expect(() => plantMutant(mutant, source), source).to.throw(MutantError, "its snippet is");
  });

  it("takes a replacement as it is written", () => {
    const edits = [{ find: "a + b", replace: "$& + $1" }];
    expect(plantMutant({ ...mutant, edits }, "return a + b;")).to.equal("return $& + $1;");
  });
});
