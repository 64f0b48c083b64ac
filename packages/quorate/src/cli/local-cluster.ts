import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  DEFAULT_CHECKPOINT_INTERVAL,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  DEFAULT_WINDOW_SIZE,
  FORMAT_VERSION,
  MEMBERS_MAX,
  MEMBERS_MIN,
} from "@quorate/protocol";
import {
  ADMIN_PORT_OFFSET,
  ConfigurationError,
  initReplicaFolder,
  keyFileOf,
  readDocument,
  readGenesis,
  writeOnce,
} from "@quorate/server";
import { parseAddress } from "@quorate/transport";

/** A whole cluster in one folder of one machine, for development: `genesis.json` and `replica-0` … beside it. */
export interface LocalCluster {
  readonly path: string;
  readonly genesisPath: string;
  readonly replicas: readonly { readonly id: number; readonly path: string; readonly address: string }[];
}

/** How a local cluster is made when there is none yet. What is given must agree with one that exists. */
export interface LocalClusterOptions {
  readonly path: string;
  readonly portBase?: number;
  readonly replicas?: number;
}

const DEFAULT_PORT_BASE = 7000;
const DEFAULT_REPLICAS = 4;
const PORT_MAX = 65_535;

/**
 * Opens the cluster in a folder, or makes it: keys, genesis and data folders, once and as a whole.
 *
 * @throws ConfigurationError when the folder holds something else, or a cluster that is not the one asked for.
 */
export async function openOrMakeLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  if (!existsSync(join(options.path, "genesis.json"))) await makeLocalCluster(options);
  const cluster = await openLocalCluster(options.path);
  const { replicas = cluster.replicas.length, portBase } = options;
  const [first] = cluster.replicas;
  const port = first === undefined ? undefined : parseAddress(first.address).port;
  if (replicas !== cluster.replicas.length || (portBase ?? port) !== port)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${options.path} holds a cluster of ${cluster.replicas.length} replicas from port ${port}; leave out --replicas and --port-base, choose another --data folder, or remove this one if nothing in it is needed`,
    );
  return cluster;
}

/** @throws ConfigurationError when there is no cluster in the folder. */
export async function openLocalCluster(path: string): Promise<LocalCluster> {
  if (existsSync(join(path, "replica.json")))
    throw new ConfigurationError(
      "configuration.foreign",
      `${path} is the data folder of one replica, not of a cluster; start it with \`quorate start\`, or choose another folder`,
    );
  const genesisPath = join(path, "genesis.json");
  const text = readDocument(genesisPath, "cluster", "start one with `npm start`, or name its folder with --data");
  const genesis = readGenesis(text, genesisPath, await chooseBackend());
  const replicas = genesis.members.map(({ id, address }) => ({ id, address, path: join(path, `replica-${id}`) }));
  return { path, genesisPath, replicas };
}

async function makeLocalCluster(options: LocalClusterOptions): Promise<void> {
  const { path, portBase = DEFAULT_PORT_BASE, replicas = DEFAULT_REPLICAS } = options;
  if (replicas < MEMBERS_MIN || replicas > MEMBERS_MAX)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `a cluster has ${MEMBERS_MIN} to ${MEMBERS_MAX} replicas, not ${replicas}`,
    );
  const portMax = PORT_MAX - ADMIN_PORT_OFFSET - replicas + 1;
  if (portBase > portMax)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${replicas} replicas from port ${portBase} need ports up to ${portBase + replicas - 1 + ADMIN_PORT_OFFSET}; choose a --port-base of at most ${portMax}`,
    );
  if (existsSync(path) && !statSync(path).isDirectory())
    throw new ConfigurationError("configuration.foreign", `${path} is not a folder; choose another --data folder`);
  if (existsSync(path) && readdirSync(path).length > 0)
    throw new ConfigurationError(
      "configuration.foreign",
      `${path} is not empty and holds no cluster (no genesis.json); choose another --data folder`,
    );
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const keys = Array.from({ length: replicas }, () => keyFileOf(backend, generateSeed(randomBytes(32))));
  const admin = keyFileOf(backend, generateSeed(randomBytes(32)));
  const text = `${JSON.stringify(
    {
      formatVersion: FORMAT_VERSION,
      name: "local",
      faultModel: "byzantine",
      members: keys.map(({ publicKey }, id) => ({ id, publicKey, address: `127.0.0.1:${portBase + id}` })),
      admins: { threshold: 1, keys: [admin.publicKey] },
      clients: "open",
      checkpointInterval: DEFAULT_CHECKPOINT_INTERVAL,
      windowSize: DEFAULT_WINDOW_SIZE,
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
    },
    null,
    2,
  )}\n`;
  // Made beside and renamed: an interrupted start leaves no half of a cluster behind.
  const unfinished = `${path}.unfinished-${process.pid}`;
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  const genesis = { text, source: "the genesis document" };
  for (const [id, key] of keys.entries())
    await initReplicaFolder({ path: join(unfinished, `replica-${id}`), genesis, key, replica: id, backend, hasher });
  writeOnce(join(unfinished, "admin.key.json"), `${JSON.stringify(admin, null, 2)}\n`, 0o600);
  writeOnce(join(unfinished, "genesis.json"), text, 0o644);
  renameSync(unfinished, path);
}
