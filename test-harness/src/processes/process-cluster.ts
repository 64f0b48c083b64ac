import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  FORMAT_VERSION,
  type Genesis,
  type Limits,
  type Member,
  type PublicKey,
  type RestoredState,
  type Timeouts,
} from "@quorate/protocol";
import {
  ADMIN_PORT_OFFSET,
  type AuditDocument,
  initReplicaFolder,
  keyFileOf,
  type ProcessStatus,
  type ReplicaFolder,
  readGenesis,
} from "@quorate/server";
import { type ConnectOptions, connect, KvClient, type QuorateClient } from "quorate";
import { freePortBase } from "./free-ports.ts";
import { type CommandOptions, QUORATE_COMMAND, RunningCommand } from "./running-command.ts";

/** What a cluster of real processes is made of; what is left out has the value that `npm start` gives. */
export interface ProcessClusterOptions {
  readonly replicas?: number;
  readonly checkpointInterval?: number;
  readonly windowSize?: number;
  readonly rotateEveryBatches?: number;
  readonly clients?: "open" | readonly PublicKey[];
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  /** The backup of another cluster that this one starts from, and what genesis says of it. */
  readonly backup?: { readonly file: string; readonly restored: RestoredState };
  /** Where replicas listen: an IP address, in brackets if it is IPv6. */
  readonly host?: string;
}

/** A client of a test: the key-value face and what is below it. */
export interface TestClient {
  readonly client: QuorateClient;
  readonly store: KvClient;
}

const POLL_MS = 25;
const STATUS_TIMEOUT_MS = 2_000;

/** Replicas as real processes with data folders in the system's temporary folder, on ports nobody else uses. */
export class ProcessCluster {
  static readonly #open = new Set<ProcessCluster>();
  readonly path: string;
  readonly genesisPath: string;
  readonly genesis: Genesis;
  readonly folders: readonly ReplicaFolder[];
  readonly #processes = new Map<number, RunningCommand>();
  readonly #clients: QuorateClient[] = [];

  private constructor(path: string, genesisPath: string, genesis: Genesis, folders: readonly ReplicaFolder[]) {
    this.path = path;
    this.genesisPath = genesisPath;
    this.genesis = genesis;
    this.folders = folders;
    ProcessCluster.#open.add(this);
  }

  /** Makes keys, genesis and data folders; nothing runs yet. */
  static async make(options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const { replicas = 4, host = "127.0.0.1" } = options;
    const [backend, hasher] = [await chooseBackend(), createNodeHasher()];
    const base = await freePortBase(replicas);
    const keys = Array.from({ length: replicas }, () => keyFileOf(backend, generateSeed(randomBytes(32))));
    const admin = keyFileOf(backend, generateSeed(randomBytes(32)));
    const document = {
      formatVersion: FORMAT_VERSION,
      name: "test",
      faultModel: "byzantine",
      members: keys.map(({ publicKey }, id) => ({ id, publicKey, address: `${host}:${base + id}` })),
      admins: { threshold: 1, keys: [admin.publicKey] },
      clients: options.clients ?? "open",
      checkpointInterval: options.checkpointInterval ?? 128,
      windowSize: options.windowSize ?? 512,
      rotateEveryBatches: options.rotateEveryBatches ?? 0,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
      ...(options.backup !== undefined && { restored: options.backup.restored }),
    };
    const text = JSON.stringify(document, null, 2);
    const genesis = readGenesis(text, "the test's genesis", backend);
    const path = mkdtempSync(join(tmpdir(), "quorate-cluster-"));
    const genesisPath = join(path, "genesis.json");
    writeFileSync(genesisPath, text);
    writeFileSync(join(path, "admin.key.json"), JSON.stringify(admin), { mode: 0o600 });
    const folders: ReplicaFolder[] = [];
    for (const [replica, key] of keys.entries())
      folders.push(
        await initReplicaFolder({
          path: join(path, `replica-${replica}`),
          genesis: { text, source: genesisPath },
          key,
          replica,
          admin: `127.0.0.1:${base + replica + ADMIN_PORT_OFFSET}`,
          ...(options.backup !== undefined && { backup: options.backup.file }),
          backend,
          hasher,
        }),
      );
    return new ProcessCluster(path, genesisPath, genesis, folders);
  }

  /** Makes a cluster, starts all of it and waits until every replica serves. */
  static async start(options?: ProcessClusterOptions): Promise<ProcessCluster> {
    const cluster = await ProcessCluster.make(options);
    await cluster.startAll();
    return cluster;
  }

  /** For `after` hooks: ends every cluster that is open, whatever state a failed test left it in. */
  static async closeAll(): Promise<void> {
    await Promise.all([...ProcessCluster.#open].map((cluster) => cluster.close()));
  }

  get ids(): readonly number[] {
    return this.folders.map((_, id) => id);
  }

  process(id: number): RunningCommand {
    const running = this.#processes.get(id);
    if (running === undefined) throw new Error(`replica ${id} was never started`);
    return running;
  }

  folder(id: number): ReplicaFolder {
    const folder = this.folders[id];
    if (folder === undefined) throw new Error(`this cluster has no replica ${id}`);
    return folder;
  }

  /** As genesis says. */
  member(id: number): Member {
    const member = this.folder(id).genesis.members.find((each) => each.id === id);
    if (member === undefined) throw new Error(`this cluster has no replica ${id}`);
    return member;
  }

  async startAll(ids: readonly number[] = this.ids): Promise<void> {
    await Promise.all(ids.map((id) => this.start(id)));
  }

  /** Starts one replica and waits until it says that it is ready. */
  async start(id: number, options?: CommandOptions): Promise<void> {
    const { path } = this.folder(id);
    const args = [QUORATE_COMMAND, "start", "--data", path, "--log-level", "error"];
    await this.startWith(id, process.execPath, args, options);
  }

  /** Runs another program in the place of a replica; it says `ready` over IPC. */
  async startWith(id: number, command: string, args: readonly string[], options?: CommandOptions): Promise<void> {
    const running = new RunningCommand(command, args, options);
    this.#processes.set(id, running);
    await running.message("ready");
  }

  /** `kill -9`, and waits until the processes are gone. */
  async kill(ids: readonly number[] = this.ids): Promise<void> {
    await Promise.all(ids.map((id) => this.process(id).kill()));
  }

  /** A client with a key of its own. */
  async connect(options: Omit<ConnectOptions, "genesis"> = {}): Promise<TestClient> {
    const client = await connect({ genesis: this.genesis, ...options });
    this.#clients.push(client);
    return { client, store: new KvClient(client) };
  }

  /** What a replica says about itself; undefined when it does not answer. */
  async status(id: number): Promise<ProcessStatus | undefined> {
    try {
      const url = `http://${this.folder(id).config.admin}/status`;
      const response = await fetch(url, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
      return (await response.json()) as ProcessStatus;
    } catch {
      return undefined;
    }
  }

  /** What a replica says of its own execution; undefined when it does not answer. */
  async audit(id: number): Promise<AuditDocument | undefined> {
    try {
      const url = `http://${this.folder(id).config.admin}/audit`;
      const response = await fetch(url, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
      return (await response.json()) as AuditDocument;
    } catch {
      return undefined;
    }
  }

  /** The roots of the states that the given replicas, which stand still at one number, have now. */
  async stateRoots(ids: readonly number[] = this.ids): Promise<readonly (string | undefined)[]> {
    const audits = await Promise.all(ids.map((id) => this.audit(id)));
    return audits.map((audit) => audit?.own?.stateRoot);
  }

  /**
   * Waits until the given replicas stand at one number with nothing pending, and answers with their statuses. Rejects
   * at the deadline with what they said last.
   */
  async settled(ids: readonly number[] = this.ids, deadlineMs = 60_000): Promise<readonly ProcessStatus[]> {
    return await this.until(
      (statuses) => {
        const [first] = statuses;
        return statuses.every((status) => status.executed === first?.executed && status.pendingRequests === 0);
      },
      { ids, deadlineMs },
    );
  }

  /** Polls the statuses, for they change without an event that a test could see. */
  async until(
    condition: (statuses: readonly ProcessStatus[]) => boolean,
    { ids = this.ids, deadlineMs = 60_000 }: { ids?: readonly number[]; deadlineMs?: number } = {},
  ): Promise<readonly ProcessStatus[]> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const answers = await Promise.all(ids.map((id) => this.status(id)));
      const statuses = answers.filter((status) => status !== undefined);
      if (statuses.length === ids.length && condition(statuses)) return statuses;
      if (performance.now() > deadline)
        throw new Error(`not within ${deadlineMs} ms; the statuses are ${JSON.stringify(answers)}`);
      await delay(POLL_MS);
    }
  }

  /** Ends clients and processes and deletes the folders. */
  async close(): Promise<void> {
    ProcessCluster.#open.delete(this);
    for (const client of this.#clients) client.close();
    await this.kill([...this.#processes.keys()]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
