import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigurationError, readDocument } from "@quorate/server";
import { type Command, Option } from "commander";
import { SessionlessClient } from "../../sessionless-client.ts";
import { type AddressFlags, addressesOf, withAddressFlags } from "../address-flags.ts";
import { path, positive } from "../arguments.ts";
import { DEFAULT_DATA } from "../cluster-command.ts";
import { ownKeyPathOf } from "../local-cluster.ts";
import { readKeyFile, readSeed } from "../read-key.ts";

/** Which cluster a command is about, and with which keys. */
interface ClusterFlags {
  readonly data: string;
  readonly genesis?: string;
  readonly key?: readonly string[];
  readonly json?: true;
}

/** How it is reached, too. */
export interface OperatorFlags extends ClusterFlags, AddressFlags {
  readonly timeout: number;
}

/** A key pair that is at hand. */
export interface OperatorKey {
  readonly file: string;
  readonly publicKey: string;
  readonly seed: Uint8Array;
}

/** Who operates a cluster: a client without a session, and the keys to sign with. */
export interface Operator {
  readonly client: SessionlessClient;
  /** The first one connects. */
  readonly keys: readonly OperatorKey[];
  /** What is left of the time that the command has, in milliseconds; at least 1. */
  leftMs(): number;
}

/** For a question. */
const TIMEOUT_MS = 30_000;
/** For a change, which has to be ordered and to come into force. */
export const CHANGE_TIMEOUT_MS = 60_000;

/** Adds the flags that say which cluster is meant, and with which keys. */
function withClusterFlags(command: Command, keyMeaning: string): Command {
  return command
    .option("--data <dir>", "the cluster's folder, or the data folder of a replica", path, DEFAULT_DATA)
    .addOption(
      new Option("--genesis <file>", "the genesis document of the cluster, instead of --data")
        .argParser(path)
        .conflicts("data"),
    )
    .option("--key <file>", keyMeaning, collectPath)
    .option("--json", "print JSON");
}

/** And those that say how to reach it. */
export function withOperatorFlags(command: Command, keyMeaning: string, timeoutMs: number = TIMEOUT_MS): Command {
  return withAddressFlags(withClusterFlags(command, keyMeaning)).option(
    "--timeout <ms>",
    "give up after so long, all steps together",
    positive,
    timeoutMs,
  );
}

/**
 * Opens what the flags name. Nothing is asked of the cluster yet.
 *
 * @throws ConfigurationError in one line.
 */
export async function openOperator(
  flags: ClusterFlags & AddressFlags & { readonly timeout?: number },
): Promise<Operator> {
  const { timeout = TIMEOUT_MS } = flags;
  const endMs = performance.now() + timeout;
  const { genesis, key: files } = filesOf(flags);
  readDocument(genesis, "genesis document", "name the cluster's folder with --data, or its document with --genesis");
  const keys: OperatorKey[] = [];
  for (const file of files) {
    const { publicKey } = readKeyFile(file);
    keys.push({ file, publicKey, seed: await readSeed(file) });
  }
  const [first] = keys;
  const client = await SessionlessClient.open({
    genesis,
    ...(first !== undefined && { seed: first.seed }),
    ...addressesOf(flags),
  });
  return { client, keys, leftMs: () => Math.max(1, endMs - performance.now()) };
}

/** Gathers a repeated path. */
function collectPath(text: string, before: readonly string[] = []): string[] {
  return [...before, path(text)];
}

/** @throws ConfigurationError unless there is a key to sign with. */
export function requireKey({ keys }: Operator): OperatorKey {
  const [first] = keys;
  if (first !== undefined) return first;
  throw new ConfigurationError(
    "configuration.inconsistent",
    "there is no key to sign with: name the key pair of an admin, or of the member that it is about, with --key FILE",
  );
}

function filesOf({ data, genesis, key }: ClusterFlags): { readonly genesis: string; readonly key: readonly string[] } {
  if (genesis !== undefined) return { genesis, key: key ?? [] };
  const own = ownKeyPathOf(data);
  return { genesis: join(data, "genesis.json"), key: key ?? (existsSync(own) ? [own] : []) };
}
