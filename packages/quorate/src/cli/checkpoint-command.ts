import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigurationError, type ReplicaName, readDocument } from "@quorate/server";
import { type Command, Option } from "commander";
import { orderCheckpoint } from "../order-checkpoint.ts";
import { type AddressFlags, addressesOf, withAddressFlags } from "./address-flags.ts";
import { path, positive } from "./arguments.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { ownKeyPathOf } from "./local-cluster.ts";
import { readSeed } from "./read-key.ts";
import { fetchStatus, type ReplicaRow, readReplicaRows } from "./replica-rows.ts";
import { printJson, printLine } from "./terminal.ts";

interface Flags extends AddressFlags {
  readonly data: string;
  readonly genesis?: string;
  readonly key?: string;
  readonly timeout: number;
  readonly json?: true;
}

const TIMEOUT_MS = 15_000;
const POLL_MS = 50;

/** `quorate checkpoint`: has all replicas make a checkpoint at once, and waits until it is stable. */
export function addCheckpointCommand(program: Command): void {
  const command = program
    .command("checkpoint")
    .description("have all replicas make a checkpoint at once, at the same sequence number")
    .option("--data <dir>", "the cluster's folder, or the data folder of a replica", path, DEFAULT_DATA)
    .addOption(
      new Option("--genesis <file>", "the genesis document of the cluster, instead of --data")
        .argParser(path)
        .conflicts("data"),
    );
  withAddressFlags(command)
    .option("--key <file>", "the key pair of an admin or a member; that in the folder unless given", path)
    .option("--timeout <ms>", "give up after so long", positive, TIMEOUT_MS)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate checkpoint\n  quorate checkpoint --genesis genesis.json --key admin.key.json --json\n\n" +
        "Exit code: 0 it is made (with --data: and stable), 1 the key may not order one, 3 not in time, 5 the last one is too near.",
    )
    .action(async (flags: Flags) => {
      const deadlineMs = performance.now() + flags.timeout;
      const { genesis, key } = filesOf(flags);
      readDocument(
        genesis,
        "genesis document",
        "name the cluster's folder with --data, or its document with --genesis",
      );
      const seed = await readSeed(key);
      const { seq, isByThisOrder } = await orderCheckpoint({
        genesis,
        seed,
        timeoutMs: flags.timeout,
        ...addressesOf(flags),
      });
      const stableOn = flags.genesis === undefined ? await untilStable(flags.data, seq, deadlineMs) : undefined;
      if (flags.json === true) printJson({ seq, isByThisOrder, stableOn: stableOn ?? null });
      else printLine(`checkpoint at ${seq}${isByThisOrder ? "" : ", which another order or K made"}${where(stableOn)}`);
    });
}

/** @throws ConfigurationError when there is no saying which key is meant. */
function filesOf({ data, genesis, key }: Flags): { readonly genesis: string; readonly key: string } {
  if (genesis === undefined) {
    return { genesis: join(data, "genesis.json"), key: key ?? ownKeyPathOf(data) };
  }
  if (key !== undefined) return { genesis, key };
  throw new ConfigurationError(
    "configuration.inconsistent",
    "with --genesis the key pair of an admin or a member has to be named: give --key FILE",
  );
}

/**
 * The replicas, of those whose folders are at hand, at which the checkpoint is stable; as soon as they are a quorum, or the
 * only one.
 *
 * @throws CheckpointError when they are not in time.
 */
async function untilStable(data: string, seq: number, deadlineMs: number): Promise<readonly ReplicaName[]> {
  const { rows, distant, quorum, isSingle } = await readReplicaRows(data);
  // Those whose folders are elsewhere cannot be asked.
  const needed = distant.length === 0 ? quorum : Math.min(quorum, rows.filter(isMember).length);
  for (let seen: readonly Pick<ReplicaRow, "status">[] = rows; ; ) {
    const stableOn = seen.flatMap(({ status }): ReplicaName[] =>
      status !== undefined && status.lowWatermark >= seq && (isSingle || status.replica !== null)
        ? [status.replica ?? "observer"]
        : [],
    );
    if (stableOn.length >= needed) return stableOn;
    if (performance.now() >= deadlineMs)
      throw new CheckpointError(
        `the checkpoint at ${seq} is made, but stable at ${stableOn.length} of ${needed} replicas only; do a quorum run? See \`quorate status --data ${data}\``,
      );
    await sleep(POLL_MS);
    seen = await Promise.all(rows.map(fetchStatus));
  }
}

function isMember({ replica }: ReplicaRow): boolean {
  return replica !== "observer";
}

function where(stableOn: readonly ReplicaName[] | undefined): string {
  if (stableOn === undefined) return "";
  return `, stable at replica${stableOn.length === 1 ? "" : "s"} ${stableOn.join(", ")}`;
}
