import { existsSync } from "node:fs";
import { type Digest, isHex32, REPLICA_ID_MAX, type ReplicaId, replicaId } from "@quorate/protocol";
import { ConfigurationError } from "@quorate/server";
import { type Command, InvalidArgumentError } from "commander";
import { integer } from "../arguments.ts";
import { readReplicaRows } from "../replica-rows.ts";
import { CHANGE_EXIT_CODES, runChange, withChangeFlags } from "./change-command.ts";
import type { IssueFlags } from "./issue-change.ts";
import { knownMember } from "./known-member.ts";

interface RemoveFlags extends IssueFlags {
  readonly lowerFaultThreshold?: true;
}

interface RejoinFlags extends IssueFlags {
  readonly loss?: Digest;
}

const OWN_KEY =
  "the key pair of an admin, repeat for as many as must sign, or of the member itself; that in the folder unless given";

/** The commands that a member may order by itself: to leave, and to take part again after a loss. */
export function addLeaveCommands(members: Command): void {
  withChangeFlags(
    members
      .command("remove")
      .description("have a member leave; its replica may be stopped once its log says so")
      .argument("<id>", "which member", memberArgument)
      .option("--lower-fault-threshold", "even if fewer members may be faulty then than now"),
    OWN_KEY,
  )
    .addHelpText("after", `\nExample:\n  quorate members remove 4\n\n${CHANGE_EXIT_CODES}`)
    .action((id: ReplicaId, flags: RemoveFlags) =>
      runChange(flags, (operator) => {
        knownMember(operator, id);
        return { change: { type: "leave", id, mayLowerFaultThreshold: flags.lowerFaultThreshold === true } };
      }),
    );
  withChangeFlags(
    members
      .command("rejoin")
      .description("have a member vote again that lost its disk and runs mute: in a new epoch it has promised nothing")
      .argument("<id>", "which member", memberArgument)
      .option(
        "--loss <nonce>",
        "which loss, as `mute` of `quorate status --json` has it; asked of the replica unless given",
        lossArgument,
      ),
    OWN_KEY,
  )
    .addHelpText("after", `\nExample:\n  quorate members rejoin 2\n\n${CHANGE_EXIT_CODES}`)
    .action((id: ReplicaId, flags: RejoinFlags) =>
      runChange(flags, async (operator) => {
        knownMember(operator, id);
        return { change: { type: "rejoin", id, loss: flags.loss ?? (await lossOf(id, flags)) } };
      }),
    );
}

/** @throws ConfigurationError when it cannot be asked, or has lost nothing. */
async function lossOf(id: ReplicaId, { data, genesis }: RejoinFlags): Promise<Digest> {
  const isAtHand = genesis === undefined && existsSync(data);
  const row = isAtHand ? (await readReplicaRows(data)).rows.find(({ replica }) => replica === id) : undefined;
  const loss = row?.status?.mute?.loss;
  if (loss !== undefined) return loss;
  throw new ConfigurationError(
    "configuration.missing",
    row?.status === undefined
      ? `replica ${id} cannot be asked which loss it has to get over: run this with --data of its folder on its host while it runs, or give --loss as \`quorate status --json\` has it there`
      : `replica ${id} is not mute: it has lost nothing that it has to get over`,
  );
}

/** Parses the id of a replica. */
export function memberArgument(text: string): ReplicaId {
  const id = integer(text);
  if (id > REPLICA_ID_MAX) throw new InvalidArgumentError(`expected a replica's id, at most ${REPLICA_ID_MAX}.`);
  return replicaId(id);
}

function lossArgument(text: string): Digest {
  if (!isHex32(text)) throw new InvalidArgumentError("expected 64 lower-case hex digits.");
  return text as string as Digest;
}
