import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { chooseBackend } from "@quorate/crypto/node";
import { ConfigurationError, readDocument, readGenesis } from "@quorate/server";
import { lockHolderOf } from "@quorate/storage";
import { parseAddress } from "@quorate/transport";
import { isMade, type LocalClusterOptions, makeLocalCluster } from "./make-local-cluster.ts";

/** A whole cluster in one folder of one machine, for development: `genesis.json` and `replica-0` … beside it. */
export interface LocalCluster {
  readonly path: string;
  readonly genesisPath: string;
  /** See `Genesis.rotateEveryBatches`. */
  readonly rotateEvery: number;
  readonly replicas: readonly { readonly id: number; readonly path: string; readonly address: string }[];
}

/**
 * Opens the cluster in a folder, or makes it: keys, genesis and data folders, once and as a whole.
 *
 * @returns undefined when it was stopped before the cluster was whole; nothing of it is left then.
 * @throws ConfigurationError when the folder holds something else, or a cluster that is not the one asked for, or when a
 * port of a new cluster is taken.
 */
export async function openOrMakeLocalCluster(
  options: LocalClusterOptions,
  stop: AbortSignal,
): Promise<LocalCluster | undefined> {
  refuseReplicaFolder(options.path);
  if (!isMade(options.path) && !(await makeLocalCluster(options, stop))) return undefined;
  const cluster = await openLocalCluster(options.path);
  const { replicas = cluster.replicas.length, portBase } = options;
  const [first] = cluster.replicas;
  const port = first === undefined ? undefined : parseAddress(first.address).port;
  if (replicas !== cluster.replicas.length || (portBase ?? port) !== port)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${options.path} holds a cluster of ${cluster.replicas.length} replicas from port ${port}; leave out --replicas and --port-base, choose another --data folder, or remove this one if nothing in it is needed`,
    );
  const { rotateEvery = cluster.rotateEvery } = options;
  if (rotateEvery !== cluster.rotateEvery)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${options.path} holds a cluster with --rotate-every ${cluster.rotateEvery}, which cannot be changed; leave it out, or choose another --data folder`,
    );
  return cluster;
}

/** @throws ConfigurationError when there is no cluster in the folder. */
export async function openLocalCluster(path: string): Promise<LocalCluster> {
  refuseReplicaFolder(path);
  const genesisPath = join(path, "genesis.json");
  const text = readDocument(genesisPath, "cluster", "start one with `npm start`, or name its folder with --data");
  const genesis = readGenesis(text, genesisPath, await chooseBackend());
  const replicas = genesis.members.map(({ id, address }) => ({ id, address, path: join(path, `replica-${id}`) }));
  return { path, genesisPath, rotateEvery: genesis.rotateEveryBatches, replicas };
}

/**
 * The data folders of a local cluster's replicas that are there, with those that joined later where they lie beside; or the one that is
 * named itself. One that is not there may be lost, or of a replica that has left: whoever only looks can do without.
 *
 * @throws ConfigurationError when the folder is neither, or there is none.
 */
export async function replicaFoldersIn(data: string): Promise<readonly string[]> {
  if (isReplicaFolder(data)) return [data];
  const there = (await openLocalCluster(data)).replicas.map(({ path }) => path).filter(isReplicaFolder);
  const beside = readdirSync(data)
    .map((name) => join(data, name))
    .filter((path) => isReplicaFolder(path) && !there.includes(path));
  const all = [...there, ...beside.sort()];
  if (all.length > 0) return all;
  throw new ConfigurationError(
    "configuration.missing",
    `${data} holds the genesis document of a cluster, and no data folder of a replica; name the folder of one with --data`,
  );
}

/**
 * The data folders of replicas in the folder of a local cluster, by their names or by what they hold, damaged ones too; none in a folder of
 * something else. In the order of their numbers.
 */
export function foldersOfReplicas(path: string): readonly string[] {
  if (isReplicaFolder(path) || !existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => REPLICA_FOLDER.test(name) || isReplicaFolder(join(path, name)))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => join(path, name));
}

const REPLICA_FOLDER = /^replica-\d+$/;

/** Whether it is the data folder of one replica. */
export function isReplicaFolder(path: string): boolean {
  return existsSync(join(path, "replica.json"));
}

/** The key pair by which commands about what `--data` means are signed: that of the replica, or the admin of a local cluster; it may not be there. */
export function ownKeyPathOf(data: string): string {
  return join(data, isReplicaFolder(data) ? "key.json" : "admin.key.json");
}

/** The processes that run replicas of the cluster now. */
export function runningReplicas({ replicas }: LocalCluster): readonly { readonly id: number; readonly pid: number }[] {
  return replicas.flatMap(({ id, path }) => {
    const pid = lockHolderOf(path);
    return pid === undefined ? [] : [{ id, pid }];
  });
}

/**
 * @throws ConfigurationError when the folder is that of a whole cluster, where the data folder of one replica is meant.
 */
export function refuseClusterFolder(path: string): void {
  // Anything may lie in a folder of which one replica's is to become: only those names make it a cluster's.
  const first = foldersOfReplicas(path).find(
    (folder) => REPLICA_FOLDER.test(basename(folder)) && isReplicaFolder(folder),
  );
  if (first === undefined) return;
  throw new ConfigurationError(
    "configuration.foreign",
    `${path} is the folder of a whole cluster: \`quorate cluster --data ${path}\` runs all of it, \`quorate start --data ${first}\` one replica`,
  );
}

function refuseReplicaFolder(path: string): void {
  if (!isReplicaFolder(path)) return;
  throw new ConfigurationError(
    "configuration.foreign",
    `${path} is the data folder of one replica, not of a cluster; start it with \`quorate start\`, or choose another folder`,
  );
}
