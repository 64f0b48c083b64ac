import { existsSync } from "node:fs";
import { join } from "node:path";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { genesisMembership, quorumSize } from "@quorate/protocol";
import { type ProcessStatus, readReplicaFolder } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { EXIT } from "./exit-codes.ts";
import { openLocalCluster } from "./local-cluster.ts";
import { printJson, printTable } from "./terminal.ts";

interface Row {
  readonly replica: number;
  readonly admin: string;
  /** Undefined when it does not answer. */
  readonly status: ProcessStatus | undefined;
}

const STATUS_TIMEOUT_MS = 3_000;

/** `quorate status`: where each replica of a local cluster, or the one in a data folder, stands. */
export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description("show where the replicas stand (of a local cluster, or of one data folder)")
    .option("--data <dir>", "the cluster's folder, or one replica's data folder", path, DEFAULT_DATA)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate status --json\n\nExit code: 0 all replicas answer, 6 some do not, 3 fewer than a quorum do.",
    )
    .action(async ({ data, json }: { data: string; json?: true }) => {
      const { rows, quorum } = await readRows(data);
      if (json === true) printJson(rows.map(({ replica, status }) => status ?? { replica, role: "down" }));
      else printTable(HEAD, rows.map(cellsOf));
      const up = rows.filter(({ status }) => status !== undefined).length;
      process.exitCode = up === rows.length ? EXIT.ok : up >= quorum ? EXIT.degraded : EXIT.noResult;
    });
}

async function readRows(data: string): Promise<{ rows: Row[]; quorum: number }> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const isSingle = existsSync(join(data, "replica.json"));
  const paths = isSingle ? [data] : (await openLocalCluster(data)).replicas.map(({ path }) => path);
  const folders = paths.map((path) => readReplicaFolder(path, backend, hasher));
  const [first] = folders;
  const quorum = isSingle || first === undefined ? 1 : quorumSize(genesisMembership(first.genesis));
  const rows = await Promise.all(
    folders.map(async ({ self, config }) => ({
      replica: self.id,
      admin: config.admin,
      status: await fetchStatus(config.admin),
    })),
  );
  return { rows, quorum };
}

async function fetchStatus(admin: string): Promise<ProcessStatus | undefined> {
  try {
    const response = await fetch(`http://${admin}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return response.ok ? ((await response.json()) as ProcessStatus) : undefined;
  } catch {
    return undefined;
  }
}

const HEAD = [
  "REPLICA",
  "PID",
  "ROLE",
  "VIEW",
  "TIME-OUT",
  "EXECUTED",
  "LOG WINDOW",
  "PENDING",
  "PEERS",
  "UPTIME",
] as const;

function cellsOf({ replica, status }: Row): string[] {
  if (status === undefined) return [`${replica}`, "-", "down", ...HEAD.slice(3).map(() => "-")];
  const connected = status.peers.filter(({ isConnected }) => isConnected).length;
  return [
    `${replica}`,
    `${status.pid}`,
    status.isStranded ? `${status.role} (stranded)` : status.role,
    status.target === status.view ? `${status.view}` : `${status.view} -> ${status.target}`,
    `${status.timeOutMs / 1000}s`,
    `${status.executed}`,
    `(${status.lowWatermark}, ${status.highWatermark}]`,
    `${status.pendingRequests}`,
    `${connected}/${status.peers.length}`,
    durationText(status.uptimeMs),
  ];
}

function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
}
