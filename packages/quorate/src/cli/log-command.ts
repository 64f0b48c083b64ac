import type { Command } from "commander";
import { integer, path, positive } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { dataFolderOf } from "./data-argument.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOf, LogColumns } from "./log-lines.ts";
import { type OpenedLogs, openLogs } from "./log-source.ts";
import { type MergedProblem, mergeLogs } from "./merge-logs.ts";
import { StreamOutput } from "./stream-output.ts";
import { printComplaint } from "./terminal.ts";

interface LogFlags {
  readonly data?: string;
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
  readonly json?: true;
}

/** `quorate log`: what was ordered, with what proves it. */
export function addLogCommand(program: Command): void {
  program
    .command("log")
    .description("print the ordered log with its commit certificates, each verified against the genesis document")
    .argument("[dir]", "the same as --data", path)
    .option(
      "--data <dir>",
      `the cluster's folder, or one replica's; whether they run or not (default: "${DEFAULT_DATA}")`,
      path,
    )
    .option("--from <number>", "the first sequence number; the first that is kept unless given", integer)
    .option("--to <number>", "the last one; the last there is unless given", integer)
    .option("--limit <count>", "print at most so many entries", positive)
    .option("--json", "print JSON, one line for each entry, with its requests; the last line sums up")
    .addHelpText(
      "after",
      "\nExample:\n  quorate log --from 100 --limit 20\n  quorate log /var/lib/quorate --json\n\n" +
        "Exit code: 0 if all that was read is proven, 1 if anything is damaged, missing or not proven.",
    )
    .action(async (dir: string | undefined, flags: LogFlags, command: Command) => {
      const opened = await openLogs(dataFolderOf(dir, flags.data, command));
      try {
        const { problems } = await print(opened, flags, new StreamOutput());
        process.exitCode = problems === 0 ? EXIT.ok : EXIT.failed;
      } finally {
        for (const log of opened.logs) await log.close();
      }
    });
}

interface Summary {
  entries: number;
  prepared: number;
  problems: number;
  first: number | undefined;
  last: number | undefined;
}

async function print({ cluster, logs }: OpenedLogs, flags: LogFlags, output: StreamOutput): Promise<Summary> {
  const isJson = flags.json === true;
  const columns = new LogColumns(logs.length);
  const summary: Summary = { entries: 0, prepared: 0, problems: 0, first: undefined, last: undefined };
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = flags;
  for await (const merged of mergeLogs(logs, { from, to })) {
    if (output.isClosed) return summary;
    if (merged.type === "problem") {
      summary.problems += 1;
      if (isJson) await output.line(JSON.stringify(merged));
      else printComplaint(sentenceOf(merged));
      continue;
    }
    // What follows is looked at no more, so it is not known whether it is sound.
    if (summary.entries === flags.limit) break;
    if (summary.entries === 0 && !isJson) await output.line(columns.head);
    await output.line(isJson ? JSON.stringify(jsonOf(merged)) : columns.line(merged));
    summary.entries += 1;
    if (merged.logged.type === "prepared") summary.prepared += 1;
    summary.first ??= merged.logged.seq;
    summary.last = merged.logged.seq;
  }
  await output.line(isJson ? JSON.stringify({ type: "summary", cluster, ...summary }) : verdictOf(summary, cluster));
  return summary;
}

function sentenceOf({ replica, seq, problem }: MergedProblem): string {
  return `${replica === "observer" ? "an observer" : `replica ${replica}`}${seq === undefined ? "" : `, number ${seq}`}: ${problem}`;
}

function verdictOf({ entries, prepared, problems, first, last }: Summary, cluster: string): string {
  const found = problems === 0 ? "" : `${problems} ${problems === 1 ? "problem" : "problems"}, see above; `;
  if (entries === 0) return `${found}no entry is kept in this range`;
  const only = prepared === 0 ? "" : `, but for ${prepared} that prepared only and may still be decided otherwise`;
  const range = first === last ? `entry ${first}` : `${entries} entries from ${first} to ${last}`;
  return `${found}${range}: each batch has the digest that a quorum signed, by the genesis of cluster ${cluster}${only}`;
}
