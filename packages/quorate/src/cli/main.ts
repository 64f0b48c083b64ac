import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addAuditCommand } from "./audit-command.ts";
import { addBackupCommand } from "./backup-command.ts";
import { addCheckpointCommand } from "./checkpoint-command.ts";
import { addClusterCommand } from "./cluster-command.ts";
import { addEpochsCommand } from "./epochs-command.ts";
import { addEvidenceCommand } from "./evidence-command.ts";
import { EXIT } from "./exit-codes.ts";
import { addGenesisCommand } from "./genesis-command.ts";
import { outliveReader } from "./gone-reader.ts";
import { addInitCommand } from "./init-command.ts";
import { addJoinCommand } from "./join-command.ts";
import { addKeygenCommand } from "./keygen-command.ts";
import { addKvCommand } from "./kv-command.ts";
import { addLogCommand } from "./log-command.ts";
import { addMembersCommand } from "./members/members-command.ts";
import { addPrimaryCommand } from "./primary-command.ts";
import { addStartCommand } from "./start-command.ts";
import { addStatusCommand } from "./status-command.ts";
import { reportError } from "./terminal.ts";
import { addVerifyCommand } from "./verify-command.ts";
import { addVerifyDataCommand } from "./verify-data-command.ts";

/** The `quorate` command with all that is below it. */
export function createProgram(): Command {
  const program = new Command("quorate");
  program.exitOverride().description("Byzantine-fault-tolerant state machine replication").version(ownVersion());
  addClusterCommand(program);
  addStatusCommand(program);
  addAuditCommand(program);
  addKvCommand(program);
  addPrimaryCommand(program);
  addCheckpointCommand(program);
  addMembersCommand(program);
  addEpochsCommand(program);
  addEvidenceCommand(program);
  addBackupCommand(program);
  addLogCommand(program);
  addVerifyCommand(program);
  addVerifyDataCommand(program);
  addKeygenCommand(program);
  addGenesisCommand(program);
  addInitCommand(program);
  addStartCommand(program);
  addJoinCommand(program);
  program.addHelpText("after", "\nExample:\n  npm start\n  npx quorate kv put greeting hello");
  applyToAll(program, (command) => command.exitOverride().showHelpAfterError("(--help shows what is possible)"));
  return program;
}

/**
 * Runs the `quorate` command.
 *
 * @param args without the program's own name.
 * @returns the exit code.
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) outliveReader(stream);
  try {
    await createProgram().parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed its own complaint or help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return reportError(error);
  }
}

function applyToAll(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) applyToAll(child, apply);
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(version);
}
