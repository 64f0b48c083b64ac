import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

const PASSES = 'it("passes", () => {});';
const FAILS = 'it("fails", () => { throw new Error("the reason why"); });';

describe("The test command", function () {
  this.timeout(60_000);
  let copy: string;

  beforeEach(() => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), "quorate-test-command-")));
    cpSync(join(root, "test-harness/bin"), join(copy, "test-harness/bin"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "dir");
    for (const folder of ["packages/planted", "test-harness", "benchmarks"])
      write(copy, `${folder}/package.json`, "{}");
    write(copy, "package.json", JSON.stringify({ type: "module" }));
    write(copy, "package-lock.json", JSON.stringify({ packages: {} }));
    plantSource(copy, "export {};");
  });
  afterEach(() => rmSync(copy, { recursive: true }));

  it("ends with the counts alone on the last line, and exit code 0 when all is well", () => {
    plantTest(copy, "one.test", PASSES);
    plantTest(copy, "two.test", `${PASSES}\nit("passes too", () => {});`);

    const { lastLine, code } = runTests(copy, "unit");

    expect(lastLine).to.equal("3 passed, 0 failed");
    expect(code).to.equal(0);
  });

  it("prints why a test failed, counts it, and exits with another code", () => {
    plantTest(copy, "one.test", `${PASSES}\n${FAILS}`);

    const { lastLine, code, output } = runTests(copy, "unit");

    expect(lastLine).to.equal("1 passed, 1 failed");
    expect(code).to.equal(1);
    expect(output).to.contain("the reason why");
  });

  it("tells the kinds of tests apart by their names", () => {
    plantTest(copy, "one.test", PASSES);
    plantTest(copy, "two.simulation.test", PASSES);
    plantTest(copy, "three.process.test", FAILS);

    expect(runTests(copy, "unit").lastLine).to.equal("1 passed, 0 failed");
    expect(runTests(copy, "simulation").lastLine).to.equal("1 passed, 0 failed");
    expect(runTests(copy, "process").lastLine).to.equal("0 passed, 1 failed");
    expect(runTests(copy, "unit", "simulation", "process").lastLine).to.equal("2 passed, 1 failed");
  });

  it("names what was skipped at the end, and counts it as neither passed nor failed", () => {
    plantTest(copy, "one.test", `${PASSES}\nit("needs what is not here", function () { this.skip(); });`);

    const { lastLine, code, output } = runTests(copy, "unit");

    expect(lastLine).to.equal("1 passed, 0 failed");
    expect(code).to.equal(0);
    expect(output).to.match(/=== Summary ===.*1 passed, 0 failed, 1 SKIPPED:\n {2}skipped: needs what is not here\n/s);
  });

  it("fails when a kind of test is gone, or holds no test", () => {
    expect(runTests(copy, "process")).to.include({ lastLine: "0 passed, 1 failed", code: 1 });

    plantTest(copy, "empty.process.test", "describe('nothing', () => {});");

    expect(runTests(copy, "process")).to.include({ lastLine: "0 passed, 1 failed", code: 1 });
  });

  it("fails when the tests end the process early, even politely", () => {
    plantTest(copy, "one.test", `${PASSES}\nit("leaves", () => { process.exit(0); });`);

    expect(runTests(copy, "unit")).to.include({ lastLine: "0 passed, 1 failed", code: 1 });
  });

  it("fails when the tests do not even load", () => {
    plantTest(copy, "one.test", 'import "./nowhere.js";');

    expect(runTests(copy, "unit")).to.include({ lastLine: "0 passed, 1 failed", code: 1 });
  });

  it("fails when a test is marked to run alone", () => {
    plantTest(copy, "one.test", 'it["only"]("runs alone", () => {});');

    expect(runTests(copy, "unit")).to.include({ lastLine: "0 passed, 1 failed", code: 1 });
  });

  it("does not run, and deletes, what was compiled from a deleted source", () => {
    plantTest(copy, "one.test", PASSES);
    write(copy, "packages/planted/dist-test/gone.test.js", FAILS);

    expect(runTests(copy, "unit").lastLine).to.equal("1 passed, 0 failed");
    expect(existsSync(join(copy, "packages/planted/dist-test/gone.test.js"))).to.equal(false);
    expect(existsSync(join(copy, "packages/planted/dist-test/one.test.js"))).to.equal(true);
  });

  it("stops after a build that fails, and still prints the closing line", () => {
    plantTest(copy, "one.test", PASSES);
    plantSource(copy, "const broken: number = 'text';");

    const { lastLine, code, output } = runTests(copy, "build", "unit");

    expect(lastLine).to.equal("0 passed, 1 failed");
    expect(code).to.equal(1);
    expect(output).to.contain("Nothing after Build could run");
  });

  it("installs and builds before a single stage of a fresh clone, and counts only what was asked for", () => {
    rmSync(join(copy, "node_modules"));
    plantTest(copy, "one.test", PASSES);
    // In the place of npm: the registry is no part of this.
    write(copy, "path/npm", `#!/bin/sh\necho "npm $1" && ln -s ${join(root, "node_modules")} node_modules\n`);
    chmodSync(join(copy, "path/npm"), 0o755);

    const first = runTests(copy, "unit");
    const second = runTests(copy, "unit");

    expect(first.output).to.match(/=== Install ===.*npm install.*=== Build ===.*=== Unit tests ===/s);
    expect(first).to.include({ lastLine: "1 passed, 0 failed", code: 0 });
    expect(second.output).to.not.contain("=== Install ===");
    expect(second).to.include({ lastLine: "1 passed, 0 failed", code: 0 });
  });

  it("says that the install failed, and runs nothing on what is not there", () => {
    rmSync(join(copy, "node_modules"));
    plantTest(copy, "one.test", PASSES);
    write(copy, "path/npm", '#!/bin/sh\necho "no registry" >&2\nexit 1\n');
    chmodSync(join(copy, "path/npm"), 0o755);

    const { lastLine, code, output } = runTests(copy, "lint");

    expect(lastLine).to.equal("0 passed, 1 failed");
    expect(code).to.equal(1);
    expect(output).to.contain("no registry").and.contain("Nothing after Install could run.");
    expect(output).to.not.match(/^ +at /m);
  });

  it("does not judge what was compiled from sources that no longer compile", () => {
    plantTest(copy, "one.test", PASSES);
    plantSource(copy, "const broken: number = 'text';");

    const { lastLine, code } = runTests(copy, "unit");

    expect(lastLine).to.equal("0 passed, 1 failed");
    expect(code).to.equal(1);
  });

  it("runs stages in the order of their dependence, each once, however they are named", () => {
    plantTest(copy, "one.test", PASSES);

    const { lastLine, output } = runTests(copy, "unit", "build", "unit");

    expect(output).to.match(/=== Build ===.*=== Unit tests ===/s);
    expect(lastLine).to.equal("2 passed, 0 failed");
  });

  it("tells the tests of a full run that they may take their time", () => {
    plantTest(
      copy,
      "one.test",
      'it("asks", () => { if (process.env.QUORATE_FULL !== "1") throw new Error("short"); });',
    );

    expect(runTests(copy, "unit").lastLine).to.equal("0 passed, 1 failed");
    expect(runTests(copy, "unit", "--full").lastLine).to.equal("1 passed, 0 failed");
  });

  it("refuses an unknown stage by name", () => {
    const { code, output } = runTests(copy, "units");

    expect(code).to.equal(2);
    expect(output).to.contain("There is no stage units; the stages are install, build, lint");
  });
});

describe("The check of what is installed", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-install-state-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const lock = {
    "": { name: "workspace" },
    "node_modules/plain": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/extra": { version: "2.0.0", integrity: "sha512-b", optional: true },
    "packages/ours": { version: "0.1.0" },
  };
  const cases: readonly (readonly [what: string, installed: object | undefined, expected: boolean])[] = [
    ["is content with exactly the lock file", lock, true],
    ["is content without an optional package", { "node_modules/plain": lock["node_modules/plain"] }, true],
    ["is not content without node_modules", undefined, false],
    ["is not content without a package", { "node_modules/extra": lock["node_modules/extra"] }, false],
    ["is not content with another version", { ...lock, "node_modules/plain": { version: "1.0.1" } }, false],
    [
      "is not content with another content",
      { ...lock, "node_modules/plain": { version: "1.0.0", integrity: "sha512-c" } },
      false,
    ],
  ];
  for (const [what, installed, expected] of cases)
    it(what, () => {
      write(folder, "package-lock.json", JSON.stringify({ packages: lock }));
      if (installed !== undefined)
        write(folder, "node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
      const script = `import { isInstalled } from ${JSON.stringify(join(root, "test-harness/bin/install-state.js"))};
        process.stdout.write(String(isInstalled(${JSON.stringify(folder)})));`;

      const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });

      expect(stdout).to.equal(String(expected));
    });
});

describe("The lock file", () => {
  it("names no registry", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).to.not.match(/"resolved": "https?:/);
  });

  const locked = packagesOfLockFile();
  for (const folder of ["", ...workspaceFolders()])
    it(`holds what ${folder === "" ? "the workspace" : folder} asks for`, () => {
      const manifest = dependenciesOf(JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")));

      expect(dependenciesOf(locked[folder] ?? {})).to.deep.equal(manifest);
      for (const name of Object.keys(manifest))
        expect(
          locked[`${folder}/node_modules/${name}`] ?? locked[`node_modules/${name}`],
          `${name} in package-lock.json`,
        ).to.not.equal(undefined);
    });
});

type Dependencies = Readonly<Record<string, string>>;
type Manifest = {
  readonly dependencies?: Dependencies;
  readonly devDependencies?: Dependencies;
  readonly optionalDependencies?: Dependencies;
};

function packagesOfLockFile(): Readonly<Record<string, Manifest>> {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
}

function workspaceFolders(): readonly string[] {
  return [
    ...readdirSync(join(root, "packages"))
      .map((name) => `packages/${name}`)
      .filter((folder) => existsSync(join(root, folder, "package.json"))),
    "test-harness",
    "benchmarks",
  ];
}

function dependenciesOf({ dependencies, devDependencies, optionalDependencies }: Manifest): Dependencies {
  return { ...dependencies, ...devDependencies, ...optionalDependencies };
}

/** A test source, which says that the test exists, and what the compiler would have made of it. */
function plantTest(folder: string, name: string, source: string): void {
  write(folder, `packages/planted/test/${name}.ts`, source);
  write(folder, `packages/planted/dist-test/${name}.js`, source);
}

/** All that the planted workspace compiles. */
function plantSource(folder: string, source: string): void {
  const compilerOptions = { noEmit: true, types: [], skipLibCheck: true };
  write(folder, "tsconfig.json", JSON.stringify({ files: ["planted.ts"], compilerOptions }));
  write(folder, "planted.ts", source);
}

function write(folder: string, file: string, content: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

function runTests(
  folder: string,
  ...stages: readonly string[]
): { lastLine: string; code: number | null; output: string } {
  const args = stages.flatMap((stage) => (stage.startsWith("--") ? [stage] : ["--stage", stage]));
  const { QUORATE_FULL: _, PATH = "", ...env } = process.env;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["test-harness/bin/test.js", ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...env, PATH: [join(folder, "path"), PATH].join(delimiter) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { lastLine: stdout.trimEnd().split("\n").at(-1) ?? "", code: status, output: stdout + stderr };
}
