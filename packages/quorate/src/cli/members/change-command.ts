import type { Command } from "commander";
import { path } from "../arguments.ts";
import { type IssueFlags, issueChange, type Proposal } from "./issue-change.ts";
import { CHANGE_TIMEOUT_MS, type Operator, openOperator, withOperatorFlags } from "./operator.ts";

/** The exit codes of all commands that order a change; `done` is what 0 says. */
export function changeExitCodes(done = "in force"): string {
  return `Exit code: 0 ${done}, 1 keys, ids or files are not what they should be, 3 not accepted or not in force in time, 5 the cluster refused it, or its epoch is over.`;
}
/** Of those that can write the order into a file. */
export const CHANGE_EXIT_CODES: string = changeExitCodes("in force (or written, with --out)");

const KEY_MEANING = "the key pair of an admin, repeat for as many as must sign; that in the folder unless given";

/** Adds the flags of a command that orders a change. */
export function withChangeFlags(command: Command, keyMeaning: string = KEY_MEANING): Command {
  return withOperatorFlags(command, keyMeaning, CHANGE_TIMEOUT_MS).option(
    "--out <file>",
    "write the order, approved by the keys at hand, and do not submit it: for `quorate members approve` and `submit`",
    path,
  );
}

/** Comes to the latest epoch, makes the change for it, and has it ordered. */
export async function runChange(
  flags: IssueFlags,
  propose: (operator: Operator) => Proposal | Promise<Proposal>,
): Promise<void> {
  const operator = await openOperator(flags);
  await operator.client.follow(undefined, operator.leftMs());
  await issueChange(operator, await propose(operator), flags);
}
