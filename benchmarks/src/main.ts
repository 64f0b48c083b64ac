import { runBenchmark } from "./benchmark.ts";
import { CRYPTO_HELP, HELP, parseCryptoOptions, parseOptions, UsageError } from "./options.ts";
import { shortfalls, table } from "./report.ts";

/**
 * `npm run bench`.
 *
 * @param args without the program's own name.
 * @returns the exit code: 0, 1 when something failed or a minimum was missed, 2 for a command line that says nothing.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "crypto") return await runCrypto(args.slice(1));
    const options = parseOptions(args);
    if (options === undefined) {
      process.stdout.write(`${HELP}\n`);
      return 0;
    }
    const report = await runBenchmark(options);
    process.stdout.write(`${options.json ? JSON.stringify(report, undefined, 2) : table(report)}\n`);
    const missed = shortfalls(report).filter((text) => options.check || text.endsWith("failed"));
    for (const text of missed) process.stderr.write(`bench: ${text}\n`);
    return missed.length === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
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
