/**
 * Planted bugs, each of which a test or a seed must notice: `npm run mutants`.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "./prepare.js";

const HELP = `Usage: npm run mutants -- [--only NAME]... [--list] [--json] [--help]

Plants one bug at a time into a copy of the sources and runs the tests or seeds that must notice it.

  --only NAME  this mutant, may be repeated
  --list       the mutants, what is wrong with each, the rule that it breaks and what must notice it; runs nothing
  --json       one JSON object a line instead of text
  --help       this text

Ends with 1 if a mutant survives, if one that is called harmless is noticed, or if the list does not fit the sources.

Example: npm run mutants -- --only prepare-not-bound-to-digest`;

const options = parseOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
prepare("mutants", "test-harness");
const harness = await import("../dist/index.js");
const mutants = chosen(options.only);
if (options.list) {
  const lines = mutants.map((mutant) => (options.json ? JSON.stringify(mutant) : described(mutant)));
  // More than a pipe holds: what is not taken yet would go with the process.
  await new Promise((taken) => process.stdout.write(`${lines.join("\n")}\n`, taken));
  process.exit(0);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
const run = new harness.MutationRun(fileURLToPath(new URL("../..", import.meta.url)));
process.once("exit", () => run.close());
const counts = { caught: 0, survived: 0, harmless: 0 };
for (const mutant of mutants) await judge(mutant);
if (!options.json) console.log(`\n${counts.caught} caught, ${counts.survived} survived, ${counts.harmless} harmless`);

function parseOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: "string", multiple: true },
        list: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

function chosen(names) {
  if (names === undefined) return harness.MUTANTS;
  return names.map((name) => {
    const mutant = harness.MUTANTS.find((each) => each.name === name);
    return mutant ?? refuse(`There is no mutant ${name}; npm run mutants -- --list shows all.`);
  });
}

function described({ name, rule, bug, file, caughtBy, harmless }) {
  const lines = [`${name} (protocol rule ${rule})`, `  ${bug}`, `  in ${file}`];
  lines.push(
    `  ${harmless === undefined ? "caught by" : "not noticed by"} ${caughtBy.map(harness.nameOfDetector).join(", ")}`,
  );
  if (harmless !== undefined) lines.push(`  harmless: ${harmless}`);
  return lines.join("\n");
}

async function judge(mutant) {
  try {
    const report = await run.judge(mutant);
    counts[report.outcome] += 1;
    if (!harness.isAsExpected(report, mutant)) process.exitCode = 1;
    if (options.json) return console.log(JSON.stringify(report));
    const by = report.by === undefined ? "" : `\n          ${report.by}`;
    console.log(`${report.outcome.padEnd(8)}  ${report.name} (rule ${report.rule}), ${report.seconds} s${by}`);
  } catch (error) {
    if (error.code?.startsWith?.("mutant.") !== true) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

function refuse(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(2);
}
