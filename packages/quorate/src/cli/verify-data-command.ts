import type { DataCheck, DataVerdict } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { dataFolderOf } from "./data-argument.ts";
import { EXIT } from "./exit-codes.ts";
import { foldersOfReplicas, openLocalCluster } from "./local-cluster.ts";
import { printComplaint, printJson, printLine, printProgress, printTable } from "./terminal.ts";
import { isApart, tellVerdict, verifyApart } from "./verify-apart.ts";

/** `quorate verify-data`: whether a data folder is what its replica wrote. */
export function addVerifyDataCommand(program: Command): void {
  program
    .command("verify-data")
    .description("check the data folder of a stopped replica without changing it: files, records, signatures, state")
    .argument("[dir]", "the same as --data", path)
    .option("--data <dir>", `one replica's data folder, or a local cluster's (default: "${DEFAULT_DATA}")`, path)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate verify-data /var/lib/quorate\n\nExit code: 0 if all is as it was written, 1 if anything is not.",
    )
    .action(async (dir: string | undefined, flags: { data?: string; json?: true }, command: Command) => {
      const data = dataFolderOf(dir, flags.data, command);
      if (isApart()) return tellVerdict(data);
      const verdicts: DataVerdict[] = [];
      for (const folder of await foldersIn(data)) {
        const verdict = await verifyApart(folder);
        verdicts.push(verdict);
        if (flags.json !== true) print(verdict);
      }
      if (flags.json === true) printJson(verdicts);
      process.exitCode = verdicts.every(({ isSound }) => isSound) ? EXIT.ok : EXIT.failed;
    });
}

/**
 * Of a local cluster all that are there, of which each is checked by itself. One that is not may be lost, or of a member that has left:
 * that is told, and nothing is said of its soundness.
 */
async function foldersIn(data: string): Promise<readonly string[]> {
  const there = foldersOfReplicas(data);
  if (there.length === 0) return [data];
  for (const { id, path: folder } of (await openLocalCluster(data)).replicas)
    if (!there.includes(folder))
      printProgress(`no data folder of replica ${id} at ${folder}, which was lost or has left: it is not checked`);
  return there;
}

function print({ path: folder, isSound, checks }: DataVerdict): void {
  printTable(
    ["CHECKED", "RESULT", "FOUND"],
    checks.map((check) => [check.part, check.result.replace("-", " "), check.found]),
  );
  for (const check of checks) for (const complaint of complaintsOf(check)) printComplaint(`${folder}: ${complaint}`);
  if (isSound) printLine(`${folder} is sound: all of it is what its replica wrote`);
}

function complaintsOf({ part, problems, problemCount, advice }: DataCheck): readonly string[] {
  if (advice === undefined) return [];
  const more =
    problemCount > problems.length ? [`${part}: and ${problemCount - problems.length} more of the kind`] : [];
  return [...problems.map((problem) => `${part}: ${problem}`), ...more, `${part}: ${advice}`];
}
