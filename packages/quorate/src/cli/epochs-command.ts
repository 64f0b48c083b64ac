import type { Command } from "commander";
import { type EpochRow, epochRows } from "./epoch-rows.ts";
import { openEpochSource } from "./epoch-source.ts";
import { type OperatorFlags, withOperatorFlags } from "./members/operator.ts";
import { printJson, printTable } from "./terminal.ts";

/** `quorate epochs`: the chain of epochs, from the genesis document to now. */
export function addEpochsCommand(program: Command): void {
  withOperatorFlags(
    program
      .command("epochs")
      .description("show every epoch of a cluster: who its members were, what changed, and who signed that"),
    "who asks; the key in the folder, or a fresh one, unless given",
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate epochs\n  quorate epochs --genesis genesis.json --json\n\n" +
        "Each epoch is proven by the members of the one before, down to the genesis document. With --data of replicas that are stopped it is what\ntheir folders have.\n\n" +
        "Exit code: 0 shown, 3 too few members answer in time.",
    )
    .action(async (flags: OperatorFlags) => {
      const { epochs, genesis, source } = await openEpochSource(flags);
      const rows = epochRows(epochs, genesis);
      if (flags.json === true) printJson({ source, epochs: rows });
      else printTable(HEAD, rows.map(cellsOf));
    });
}

const HEAD = ["EPOCH", "FROM", "MEMBERS", "f", "q", "K", "L", "ADMINS", "SIGNED BY", "WHAT CHANGED"] as const;

function cellsOf({ epoch, activation, members, f, q, admins, signedBy, changed, ...row }: EpochRow): string[] {
  return [
    `${epoch}`,
    `${activation + 1}`,
    members.map(({ id }) => id).join(","),
    `${f}`,
    `${q}`,
    `${row.checkpointInterval}`,
    `${row.windowSize}`,
    `${admins.threshold} of ${admins.keys.length}`,
    signedBy?.join(",") ?? "genesis",
    epoch === 0 ? "-" : changed.join("; ") || "nothing",
  ];
}
