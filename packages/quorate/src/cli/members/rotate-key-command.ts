import { join } from "node:path";
import { signPossession } from "@quorate/crypto";
import { hexToBytes, publicKey, type ReconfigurationChange, type ReplicaId } from "@quorate/protocol";
import { ConfigurationError, KEY_FILE, type KeyFile, NEXT_KEY_FILE } from "@quorate/server";
import type { Command } from "commander";
import { isReplicaFolder } from "../local-cluster.ts";
import { keyInOrNew, readKeyFile } from "../read-key.ts";
import { CHANGE_EXIT_CODES, runChange, withChangeFlags } from "./change-command.ts";
import { type IssueFlags, type Proposal, signersOf } from "./issue-change.ts";
import { knownMember } from "./known-member.ts";
import { memberArgument } from "./leave-commands.ts";
import type { Operator } from "./operator.ts";

/** `quorate members rotate-key`: on the host of the replica, for its old key and its new one never leave that. */
export function addRotateKeyCommand(members: Command): void {
  withChangeFlags(
    members
      .command("rotate-key")
      .description("give a member another key, made in its data folder, which takes the place of the old one")
      .argument("<id>", "which member", memberArgument),
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members rotate-key 2 --data /var/lib/quorate --out rotate.json\n\n" +
        `Run it where the data folder is. The new key waits there as ${NEXT_KEY_FILE}, the same one if this is run again, until the replica\n` +
        `takes it into use by itself.\n\n${CHANGE_EXIT_CODES}`,
    )
    .action((id: ReplicaId, flags: IssueFlags) =>
      runChange(flags, (operator) => {
        const folder = folderOf(id, flags);
        // A key that is made for an order which cannot be signed would lie there for nothing.
        signersOf(operator, { type: "rotate-key", id }, flags.out !== undefined);
        return rotationOf(operator, id, folder);
      }),
    );
}

/** @throws ConfigurationError unless the folder is at hand. */
function folderOf(id: ReplicaId, { data, genesis }: IssueFlags): string {
  const folder = isReplicaFolder(data) ? data : join(data, `replica-${id}`);
  if (genesis === undefined && isReplicaFolder(folder)) return folder;
  throw new ConfigurationError(
    "configuration.missing",
    `no data folder of replica ${id} at ${folder}: run this on its host with --data, and with --out FILE where the admins' keys are not`,
  );
}

function rotationOf(operator: Operator, id: ReplicaId, folder: string): Proposal {
  const { client } = operator;
  const member = knownMember(operator, id);
  const current = readKeyFile(join(folder, KEY_FILE));
  const next = nextKeyIn(folder, operator);
  if (member.publicKey === next.publicKey)
    throw new ConfigurationError(
      "configuration.exists",
      `replica ${id} has the key of ${join(folder, NEXT_KEY_FILE)} already; it takes it into use by itself when its own checkpoint has come so far`,
    );
  if (member.publicKey !== current.publicKey)
    throw new ConfigurationError(
      "configuration.wrong-key",
      `${folder} holds the key ${current.publicKey}, replica ${id} has ${member.publicKey}; name its own data folder`,
    );
  const { backend, cluster, epochs } = client;
  const change: ReconfigurationChange = { type: "rotate-key", id, publicKey: publicKey(next.publicKey) };
  const possession = signPossession({ backend, cluster, seed: hexToBytes(next.seed) }, { epoch: epochs.epoch, change });
  return { change, possession };
}

/** Made once, and kept until the replica uses it: an order that nobody answered may be in force all the same. */
function nextKeyIn(folder: string, { client: { backend } }: Operator): KeyFile {
  return keyInOrNew(join(folder, NEXT_KEY_FILE), backend);
}
