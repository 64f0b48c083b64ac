/**
 * Whether a recorded history of key-value calls is linearizable: `node test-harness/bin/check-history.js FILE`.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { prepare } from "./prepare.js";

const HELP = `Usage: node test-harness/bin/check-history.js FILE [--configurations-max N] [--help]

Checks a history of a key-value cluster, one JSON object a line, for linearizability, key by key.

  --configurations-max N  give up on a key after so many steps of its search (1000000)
  --help                  this text

Ends with 0 if it is linearizable, 1 if it is not, 2 if the command or the file says nothing, 3 if nobody can say.`;

const EXIT_CODES = { linearizable: 0, violation: 1, undecided: 3 };
/** Calls that are printed of those that fit no order. */
const STUCK_MAX = 10;

const { file, configurationsMax } = parse();
await prepare("check-history", "test-harness");
const { checkHistory, describeOperation, parseHistory } = await import("../dist/index.js");

const verdict = checkHistory(read(), { configurationsMax });
for (const finding of verdict.findings) print(finding);
console.log(
  `${verdict.type}: ${verdict.operations} operations, ${verdict.keys} keys, ${verdict.configurations} configurations`,
);
process.exitCode = EXIT_CODES[verdict.type];

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        "configurations-max": { type: "string", default: "1000000" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const most = Number(values["configurations-max"]);
    if (positionals.length !== 1) throw new Error("expected one FILE");
    if (!Number.isSafeInteger(most) || most < 1) throw new Error("--configurations-max is no number of at least 1");
    return { file: positionals[0], configurationsMax: most };
  } catch (error) {
    return refuse(`${error.message}\n\n${HELP}`);
  }
}

function read() {
  try {
    return parseHistory(readFileSync(file, "utf8"));
  } catch (error) {
    return refuse(`${file}: ${error.message}`);
  }
}

function refuse(message) {
  console.error(`check-history: ${message}`);
  process.exit(2);
}

function print({ key, verdict: type, operations, explained, state, stuck }) {
  console.log(`key ${JSON.stringify(key)}: ${type}; an order explains ${explained} of ${operations} operations`);
  console.log(`  then the key holds ${JSON.stringify(state)}, and none of these can come next:`);
  for (const operation of stuck.slice(0, STUCK_MAX)) console.log(`  ${describeOperation(operation)}`);
}
