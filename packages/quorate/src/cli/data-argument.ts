import type { Command } from "commander";
import { DEFAULT_DATA } from "./cluster-command.ts";

/** The folder that a command is about: its argument or `--data`, and the local cluster's unless one is given. */
export function dataFolderOf(argument: string | undefined, flag: string | undefined, command: Command): string {
  if (argument !== undefined && flag !== undefined && argument !== flag)
    command.error(`error: expected one folder, got ${argument} and --data ${flag}`);
  return argument ?? flag ?? DEFAULT_DATA;
}
