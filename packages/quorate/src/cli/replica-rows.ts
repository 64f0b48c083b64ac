import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { genesisMembership, quorumSize, weakQuorumSize } from "@quorate/protocol";
import {
  type AuditDocument,
  describeReplica,
  memberIn,
  type ProcessStatus,
  type ReplicaName,
  readReplicaFolder,
} from "@quorate/server";
import { isReplicaFolder, replicaPathsOf } from "./local-cluster.ts";

/** A replica whose folder is at hand, and what it says of itself. */
export interface ReplicaRow {
  /** As it says itself; as genesis says while it does not answer. */
  readonly replica: ReplicaName;
  /** Its first key, by which it is known. */
  readonly owner: string;
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
  const { replicas, quorum, isSingle } = await readReplicas(data);
  const rows = await Promise.all(
    replicas.map(async (replica) => {
      const answer = await fetchStatus(replica);
      return { ...replica, ...answer, ...(answer.status && { replica: nameOf(answer.status) }) };
    }),
  );
  return { rows, quorum, isSingle };
}

/** The replicas whose folders are at hand. */
export interface FoundReplicas extends Omit<ReplicaRows, "rows"> {
  readonly replicas: readonly Pick<ReplicaRow, "replica" | "owner" | "cluster" | "admin">[];
  /** f+1. */
  readonly weakQuorum: number;
}

/**
 * Reads the folders of a local cluster's replicas, or one data folder.
 *
 * @throws ConfigurationError in one line, when the folder is neither.
 */
export async function readReplicas(data: string): Promise<FoundReplicas> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const isSingle = isReplicaFolder(data);
  const paths = await replicaPathsOf(data);
  const folders = paths.map((path) => readReplicaFolder(path, backend, hasher));
  const [first] = folders;
  const membership = first && genesisMembership(first.genesis);
  const quorum = isSingle || membership === undefined ? 1 : quorumSize(membership);
  const weakQuorum = membership === undefined ? 1 : weakQuorumSize(membership);
  const replicas = folders.map((folder) => {
    const { owner, config, cluster } = folder;
    const replica: ReplicaName = memberIn(folder.genesis, folder)?.id ?? "observer";
    return { replica, owner, cluster, admin: config.admin };
  });
  return { replicas, quorum, weakQuorum, isSingle };
}

function nameOf({ replica }: ProcessStatus): ReplicaName {
  return replica ?? "observer";
}

/**
 * What the replica at an admin address says of its execution; undefined when it does not answer, or is of another cluster, or
 * another replica than the one that is meant.
 */
export async function fetchAudit(
  admin: string,
  cluster: string | undefined,
  owner?: string,
): Promise<AuditDocument | undefined> {
  try {
    const response = await fetch(`http://${admin}/audit`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    const audit = (await response.json()) as AuditDocument;
    const isMeant = audit.cluster === cluster && (owner === undefined || audit.owner === owner);
    return response.ok && isMeant ? audit : undefined;
  } catch {
    return undefined;
  }
}

/** What this replica says of itself; what another one says at its address is not taken for it. */
export async function fetchStatus({
  owner,
  cluster,
  admin,
}: Pick<ReplicaRow, "owner" | "cluster" | "admin">): Promise<Pick<ReplicaRow, "status" | "answeredBy">> {
  try {
    const response = await fetch(`http://${admin}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    if (!response.ok) return SILENT;
    const status = (await response.json()) as ProcessStatus;
    if (status.cluster === cluster && status.owner === owner) return { status, answeredBy: undefined };
    const elsewhere = status.cluster === cluster ? "" : ` of cluster ${status.cluster.slice(0, 8)}…`;
    return { status: undefined, answeredBy: `${describeReplica(status.replica, status.owner)}${elsewhere}` };
  } catch {
    return SILENT;
  }
}
