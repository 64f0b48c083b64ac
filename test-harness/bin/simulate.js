/**
 * Simulated clusters under faults, by seed: `npm run simulate`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { prepare } from "./prepare.js";

const HELP = `Usage: npm run simulate -- [--seeds FIRST..LAST] [--seed N]... [--json] [--help]

Runs whole clusters on a virtual clock with seeded faults, and checks what must always hold.

  --seeds FIRST..LAST  these seeds, both included; 0..199 if nothing is said
  --seed N             this seed; may be repeated
  --options FILE       one run with these options, as the report of a failure prints them
  --shrink             take away from a failing run (of --seed or --options) what it can fail without
  --json               one JSON object at the end instead of text
  --svg FILE           draw the run of --seed N, or a small example without one, as a space-time diagram
  --from MS, --to MS   draw this part of it; --all draws status messages and the like, too
  --help               this text

Ends with 1 if a seed fails, or if something that should happen never did in 200 seeds or more.

Examples: npm run simulate -- --seeds 0..1999
          npm run simulate -- --seed 42 --shrink
          npm run simulate -- --seed 7 --from 0 --to 300 --svg run.svg`;

const options = parseOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
await prepare("simulate", "test-harness");
const harness = await import("../dist/index.js");

if (options.svg !== undefined) {
  draw(options);
  process.exit(0);
}

if (options.options !== undefined || options.shrink) {
  runOne(givenOptions(options));
  process.exit();
}

const startedAt = performance.now();
const campaign = new harness.Campaign();
const hashes = {};
for (const seed of seeds(options)) runSeed(seed);
const { tally } = campaign;
const missing =
  tally.seeds >= harness.MARKS_AFTER_SEEDS && tally.failures.length === 0
    ? tally.marks.missing(harness.EXPECTED_MARKS)
    : [];
if (options.json) printJson();
else printText();
process.exitCode = tally.failures.length > 0 || missing.length > 0 ? 1 : 0;

function parseOptions() {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string", default: "0..199" },
        seed: { type: "string", multiple: true },
        options: { type: "string" },
        shrink: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        svg: { type: "string" },
        from: { type: "string" },
        to: { type: "string" },
        all: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

function seeds({ seeds: range, seed: single }) {
  if (single !== undefined) return single.map(parseSeed);
  const match = /^(\d+)\.\.(\d+)$/.exec(range);
  if (match === null || Number(match[1]) > Number(match[2])) refuse(`--seeds is "${range}", expected FIRST..LAST`);
  const first = parseSeed(match[1]);
  return Array.from({ length: parseSeed(match[2]) - first + 1 }, (_, i) => first + i);
}

function parseSeed(text) {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seed)) refuse(`"${text}" is not a seed, expected a number from 0`);
  return seed;
}

function givenOptions({ seed: single, options: file, shrink, json }) {
  if (json) refuse("--json does not go with --options and --shrink");
  if (file !== undefined && single !== undefined) refuse("give --seed or --options, not both");
  if (file === undefined) {
    if (shrink && single?.length !== 1) refuse("--shrink takes one run: give one --seed, or --options");
    return harness.optionsForSeed(parseSeed(single[0]));
  }
  try {
    return harness.parseSimulationOptions(readFileSync(file, "utf8"));
  } catch (error) {
    return refuse(`${file}: ${error.message}`);
  }
}

function runOne(given) {
  if (options.shrink) {
    const shrunk = harness.shrink(given);
    if (shrunk === undefined) return console.log("this run passes: nothing to shrink");
    console.error(`${shrunk.failure.message}\n\nthe smallest of ${shrunk.runs} runs that fails for the same reason`);
    process.exitCode = 1;
    return;
  }
  try {
    const { batches, steps, traceHash } = new harness.Simulation(given).run();
    console.log(`passed: ${batches} batches, ${steps} steps, trace ${traceHash}`);
  } catch (failure) {
    console.error(failure.message);
    process.exitCode = 1;
  }
}

function draw({ svg, seed: single, from, to, all }) {
  if (single !== undefined && single.length > 1)
    refuse("--svg draws one run: give one --seed, or none for the example");
  const [fromMs, toMs] = [from, to].map((text) => (text === undefined ? undefined : Number(text)));
  if ([fromMs, toMs].some(Number.isNaN)) refuse("--from and --to are virtual milliseconds");
  if ((fromMs ?? 0) >= (toMs ?? Number.POSITIVE_INFINITY)) refuse("--from is not below --to");
  const seed = single === undefined ? undefined : parseSeed(single[0]);
  try {
    writeFileSync(svg, harness.drawRun({ seed, fromMs, toMs, isComplete: all }));
  } catch (error) {
    console.error(`cannot write ${svg}: ${error.message}`);
    process.exit(1);
  }
  console.log(`drawn in ${svg}`);
}

function refuse(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}

function runSeed(seed) {
  try {
    const report = campaign.run(seed);
    hashes[seed] = report.traceHash;
    if (options.seed !== undefined && !options.json)
      console.log(`seed ${seed} passed: ${report.batches} batches, ${report.steps} steps, trace ${report.traceHash}`);
  } catch (failure) {
    if (!options.json) console.error(`\n${failure.message}\n`);
  }
  const { seeds: done, failures } = campaign.tally;
  if (!options.json && done % 50 === 0) console.log(`${done} seeds, ${failures.length} failed, ${rate(done)} a second`);
}

function rate(count) {
  return Number((count / ((performance.now() - startedAt) / 1000)).toPrecision(3));
}

function printJson() {
  console.log(
    JSON.stringify({
      seeds: tally.seeds,
      failed: tally.failures.map(({ seed, message }) => ({ seed, message })),
      seedsPerSecond: rate(tally.seeds),
      stepsPerSecond: rate(tally.steps),
      operations: tally.operations,
      marks: Object.fromEntries(tally.marks.entries()),
      missing,
      traceHashes: hashes,
    }),
  );
}

function printText() {
  console.log("\nHow often it happened:");
  for (const [mark, count] of tally.marks.entries()) console.log(`${String(count).padStart(10)}  ${mark}`);
  for (const mark of missing) console.log(`     NEVER  ${mark}`);
  const speed = `${rate(tally.seeds)} seeds and ${rate(tally.steps)} steps a second`;
  console.log(`\n${tally.seeds} seeds, ${tally.failures.length} failed; ${tally.operations} operations; ${speed}`);
}
