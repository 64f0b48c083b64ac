import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
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
  makeFolder,
  writeOnce,
} from "@quorate/server";
import { findPortObstacle, LOOPBACK } from "./probe-ports.ts";

/** How a local cluster is made when there is none yet. What is given must agree with one that exists. */
export interface LocalClusterOptions {
  readonly path: string;
  readonly portBase?: number;
  readonly replicas?: number;
  /** See `Genesis.rotateEveryBatches`; never unless given. */
  readonly rotateEvery?: number;
  /** The path of the service's module; the key-value store unless given. */
  readonly service?: string;
}

const DEFAULT_PORT_BASE = 7000;
const DEFAULT_REPLICAS = 4;
const PORT_MAX = 65_535;
/** Between the port bases that are tried for a free one to suggest. */
const PORT_BASE_STEP = 100;
const SUGGESTIONS_MAX = 20;

/** While it is there, the cluster beside it is not whole and never ran; it holds the id of the process that makes it. */
const UNFINISHED = "unfinished";
/** All that making a cluster writes. */
const OWN_ENTRY = /^(?:replica-\d+|admin\.key\.json|genesis\.json)$/;

/** Whether the folder holds a cluster that was made to its end. */
export function isMade(path: string): boolean {
  return existsSync(join(path, "genesis.json")) && !existsSync(join(path, UNFINISHED));
}

/**
 * Makes a local cluster: keys, genesis and data folders. When it fails or is stopped, nothing of it stays; what a killed
 * process left is removed by the next one.
 *
 * @returns false when it was stopped.
 * @throws ConfigurationError when the folder holds something else, or a port is taken.
 */
export async function makeLocalCluster(options: LocalClusterOptions, stop: AbortSignal): Promise<boolean> {
  const { path, portBase = DEFAULT_PORT_BASE, replicas = DEFAULT_REPLICAS, rotateEvery = 0, service } = options;
  checkNumbers(portBase, replicas);
  const isLeftOver = checkFolder(path);
  await checkPorts(portBase, replicas);
  const isOurs = makeFolder(path, "choose another --data folder");
  if (isLeftOver) removeOwnEntries(path);
  // Outside of what is undone: where another process was faster, all of it is that one's.
  writeOnce(join(path, UNFINISHED), `${process.pid}\n`, 0o600);
  let isWhole = false;
  try {
    isWhole = await fill(path, { portBase, replicas, rotateEvery, service }, stop);
  } finally {
    if (isWhole) rmSync(join(path, UNFINISHED));
    else {
      removeOwnEntries(path);
      if (isOurs) rmdirSync(path);
    }
  }
  return isWhole;
}

interface NewCluster extends Required<Omit<LocalClusterOptions, "path" | "service">> {
  readonly service: string | undefined;
}

async function fill(
  path: string,
  { portBase, replicas, rotateEvery, service }: NewCluster,
  stop: AbortSignal,
): Promise<boolean> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const keys = Array.from({ length: replicas }, () => keyFileOf(backend, generateSeed(randomBytes(32))));
  const admin = keyFileOf(backend, generateSeed(randomBytes(32)));
  const document = {
    formatVersion: FORMAT_VERSION,
    name: "local",
    faultModel: "byzantine",
    members: keys.map(({ publicKey }, id) => ({ id, publicKey, address: `${LOOPBACK}:${portBase + id}` })),
    admins: { threshold: 1, keys: [admin.publicKey] },
    clients: "open",
    checkpointInterval: DEFAULT_CHECKPOINT_INTERVAL,
    windowSize: DEFAULT_WINDOW_SIZE,
    rotateEveryBatches: rotateEvery,
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
  };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  const genesis = { text, source: "the genesis document" };
  for (const [id, key] of keys.entries()) {
    if (stop.aborted) return false;
    await initReplicaFolder({
      path: join(path, `replica-${id}`),
      genesis,
      key,
      replica: id,
      backend,
      hasher,
      ...(service !== undefined && { service }),
    });
  }
  if (stop.aborted) return false;
  writeOnce(join(path, "admin.key.json"), `${JSON.stringify(admin, null, 2)}\n`, 0o600);
  writeOnce(join(path, "genesis.json"), text, 0o644);
  return true;
}

function checkNumbers(portBase: number, replicas: number): void {
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
}

/** Whether the folder holds what a killed process left of its cluster. */
function checkFolder(path: string): boolean {
  if (!existsSync(path)) return false;
  if (!statSync(path).isDirectory())
    throw new ConfigurationError("configuration.foreign", `${path} is not a folder; choose another --data folder`);
  const entries = entriesOf(path);
  if (entries.length === 0) return false;
  if (!entries.includes(UNFINISHED) || entries.some((entry) => entry !== UNFINISHED && !OWN_ENTRY.test(entry)))
    throw new ConfigurationError(
      "configuration.foreign",
      `${path} is not empty and holds no cluster (no genesis.json); choose another --data folder`,
    );
  const maker = Number.parseInt(readFileSync(join(path, UNFINISHED), "utf8"), 10);
  if (isAlive(maker))
    throw new ConfigurationError(
      "configuration.exists",
      `${path} is being made by process ${maker}; wait for it, or choose another --data folder`,
    );
  return true;
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigurationError(
      "configuration.unreadable",
      `cannot look into ${path} (${code}); let this user read it, or choose another --data folder`,
    );
  }
}

function isAlive(pid: number): boolean {
  // What was cut short before it named a process, or names a group of them, is nobody's.
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function checkPorts(portBase: number, replicas: number): Promise<void> {
  const obstacle = await findPortObstacle(portsOf(portBase, replicas));
  if (obstacle === undefined) return;
  const { port, code } = obstacle;
  const why = code === "EADDRINUSE" ? "is used by another process" : `cannot be listened on (${code})`;
  const free = await findFreePortBase(portBase, replicas);
  const advice = free === undefined ? "" : ` (--port-base ${free} is free)`;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `port ${port} ${why}, nothing was made; choose other ports with --port-base N${advice}`,
  );
}

/** The ports of the replicas, and those that answer `quorate status`. */
function portsOf(portBase: number, replicas: number): number[] {
  const ports = Array.from({ length: replicas }, (_, id) => portBase + id);
  return [...ports, ...ports.map((port) => port + ADMIN_PORT_OFFSET)];
}

async function findFreePortBase(portBase: number, replicas: number): Promise<number | undefined> {
  const portMax = PORT_MAX - ADMIN_PORT_OFFSET - replicas + 1;
  for (let attempt = 1; attempt <= SUGGESTIONS_MAX; attempt++) {
    const candidate = portBase + attempt * PORT_BASE_STEP;
    if (candidate > portMax) return undefined;
    if ((await findPortObstacle(portsOf(candidate, replicas))) === undefined) return candidate;
  }
  return undefined;
}

/** Removes what an unfinished start made, and its mark last. */
function removeOwnEntries(path: string): void {
  for (const entry of readdirSync(path))
    if (OWN_ENTRY.test(entry)) rmSync(join(path, entry), { recursive: true, force: true });
  rmSync(join(path, UNFINISHED), { force: true });
}
