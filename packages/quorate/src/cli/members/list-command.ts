import { type Configuration, type Membership, replicaId } from "@quorate/protocol";
import { decodeConfiguration, genesisRecord, type PendingChange } from "@quorate/reconfiguration";
import type { Command } from "commander";
import { type EpochSource, openEpochSource } from "../epoch-source.ts";
import { readReplicaRows } from "../replica-rows.ts";
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
        "With --data of replicas that run it shows a change that waits to be in force, too, as they say; of those that are stopped what their folders have.\n\nExit code: 0 shown, 3 too few members answer in time.",
    )
    .action(async (flags: OperatorFlags) => {
      const source = await openEpochSource(flags);
      const { configuration, membership } = source.epochs;
      const pending = await pendingIn(source, flags);
      if (flags.json === true) printJson(documentOf(source, pending));
      else {
        printMembers(configuration, membership);
        if (pending !== undefined && pending !== null) printPending(pending);
      }
    });
}

/**
 * What waits to be in force, as the replica at hand says it that has executed the most: nobody proves it before its epoch begins.
 *
 * @returns null: nothing waits; undefined: there is nobody to ask.
 */
export async function pendingIn(
  { epochs }: { readonly epochs: Pick<EpochSource["epochs"], "epoch"> },
  flags: Pick<OperatorFlags, "data" | "genesis">,
): Promise<PendingChange | null | undefined> {
  const { rows } = flags.genesis === undefined ? await readReplicaRows(flags.data) : { rows: [] };
  const [furthest] = rows
    .flatMap(({ status }) => (status?.epoch === epochs.epoch && status.historyDigest !== "" ? [status] : []))
    .toSorted((a, b) => b.executed - a.executed);
  return furthest === undefined ? undefined : (furthest.pendingChange ?? null);
}

function documentOf({ epochs, genesis }: EpochSource, pending: PendingChange | null | undefined): object {
  const { link, configuration, membership } = epochs;
  const { highestId } = link === undefined ? genesisRecord(genesis) : decodeConfiguration(link.record);
  const activation = membership.start?.seq ?? 0;
  return {
    ...configuration,
    activation,
    ...thresholds(membership),
    highestId,
    pending: pending && pendingDocument(pending),
  };
}

/** The same names as those of the epoch that it will be. */
function pendingDocument({ ordered, activation, next, rejoins, queued }: PendingChange): object {
  return { ...next, activation, ordered, rejoins, queued };
}

function printPending({
  ordered,
  activation,
  next: { epoch, members, checkpointInterval, windowSize },
}: PendingChange): void {
  const ids = members.map(({ id }) => id).join(", ");
  printLine(
    `epoch ${epoch} was ordered at ${ordered} and begins above ${activation}: members ${ids}; K = ${checkpointInterval}, L = ${windowSize}`,
  );
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
