import { ConfigurationError, type PreparedChange } from "@quorate/server";
import type { Command } from "commander";
import { approveChange } from "../../order-change.ts";
import { path } from "../arguments.ts";
import { printJson, printLine } from "../terminal.ts";
import { changeExitCodes } from "./change-command.ts";
import { refreshJoin } from "./claims.ts";
import { describeChange } from "./describe-change.ts";
import { noAdminsKey, printOrdered, submitPrepared } from "./issue-change.ts";
import { addressArgument, FROM_FLAG } from "./join-commands.ts";
import {
  CHANGE_TIMEOUT_MS,
  type Operator,
  type OperatorFlags,
  openOperator,
  requireKey,
  withOperatorFlags,
} from "./operator.ts";
import { readOrder, replaceOrder } from "./order-files.ts";

/** `quorate members approve`: adds an admin's signature to an order, which another one's would spoil. */
export function addApproveCommand(members: Command): void {
  withOperatorFlags(
    members
      .command("approve")
      .description("look at an order that another admin has written, and add your approval to the file")
      .argument("<file>", "the order, which is written anew", path),
    "the key pair of an admin; repeat; that in the folder unless given",
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members approve order.json --genesis genesis.json --key admin.key.json\n\n" +
        "Exit code: 0 approved, 1 the file is no order for this cluster or for its epoch, or was changed, or the key is no admin's,\n3 too few members answer in time.",
    )
    .action(async (file: string, flags: OperatorFlags) => {
      const operator = await openOperator(flags);
      requireKey(operator);
      let prepared = readOrder(file, operator.client.cluster, operator.client.backend);
      await operator.client.follow(undefined, operator.leftMs());
      checkApproval(operator, prepared, file);
      for (const { seed } of operator.keys) prepared = await approveChange(prepared, seed);
      replaceOrder(file, prepared);
      printApproved(file, prepared, operator, flags);
    });
}

/**
 * One approval of a stranger, and the cluster refuses the order whoever else approves it.
 *
 * @throws ConfigurationError when a key is no admin's, or the order is not for the latest epoch.
 */
function checkApproval(operator: Operator, { epoch }: PreparedChange, file: string): void {
  const { epochs } = operator.client;
  if (epoch !== epochs.epoch)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${file} is an order for epoch ${epoch}, it is epoch ${epochs.epoch} now: ${
        epoch < epochs.epoch ? "make it anew" : "name a replica that knows its epoch with --at"
      }`,
    );
  const { keys } = epochs.configuration.admins;
  const foreign = operator.keys.find(({ publicKey }) => !keys.some((key) => key === publicKey));
  if (foreign !== undefined) throw noAdminsKey(operator, foreign);
}

/** `quorate members submit`: has the cluster execute an order that admins have approved. */
export function addSubmitCommand(members: Command): void {
  withOperatorFlags(
    members
      .command("submit")
      .description("submit an order that admins have approved, and wait until it is in force")
      .argument("<file>", "the order", path)
      .option(FROM_FLAG, "for the order of a join: ask the joiner there for a newer claim before", addressArgument),
    "who submits it; the key in the folder, or a fresh one, unless given; the member's where one leaves by itself",
    CHANGE_TIMEOUT_MS,
  )
    .addHelpText(
      "after",
      `\nExample:\n  quorate members submit order.json --genesis genesis.json --key admin.key.json\n\n${changeExitCodes()}`,
    )
    .action(async (file: string, { from, ...flags }: OperatorFlags & { from?: string }) => {
      const operator = await openOperator(flags);
      const read = readOrder(file, operator.client.cluster, operator.client.backend);
      // What is in force already shows in the chain of epochs, and is not ordered anew.
      await operator.client.follow(undefined, operator.leftMs());
      const prepared = from === undefined ? read : await refreshJoin(operator, read, { ...flags, from });
      printOrdered(await submitPrepared(operator, prepared), prepared.change, operator, flags);
    });
}

function printApproved(
  file: string,
  { change, epoch, approvals }: PreparedChange,
  { client: { epochs } }: Operator,
  { json }: OperatorFlags,
): void {
  if (json === true) return printJson({ file, epoch, change, approvals: approvals.map(({ key }) => key) });
  const by = approvals.map(({ key }) => `${key.slice(0, 16)}…`).join(", ");
  printLine(`${file}: ${describeChange(change, epochs.membership)}; for epoch ${epoch}, approved by ${by}`);
}
