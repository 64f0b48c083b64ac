import { existsSync } from "node:fs";
import { join } from "node:path";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { genesisMembership, quorumSize } from "@quorate/protocol";
import { type ProcessStatus, readReplicaFolder } from "@quorate/server";
import { openLocalCluster } from "./local-cluster.ts";

/** A replica whose folder is at hand, and what it says of itself. */
export interface ReplicaRow {
  readonly replica: number;
  readonly cluster: string;
  /** Where its admin endpoint answers. */
  readonly admin: string;
  /** Undefined when it does not answer. */
  readonly status: ProcessStatus | undefined;
  /** Who answers in its place, when two replicas were given one admin address: `replica 2`, with its cluster if that is another. */
  readonly answeredBy: string | undefined;
}

export interface ReplicaRows {
  readonly rows: readonly ReplicaRow[];
  /** How many have to answer for the cluster to serve; 1 for a single replica's folder. */
  readonly quorum: number;
  /** The folder is one replica's, not a whole cluster's. */
  readonly isSingle: boolean;
}

const STATUS_TIMEOUT_MS = 3_000;
const SILENT = { status: undefined, answeredBy: undefined } as const;

/**
 * Asks all replicas of a local cluster, or the one of a data folder, where they stand.
 *
 * @throws ConfigurationError in one line, when the folder is neither.
 */
export async function readReplicaRows(data: string): Promise<ReplicaRows> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const isSingle = existsSync(join(data, "replica.json"));
  const paths = isSingle ? [data] : (await openLocalCluster(data)).replicas.map(({ path }) => path);
  const folders = paths.map((path) => readReplicaFolder(path, backend, hasher));
  const [first] = folders;
  const quorum = isSingle || first === undefined ? 1 : quorumSize(genesisMembership(first.genesis));
  const rows = await Promise.all(
    folders.map(async ({ self, config, cluster }) => ({
      replica: self.id,
      cluster,
      admin: config.admin,
      ...(await fetchStatus({ replica: self.id, cluster, admin: config.admin })),
    })),
  );
  return { rows, quorum, isSingle };
}

/** What this replica says of itself; what another one says at its address is not taken for it. */
export async function fetchStatus({
  replica,
  cluster,
  admin,
}: Pick<ReplicaRow, "replica" | "cluster" | "admin">): Promise<Pick<ReplicaRow, "status" | "answeredBy">> {
  try {
    const response = await fetch(`http://${admin}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    if (!response.ok) return SILENT;
    const status = (await response.json()) as ProcessStatus;
    if (status.cluster === cluster && status.replica === replica) return { status, answeredBy: undefined };
    const elsewhere = status.cluster === cluster ? "" : ` of cluster ${status.cluster.slice(0, 8)}…`;
    return { status: undefined, answeredBy: `replica ${status.replica}${elsewhere}` };
  } catch {
    return SILENT;
  }
}
