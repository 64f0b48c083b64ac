/**
 * The test command of the workspace: `npm test`. Plain Node without dependencies, for it installs them first.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { INSTALL_ARGUMENTS, isInstalled } from "./install-state.js";
import { endCommands, runCommand } from "./run-command.js";
import { compiledTests, pruneOutputs, root } from "./workspace.js";

const HELP = `Usage: npm test -- [--stage NAME]... [--full] [--help]

Runs every kind of test in order and ends with the line "N passed, N failed".

  --stage NAME  only this stage, may be repeated: install, build, lint, unit, simulation, process; what it stands on is
                installed and built before, as far as that is missing, and not counted
  --full        more seeds and longer runs, as npm run test:full

Example: npm test -- --stage lint --stage unit`;

/** Seconds after which a command that does not end is ended; a hang must not look like patience. */
const LIMIT_SECONDS = { install: 900, build: 600, check: 600, tests: 2400 };
const FULL_FACTOR = 20;

const bin = (packageName, file) => join("node_modules", packageName, file);
const tool = (...args) => ({ command: process.execPath, args, limitSeconds: LIMIT_SECONDS.check });
const packageCheck = (name) => tool("test-harness/bin/check-packages.js", name);

/** Names of the checks of the lint stage with the command of each; all run, whatever the others say. */
const CHECKS = [
  [
    "format and lint (biome)",
    tool(bin("@biomejs/biome", "bin/biome"), "ci", `--colors=${process.stdout.isTTY ? "force" : "off"}`, "."),
  ],
  [
    "import rules (dependency-cruiser)",
    tool(
      bin("dependency-cruiser", "bin/dependency-cruise.mjs"),
      "--config",
      ".dependency-cruiser.cjs",
      "packages",
      "test-harness",
      "benchmarks",
    ),
  ],
  ["nothing unused, nothing undeclared (knip)", tool(bin("knip", "bin/knip.js"), "--no-progress", "--no-config-hints")],
  ["packing (publint)", packageCheck("publint")],
  ["types of every entry point (attw)", packageCheck("types")],
  ["contents of every package", packageCheck("contents")],
  ["import of every entry point", packageCheck("entries")],
];

const options = parseOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

/** Each stage returns its counts; `stops` says that nothing after it can run when it fails. */
const STAGES = {
  install: { title: "Install", stops: true, run: install },
  build: { title: "Build", stops: true, run: build },
  lint: { title: "Lint and packages", stops: false, run: lint },
  unit: { title: "Unit tests", stops: false, run: () => mocha("unit", []) },
  simulation: { title: "Simulation seeds", stops: false, run: () => mocha("simulation", ["--timeout", "0"]) },
  process: { title: "Real-process tests", stops: false, run: () => mocha("process", ["--timeout", "120000"]) },
};

for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    endCommands();
    process.exit(130);
  });

const asked = options.stage ?? Object.keys(STAGES);
const unknown = asked.find((name) => !Object.hasOwn(STAGES, name));
if (unknown !== undefined) {
  console.error(`There is no stage ${unknown}; the stages are ${Object.keys(STAGES).join(", ")}.`);
  process.exit(2);
}
// In their order, each once, however they were named.
const names = Object.keys(STAGES).filter((name) => asked.includes(name));
process.exitCode = (await runStages([...prerequisitesOf(names), ...names])) ? 0 : 1;

function parseOptions() {
  try {
    return parseArgs({
      options: {
        stage: { type: "string", multiple: true },
        full: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    console.error(`${error.message} See npm test -- --help.`);
    process.exit(2);
  }
}

/** What has to run before these stages so that they judge the code on disk: in a fresh clone nothing is there yet. */
function prerequisitesOf(stageNames) {
  const needed = stageNames.every((name) => name === "install") ? [] : ["install", "build"];
  return needed.filter((name) => !stageNames.includes(name) && !(name === "install" && isInstalled(root)));
}

async function runStages(stageNames) {
  const total = { passed: 0, failed: 0 };
  const summary = [];
  for (const name of stageNames) {
    const { title, stops, run } = STAGES[name];
    console.log(`\n=== ${title} ===\n`);
    const startedAt = performance.now();
    const { passed, failed, skipped = [] } = await run();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (names.includes(name)) total.passed += passed;
    total.failed += failed;
    const row = `${title.padEnd(20)} ${seconds.padStart(7)} s ${passed} passed, ${failed} failed`;
    summary.push(skipped.length === 0 ? row : `${row}, ${skipped.length} SKIPPED:`);
    // What was not tested stands where it is read, not some thousand lines above.
    summary.push(...skipped.map((skippedTitle) => `  skipped: ${skippedTitle}`));
    console.log(`\n--- ${title}: ${seconds} s ---`);
    if (failed > 0 && stops) {
      summary.push(`Nothing after ${title} could run.`);
      break;
    }
  }
  console.log(`\n=== Summary ===\n\n${summary.join("\n")}\n`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0;
}

async function install() {
  if (isInstalled(root)) {
    console.log("node_modules is what package-lock.json asks for.");
    return { passed: 1, failed: 0 };
  }
  return run("npm", INSTALL_ARGUMENTS, LIMIT_SECONDS.install);
}

async function build() {
  pruneOutputs();
  const compiled = await run(process.execPath, [bin("typescript", "bin/tsc"), "-b"], LIMIT_SECONDS.build);
  return compiled.failed > 0
    ? compiled
    : run(process.execPath, ["test-harness/bin/bundle-browser.js"], LIMIT_SECONDS.build);
}

async function lint() {
  const total = { passed: 0, failed: 0 };
  for (const [name, { command, args, limitSeconds }] of CHECKS) {
    const { passed, failed } = await run(command, args, limitSeconds);
    console.log(`${failed === 0 ? "passed" : "FAILED"}: ${name}\n`);
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

async function mocha(kind, args) {
  const files = compiledTests(kind);
  if (files.length === 0) return noTests(kind);
  const folder = mkdtempSync(join(tmpdir(), "quorate-tally-"));
  const tally = join(folder, "tally.json");
  try {
    const reporter = ["--reporter", "test-harness/bin/tally-reporter.cjs", "--reporter-option", `tally=${tally}`];
    const { failed } = await run(
      process.execPath,
      [bin("mocha", "bin/mocha.js"), "--forbid-only", ...reporter, ...args, ...files],
      LIMIT_SECONDS.tests,
    );
    return judge(kind, failed > 0, readTally(tally));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Believes the counts only as far as they agree with the exit code. */
function judge(kind, commandFailed, counts) {
  if (counts === undefined) {
    console.error(`The ${kind} tests ended before their end: a crash, an exit or the time limit.`);
    return { passed: 0, failed: 1 };
  }
  if (counts.passed + counts.failed === 0) return noTests(kind);
  if (commandFailed && counts.failed === 0) return { ...counts, failed: 1 };
  return counts;
}

function noTests(kind) {
  console.error(`No ${kind} tests ran: a kind of test that silently vanished is a failure.`);
  return { passed: 0, failed: 1 };
}

function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

async function run(command, args, limitSeconds) {
  const succeeded = await runCommand(command, args, {
    cwd: root,
    env: { NX_DAEMON: "false", ...(options.full ? { QUORATE_FULL: "1" } : {}) },
    limitSeconds: options.full ? limitSeconds * FULL_FACTOR : limitSeconds,
  });
  return succeeded ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}
