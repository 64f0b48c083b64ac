import { type Configuration, type Membership, replicaId } from "@quorate/protocol";
import { decodeConfiguration, genesisRecord } from "@quorate/reconfiguration";
import type { Command } from "commander";
import { type EpochSource, openEpochSource } from "../epoch-source.ts";
import { printJson, printLine, printTable } from "../terminal.ts";
import { thresholds } from "./issue-change.ts";
import { type OperatorFlags, withOperatorFlags } from "./operator.ts";

/** `quorate members list`: who the members are now, as the chain of epochs proves it. */
export function addListCommand(members: Command): void {
  withOperatorFlags(
    members.command("list").description("show the members of the latest epoch, proven from the genesis document on"),
    "who asks; the key in the folder, or a fresh one, unless given",
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members list\n  quorate members list --genesis genesis.json --at 10.0.0.7:7000 --json\n\n" +
        "With --data of replicas that are stopped it shows what their folders have.\n\nExit code: 0 shown, 3 too few members answer in time.",
    )
    .action(async (flags: OperatorFlags) => {
      const source = await openEpochSource(flags);
      const { configuration, membership } = source.epochs;
      if (flags.json === true) printJson(documentOf(source, configuration, membership));
      else printMembers(configuration, membership);
    });
}

function documentOf({ epochs, genesis }: EpochSource, configuration: Configuration, membership: Membership): object {
  const { link } = epochs;
  const { highestId, pending } = link === undefined ? genesisRecord(genesis) : decodeConfiguration(link.record);
  const next = pending && { epoch: pending.next.epoch, activation: pending.activation };
  return { ...configuration, start: membership.start?.seq ?? 0, ...thresholds(membership), highestId, pending: next };
}

function printMembers(
  { epoch, members, admins, checkpointInterval, windowSize }: Configuration,
  membership: Membership,
): void {
  const { f, q } = thresholds(membership);
  printTable(
    ["REPLICA", "ADDRESS", "KEY"],
    members.map(({ id, address, publicKey }) => [`${replicaId(id)}`, address, publicKey]),
  );
  printLine(
    `epoch ${epoch}, from ${(membership.start?.seq ?? 0) + 1} on: f = ${f} of ${members.length} may be faulty, q = ${q} decide; K = ${checkpointInterval}, L = ${windowSize}; ` +
      `changes need ${admins.threshold} of ${admins.keys.length} admins`,
  );
}
