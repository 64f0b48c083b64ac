import type { PreparedChange } from "@quorate/server";
import type { Command } from "commander";
import { approveChange } from "../../order-change.ts";
import { path } from "../arguments.ts";
import { printJson, printLine } from "../terminal.ts";
import { CHANGE_EXIT_CODES } from "./change-command.ts";
import { refreshJoin } from "./claims.ts";
import { describeChange } from "./describe-change.ts";
import { printOrdered, submitPrepared } from "./issue-change.ts";
import { addressArgument, FROM_FLAG } from "./join-commands.ts";
import {
  type ClusterFlags,
  type OperatorFlags,
  openOperator,
  requireKey,
  withClusterFlags,
  withOperatorFlags,
} from "./operator.ts";
import { readOrder, replaceOrder } from "./order-files.ts";

/** `quorate members approve`: adds an admin's signature to an order. Nothing is asked of the cluster. */
export function addApproveCommand(members: Command): void {
  withClusterFlags(
    members
      .command("approve")
      .description("look at an order that another admin has written, and add your approval to the file")
      .argument("<file>", "the order, which is written anew", path),
    "the key pair of an admin; repeat; that in the folder unless given",
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members approve order.json --genesis genesis.json --key admin.key.json\n\n" +
        "Exit code: 0 approved, 1 the file is no order for this cluster, or was changed.",
    )
    .action(async (file: string, flags: ClusterFlags) => {
      const operator = await openOperator(flags);
      requireKey(operator);
      let prepared = readOrder(file, operator.client.cluster, operator.client.backend);
      for (const { seed } of operator.keys) prepared = await approveChange(prepared, seed);
      replaceOrder(file, prepared);
      printApproved(file, prepared, flags);
    });
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
  )
    .addHelpText(
      "after",
      `\nExample:\n  quorate members submit order.json --genesis genesis.json --key admin.key.json\n\n${CHANGE_EXIT_CODES}`,
    )
    .action(async (file: string, { from, ...flags }: OperatorFlags & { from?: string }) => {
      const operator = await openOperator(flags);
      const read = readOrder(file, operator.client.cluster, operator.client.backend);
      const prepared = from === undefined ? read : await refreshJoin(operator, read, { ...flags, from });
      printOrdered(await submitPrepared(operator, prepared, flags), prepared.change, operator, flags);
    });
}

function printApproved(file: string, { change, epoch, approvals }: PreparedChange, { json }: ClusterFlags): void {
  if (json === true) return printJson({ file, epoch, change, approvals: approvals.map(({ key }) => key) });
  const by = approvals.map(({ key }) => `${key.slice(0, 16)}…`).join(", ");
  printLine(`${file}: ${describeChange(change)}; for epoch ${epoch}, approved by ${by}`);
}
