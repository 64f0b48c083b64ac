/**
 * Simulated clusters under faults, by seed: `npm run simulate`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { obstacleTo } from "./check-folder.js";
import { prepare } from "./prepare.js";
import { runCampaign, savedIn, summaryOf } from "./simulate-campaign.js";
import { replay } from "./simulate-replay.js";

/** More processes than any machine of ours has cores. */
const JOBS_MAX = 256;

const HELP = `Usage: npm run simulate -- [--seeds FIRST..LAST] [--seed N]... [flags]

Runs whole clusters on a virtual clock with seeded faults, and checks what must always hold.

  --seeds FIRST..LAST  these seeds, both included; 0..199 if nothing is said
  --seed N             this seed; may be repeated
  --no-byzantine       without Byzantine replicas (--byzantine, with them, unless given)
  --no-swarm           sizes and rates from the middle, the same for all (--swarm, drawn by each seed, unless given)
  --changes always     reconfigurations in every seed, but for lies that need calm (drawn: in two of five)
  --jobs N             run seeds in N processes (1)
  --save DIR           write the files of runs that fail to DIR (a temporary folder)
  --options FILE       one run with these options, as the report of a failure prints them
  --shrink             take away from a failing run (of --seed or --options) what it can fail without
  --replay FILE        step through the file of a run that failed, or of a replica that came to its end
  --json               one JSON object at the end instead of text
  --svg FILE           draw the run of --seed N or --options FILE, or a small example without one, as a space-time
                       diagram; 200 ms around the first view that is entered unless --from or --to is given
  --from MS, --to MS   draw, or step through, this part of it; --all draws status messages and the like, too
  --help               this text

Ends with 1 if a seed fails, or if something that should happen never did in 200 seeds or more; of 2000 or more
every lie that is drawn from a table and every reachable reason to reject an input is demanded, too.

Examples: npm run simulate -- --seeds 0..1999 --jobs 2
          npm run simulate -- --seed 42 --shrink
          npm run simulate -- --replay /var/lib/quorate/trace-2026-01-31T10-20-30-400Z.cbor
          npm run simulate -- --seed 7 --from 0 --to 300 --svg run.svg`;

const options = parseOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
// Before the first run: whoever waited for an hour wants its files.
for (const [flag, folder] of [
  ["--save", options.save],
  ["--svg", options.svg && dirname(options.svg)],
])
  if (folder !== undefined) checkFolder(flag, folder);
await prepare("simulate", "test-harness");
const harness = await import("../dist/index.js");
const draw = { isSwarm: options.swarm, isByzantine: options.byzantine, changes: changes(options) };
process.exitCode = await run();

/** @returns the exit code. */
async function run() {
  if (options.replay !== undefined) return replayFile(options.replay);
  if (options.svg !== undefined) return drawRun(options);
  if (options.options !== undefined || options.shrink) return runOne(givenOptions(options));
  const { seed, json, save: saveTo } = options;
  const plan = { seeds: seeds(options), isList: seed !== undefined, draw, jobs: jobs(options), saveTo, json };
  return (await runCampaign(harness, plan)) ? 0 : 1;
}

function parseOptions() {
  try {
    return parseArgs({
      allowNegative: true,
      options: {
        seeds: { type: "string", default: "0..199" },
        seed: { type: "string", multiple: true },
        byzantine: { type: "boolean", default: true },
        swarm: { type: "boolean", default: true },
        changes: { type: "string", default: "drawn" },
        jobs: { type: "string", default: "1" },
        save: { type: "string" },
        options: { type: "string" },
        shrink: { type: "boolean", default: false },
        replay: { type: "string" },
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

function checkFolder(flag, folder) {
  const obstacle = obstacleTo(folder, { isMadeLater: flag === "--save" });
  if (obstacle === undefined) return;
  console.error(`${flag}: cannot write into ${folder}: ${obstacle}`);
  process.exit(2);
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

function changes({ changes: drawn }) {
  if (!harness.CHANGES_DRAWS.includes(drawn))
    refuse(`--changes is "${drawn}", expected ${harness.CHANGES_DRAWS.join(" or ")}`);
  return drawn;
}

function jobs({ jobs: text }) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > JOBS_MAX)
    refuse(`--jobs is "${text}", expected a number from 1 to ${JOBS_MAX}`);
  return count;
}

function givenOptions({ seed: single, options: file, shrink, json }) {
  if (json) refuse("--json does not go with --options and --shrink");
  if (file !== undefined && single !== undefined) refuse("give --seed or --options, not both");
  if (file === undefined) {
    if (shrink && single?.length !== 1) refuse("--shrink takes one run: give one --seed, or --options");
    return harness.optionsForSeed(parseSeed(single[0]), draw);
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
    if (shrunk === undefined) {
      console.log("this run passes: nothing to shrink");
      return 0;
    }
    console.error(`${shrunk.failure.message}\n\nthe smallest of ${shrunk.runs} runs that fails for the same reason`);
    console.error(savedIn(harness.saveRun(shrunk.options, options.save)));
    return 1;
  }
  try {
    console.log(`passed: ${summaryOf(new harness.Simulation(given).run())}`);
    return 0;
  } catch (failure) {
    console.error(`${failure.message}\n${savedIn(harness.saveRun(given, options.save))}`);
    return 1;
  }
}

function replayFile(file) {
  const [fromMs, toMs] = part(options);
  try {
    return replay(harness, file, { fromMs, toMs });
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    return 2;
  }
}

function drawRun({ svg, seed: single, all }) {
  if (single !== undefined && single.length > 1)
    refuse("--svg draws one run: give one --seed or --options, or none for the example");
  const isExample = single === undefined && options.options === undefined;
  const [fromMs, toMs] = part(options);
  const drawing = harness.drawRun({
    run: isExample ? undefined : givenOptions(options),
    fromMs,
    toMs,
    isComplete: all,
  });
  try {
    writeFileSync(svg, drawing.svg);
  } catch (error) {
    console.error(`cannot write ${svg}: ${error.message}`);
    return 1;
  }
  console.log(`drawn in ${svg}: ${drawing.fromMs} to ${drawing.toMs} ms, ${drawing.reason}`);
  return 0;
}

function part({ from, to }) {
  const [fromMs, toMs] = [from, to].map((text) => (text === undefined ? undefined : Number(text)));
  if ([fromMs, toMs].some(Number.isNaN)) refuse("--from and --to are milliseconds");
  if ((fromMs ?? 0) >= (toMs ?? Number.POSITIVE_INFINITY)) refuse("--from is not below --to");
  return [fromMs, toMs];
}

function refuse(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}
