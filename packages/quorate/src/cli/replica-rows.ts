import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { type Genesis, genesisMembership, invariant, quorumSize, type ReplicaId } from "@quorate/protocol";
import {
  type AuditDocument,
  describeReplica,
  type KnownMembers,
  knownMembersOf,
  memberIn,
  type ProcessStatus,
  type ReplicaFolder,
  type ReplicaName,
  readReplicaFolder,
} from "@quorate/server";
import { stoppedEpochs } from "./epoch-source.ts";
import { isReplicaFolder, replicaFoldersIn } from "./local-cluster.ts";

/** A replica whose folder is at hand, and what it says of itself. */
export interface ReplicaRow {
  /** Among the latest members that anyone knows here. */
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

/** A member whose folder is somewhere else, or is not there where it ought to be. */
export interface DistantMember {
  readonly replica: ReplicaId;
  /** Where others dial it. */
  readonly address: string;
  /** Whether somebody here has a link with it. */
  readonly isLinked: boolean;
  /** It is of genesis: its folder was here, and is gone. */
  readonly isFolderGone: boolean;
}

export interface ReplicaRows {
  /** Members, and observers that answer. */
  readonly rows: readonly ReplicaRow[];
  /** None where the folder is one replica's. */
  readonly distant: readonly DistantMember[];
  readonly cluster: string;
  /** The latest that is known here. */
  readonly membership: KnownMembers;
  /** How many members have to answer for the cluster to serve; 1 for a single replica's folder. */
  readonly quorum: number;
  /** The folder is one replica's, not a whole cluster's. */
  readonly isSingle: boolean;
}

const STATUS_TIMEOUT_MS = 3_000;
const SILENT = { status: undefined, answeredBy: undefined } as const;

/**
 * Asks all replicas of a local cluster, or the one of a data folder, where they stand. Who the members are is what those say that know
 * the latest epoch, or the folders when nobody answers.
 *
 * @throws ConfigurationError in one line, when the folder is neither.
 */
export async function readReplicaRows(data: string): Promise<ReplicaRows> {
  const isSingle = isReplicaFolder(data);
  const folders = await readFolders(data);
  const asked = await Promise.all(
    folders.map(async (folder) => {
      const { owner, config, cluster } = folder;
      const about = { owner, cluster, admin: config.admin };
      return { folder, ...about, ...(await fetchStatus(about)) };
    }),
  );
  const [first] = folders;
  invariant(first !== undefined, "replica-rows.none");
  const known = asked.flatMap(({ status }) => status?.membership ?? []);
  const stopped = known.length === 0 ? (await stoppedEpochs(data))?.membership : undefined;
  const membership = latestOf([knownMembersOf(stopped ?? genesisMembership(first.genesis)), ...known]);
  const rows = asked.flatMap(({ folder, ...row }): ReplicaRow[] => {
    const id = memberIn(membership, folder)?.id;
    const isShown = isSingle || row.status !== undefined || id !== undefined;
    return isShown ? [{ ...row, replica: id ?? "observer" }] : [];
  });
  return {
    rows,
    distant: isSingle ? [] : distantMembers(membership, rows, first.genesis),
    cluster: first.cluster,
    membership,
    quorum: isSingle ? 1 : quorumSize(membership),
    isSingle,
  };
}

/** How many members are up, as far as can be seen from here. */
export function membersUp({ rows, distant, isSingle }: ReplicaRows): number {
  const up = rows.filter(({ replica, status }) => status !== undefined && (isSingle || replica !== "observer"));
  return up.length + distant.filter(({ isLinked }) => isLinked).length;
}

async function readFolders(data: string): Promise<readonly ReplicaFolder[]> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  return (await replicaFoldersIn(data)).map((path) => readReplicaFolder(path, backend, hasher));
}

/** The one of the latest epoch. */
export function latestOf([first, ...others]: readonly [KnownMembers, ...KnownMembers[]]): KnownMembers {
  return others.reduce((latest, next) => (next.epoch > latest.epoch ? next : latest), first);
}

function distantMembers(
  { members }: KnownMembers,
  rows: readonly ReplicaRow[],
  { members: first }: Genesis,
): DistantMember[] {
  const linked = new Set(
    rows.flatMap(({ status }) =>
      (status?.peers ?? []).flatMap(({ replica, isConnected }) => (isConnected ? [replica] : [])),
    ),
  );
  return members
    .filter(({ id }) => !rows.some(({ replica }) => replica === id))
    .map(({ id, address }) => ({
      replica: id,
      address,
      isLinked: linked.has(id),
      isFolderGone: first.some((member) => member.id === id),
    }));
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
