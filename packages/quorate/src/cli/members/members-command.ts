import type { Command } from "commander";
import { addApproveCommand, addSubmitCommand } from "./approve-command.ts";
import { addAddCommand, addReplaceCommand } from "./join-commands.ts";
import { addLeaveCommands } from "./leave-commands.ts";
import { addListCommand } from "./list-command.ts";
import { addRotateKeyCommand } from "./rotate-key-command.ts";
import { addSettingCommands } from "./setting-commands.ts";

/** `quorate members`: who takes part in a cluster, and every change of that. */
export function addMembersCommand(program: Command): void {
  const members = program
    .command("members")
    .description("show and change who takes part: members, keys, admins, clients, K and L")
    .addHelpText("after", "\nExample:\n  quorate members list");
  addListCommand(members);
  addAddCommand(members);
  addReplaceCommand(members);
  addLeaveCommands(members);
  addRotateKeyCommand(members);
  addSettingCommands(members);
  addApproveCommand(members);
  addSubmitCommand(members);
}
