import { createCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { epochDocumentOf } from "@quorate/reconfiguration";
import { ConfigurationError, writeOnce } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { type EpochRow, epochRows } from "./epoch-rows.ts";
import { type EpochSource, openEpochSource } from "./epoch-source.ts";
import { type OperatorFlags, withOperatorFlags } from "./members/operator.ts";
import { printJson, printTable } from "./terminal.ts";

interface EpochsFlags extends OperatorFlags {
  readonly document?: string;
}

/** `quorate epochs`: the chain of epochs, from the genesis document to now. */
export function addEpochsCommand(program: Command): void {
  withOperatorFlags(
    program
      .command("epochs")
      .description("show every epoch of a cluster: who its members were, what changed, and who signed that"),
    "who asks; the key in the folder, or a fresh one, unless given",
  )
    .option("--document <file>", "write the latest epoch as a document, for others to trust it like genesis", path)
    .addHelpText(
      "after",
      "\nExample:\n  quorate epochs\n  quorate epochs --genesis genesis.json --json\n\n" +
        "Each epoch is proven by the members of the one before, down to the genesis document. With --data of replicas that are stopped it is what\ntheir folders have.\n\n" +
        "Exit code: 0 shown, 3 too few members answer in time.",
    )
    .action(async (flags: EpochsFlags) => {
      const found = await openEpochSource(flags);
      if (flags.document !== undefined) writeDocument(found, flags.document);
      const { epochs, genesis, source } = found;
      const rows = epochRows(epochs, genesis);
      if (flags.json === true) printJson({ source, epochs: rows });
      else printTable(HEAD, rows.map(cellsOf));
    });
}

/** @throws ConfigurationError in epoch 0, or where the file exists or cannot be written. */
function writeDocument({ epochs, genesis }: EpochSource, file: string): void {
  const cluster = clusterIdOf(createNodeHasher(), genesis);
  const document = epochDocumentOf(epochs, cluster, createCodec(wireLimitsOf(genesis)));
  if (document === undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      "the cluster is in epoch 0, and the document of that is the genesis document",
    );
  writeOnce(file, `${JSON.stringify(document, null, 2)}\n`, 0o644);
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
