import { measureUntilReached } from "./attempts.ts";
import { runBenchmark } from "./benchmark.ts";
import {
  type BenchOptions,
  CRYPTO_HELP,
  HELP,
  parseCryptoOptions,
  parseOptions,
  parseStateOptions,
  parseTransferOptions,
  type RecordOptions,
  STATE_HELP,
  TRANSFER_HELP,
  UsageError,
} from "./options.ts";
import { type Report, table, type Verdict, verdictOf } from "./report.ts";

/**
 * `npm run bench`.
 *
 * @param args without the program's own name.
 * @returns the exit code: 0, 1 when something failed or a minimum was missed, 2 for a command line that says nothing, 3 when
 * a minimum was missed on a machine where somebody else was at work.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "crypto") return await runCrypto(args.slice(1));
    if (args[0] === "state") return await runState(args.slice(1));
    if (args[0] === "transfer") return await runTransfer(args.slice(1));
    const options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(`${HELP}\n`);
      return 0;
    }
    if (options.task === "record") return await record(options);
    const { report, verdict } = await measured(options);
    process.stdout.write(`${options.json ? JSON.stringify(report, undefined, 2) : table(report)}\n`);
    for (const text of verdict.complaints) process.stderr.write(`bench: ${text}\n`);
    return verdict.exitCode;
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function measured(options: BenchOptions): Promise<{ readonly report: Report; readonly verdict: Verdict }> {
  if (!options.check) {
    const report = await runBenchmark(options);
    return { report, verdict: verdictOf(report, false) };
  }
  return measureUntilReached(
    () => runBenchmark(options),
    ({ complaints }, missed) => {
      // Of every run the figures are shown; with --json the last one's are the answer.
      if (!options.json) process.stdout.write(`${table(missed)}\n\n`);
      for (const text of complaints) process.stderr.write(`bench: ${text}; measured again\n`);
    },
  );
}

async function record({ history, json }: RecordOptions): Promise<number> {
  // Brings the test harness along, which no measurement needs.
  const { recordHistory } = await import("./history.ts");
  const report = await recordHistory(history);
  const { calls, unanswered, keys, clients, primariesKilled, seconds, file } = report;
  const text =
    `${calls} calls of ${clients} clients on ${keys} keys in ${seconds} s, ${unanswered} without an answer; ` +
    `the primary was killed ${primariesKilled} times\ncheck it: node test-harness/bin/check-history.js ${file}`;
  process.stdout.write(`${json ? JSON.stringify(report, undefined, 2) : text}\n`);
  return 0;
}

async function runCrypto(args: readonly string[]): Promise<number> {
  const options = parseCryptoOptions(args);
  if (options === undefined) {
    process.stdout.write(`${CRYPTO_HELP}\n`);
    return 0;
  }
  // Loads back ends that nothing else here needs.
  const { measurePrimitives } = await import("./crypto.ts");
  await measurePrimitives(options);
  return 0;
}

async function runState(args: readonly string[]): Promise<number> {
  const options = parseStateOptions(args);
  if (options === undefined) {
    process.stdout.write(`${STATE_HELP}\n`);
    return 0;
  }
  const { measureState } = await import("./state.ts");
  return measureState(options);
}

async function runTransfer(args: readonly string[]): Promise<number> {
  const options = parseTransferOptions(args);
  if (options === undefined) {
    process.stdout.write(`${TRANSFER_HELP}\n`);
    return 0;
  }
  const { measureTransfer } = await import("./transfer.ts");
  return measureTransfer(options);
}
