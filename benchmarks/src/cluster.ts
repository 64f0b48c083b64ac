import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  DEFAULT_CHECKPOINT_INTERVAL,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  DEFAULT_WINDOW_SIZE,
  FORMAT_VERSION,
  type Genesis,
} from "@quorate/protocol";
import { type AuditDocument, initReplicaFolder, keyFileOf, type ProcessStatus, readGenesis } from "@quorate/server";
import type { ClusterOptions } from "./options.ts";

const HOST = "127.0.0.1";
const STATUS_TIMEOUT_MS = 5_000;

interface ReplicaProcess {
  readonly process: ChildProcess;
  readonly folder: string;
  readonly admin: string;
  readonly exited: Promise<void>;
}

/** A cluster of `quorate start` processes in a temporary folder, for one benchmark. */
export class BenchCluster {
  readonly genesis: Genesis;
  readonly #path: string;
  readonly #options: ClusterOptions;
  readonly #replicas: ReplicaProcess[];

  private constructor(genesis: Genesis, path: string, options: ClusterOptions, replicas: ReplicaProcess[]) {
    this.genesis = genesis;
    this.#path = path;
    this.#options = options;
    this.#replicas = replicas;
  }

  /** Makes keys, genesis and data folders, starts every replica and waits until all are ready. */
  static async start(options: ClusterOptions): Promise<BenchCluster> {
    const parent = options.data ?? tmpdir();
    mkdirSync(parent, { recursive: true });
    const path = mkdtempSync(join(parent, "quorate-bench-"));
    const replicas: ReplicaProcess[] = [];
    try {
      const { genesis, folders } = await makeFolders(path, options);
      replicas.push(...folders.map(({ folder, admin }, id) => startReplica(id, folder, admin, options)));
      await Promise.all(replicas.map(({ process }) => isReady(process)));
      return new BenchCluster(genesis, path, options, replicas);
    } catch (error) {
      await stopAll(replicas);
      rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** Process ids, in the order of the replicas. */
  get pids(): readonly number[] {
    return this.#replicas.map(({ process }) => process.pid ?? 0);
  }

  /** What every replica says of itself, in order. */
  async status(): Promise<readonly ProcessStatus[]> {
    return Promise.all(
      this.#replicas.map(async ({ admin }) => {
        const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
        const response = await fetch(`http://${admin}/status`, { signal });
        return (await response.json()) as ProcessStatus;
      }),
    );
  }

  /** The roots of the states that the replicas, which stand still, have now. */
  async stateRoots(): Promise<readonly (string | undefined)[]> {
    return Promise.all(
      this.#replicas.map(async ({ admin }) => {
        const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
        const response = await fetch(`http://${admin}/audit`, { signal });
        return ((await response.json()) as AuditDocument).own?.stateRoot;
      }),
    );
  }

  /** What one replica says of itself; undefined while it does not answer. */
  async statusOf(id: number): Promise<ProcessStatus | undefined> {
    try {
      const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
      const response = await fetch(`http://${this.#at(id).admin}/status`, { signal });
      return (await response.json()) as ProcessStatus;
    } catch {
      return undefined;
    }
  }

  /** `kill -9`, and waits until the process is gone. */
  async kill(id: number): Promise<void> {
    const { process, exited } = this.#at(id);
    process.kill("SIGKILL");
    await exited;
  }

  /** Deletes the store of a replica that was killed: it finds its disk lost when it starts. */
  wipe(id: number): void {
    rmSync(join(this.#at(id).folder, "store"), { recursive: true, force: true });
  }

  /** Starts a replica that was killed, and waits until it is ready. */
  async restart(id: number): Promise<void> {
    const { folder, admin } = this.#at(id);
    const restarted = startReplica(id, folder, admin, this.#options);
    this.#replicas[id] = restarted;
    await isReady(restarted.process);
  }

  #at(id: number): ReplicaProcess {
    const replica = this.#replicas[id];
    if (replica === undefined) throw new Error(`this cluster has no replica ${id}`);
    return replica;
  }

  /** Ends every replica and deletes the folder. */
  async stop(): Promise<void> {
    await stopAll(this.#replicas);
    rmSync(this.#path, { recursive: true, force: true });
  }
}

interface MadeFolders {
  readonly genesis: Genesis;
  readonly folders: readonly { readonly folder: string; readonly admin: string }[];
}

async function makeFolders(
  path: string,
  { replicas, durability, historyBytesMax }: ClusterOptions,
): Promise<MadeFolders> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const newKey = (): ReturnType<typeof keyFileOf> => keyFileOf(backend, generateSeed(randomBytes(32)));
  const keys = Array.from({ length: replicas }, newKey);
  const ports = await freePorts(2 * replicas);
  const text = JSON.stringify({
    formatVersion: FORMAT_VERSION,
    name: "benchmark",
    faultModel: "byzantine",
    members: keys.map(({ publicKey }, id) => ({ id, publicKey, address: `${HOST}:${ports[id]}` })),
    admins: { threshold: 1, keys: [newKey().publicKey] },
    clients: "open",
    checkpointInterval: DEFAULT_CHECKPOINT_INTERVAL,
    windowSize: DEFAULT_WINDOW_SIZE,
    rotateEveryBatches: 0,
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
  });
  const genesis = { text, source: "the benchmark's genesis" };
  const folders = keys.map((key, id) => ({
    key,
    folder: join(path, `replica-${id}`),
    admin: `${HOST}:${ports[replicas + id]}`,
  }));
  for (const { key, folder, admin } of folders)
    await initReplicaFolder({ path: folder, genesis, key, admin, durability, backend, hasher });
  if (historyBytesMax !== undefined) for (const { folder } of folders) keepHistory(folder, historyBytesMax);
  return { genesis: readGenesis(text, genesis.source, backend), folders };
}

function keepHistory(folder: string, historyBytesMax: number): void {
  const path = join(folder, "replica.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...config, historyBytesMax }));
}

/** Ports that nobody listens on now. All are held until all are known, so no port comes twice. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, HOST, () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function startReplica(id: number, folder: string, admin: string, options: ClusterOptions): ReplicaProcess {
  const command = fileURLToPath(new URL("../bin/quorate.js", import.meta.resolve("quorate")));
  const { pipeline, profile } = options;
  const args = ["start", "--data", folder, "--log-level", "warn"];
  if (pipeline !== undefined) args.push("--pipeline", `${pipeline}`);
  const execArgv =
    profile === undefined
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${resolve(profile)}`, `--cpu-prof-name=replica-${id}.cpuprofile`];
  // Whatever a replica prints goes to standard error: standard output is the report's.
  const child = fork(command, args, { stdio: ["ignore", 2, 2, "ipc"], execArgv });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return { process: child, folder, admin, exited };
}

function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => {
      const { type, message: reason } = message as { readonly type: string; readonly message?: string };
      if (type === "ready") resolve();
      else reject(new Error(`a replica did not start: ${reason}`));
    });
    child.once("exit", (code) => reject(new Error(`a replica ended with exit code ${code} before it was ready`)));
  });
}

async function stopAll(replicas: readonly ReplicaProcess[]): Promise<void> {
  for (const { process } of replicas) process.kill("SIGTERM");
  await Promise.all(replicas.map(({ exited }) => exited));
}
