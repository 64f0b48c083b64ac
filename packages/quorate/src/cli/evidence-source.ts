import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  ConfigurationError,
  type EvidenceDocument,
  type KeptEvidenceList,
  type KeptPiece,
  memberIn,
  type ReplicaFolder,
  type ReplicaName,
  readKeptEvidence,
  readReplicaFolder,
} from "@quorate/server";
import { replicaFoldersIn } from "./local-cluster.ts";

/** A piece of evidence, and where it is kept. */
export interface FoundPiece extends KeptPiece {
  /** The replica that keeps it: as it says itself, or by genesis while it does not run. */
  readonly keptBy: ReplicaName;
  document(): Promise<EvidenceDocument>;
}

/** A replica that runs has its evidence in memory, but a busy one takes a moment to say so. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Everything that the replica of a data folder keeps, or all replicas of a local cluster: asked of those that run, read
 * from the disks of those that do not.
 *
 * @throws ConfigurationError, StorageError or RecoveryError in one line.
 */
export async function findEvidence(data: string): Promise<FoundPiece[]> {
  const paths = await replicaFoldersIn(data);
  const [backend, hasher] = [await chooseBackend(), createNodeHasher()];
  const found: FoundPiece[] = [];
  for (const path of paths) {
    const folder = readReplicaFolder(path, backend, hasher);
    const running = await askRunning(folder);
    if (running === undefined)
      for (const { document, ...piece } of await readKeptEvidence(folder, { backend, hasher }))
        found.push({
          ...piece,
          keptBy: memberIn(folder.genesis, folder)?.id ?? "observer",
          document: async () => document,
        });
    else
      for (const piece of running.evidence)
        found.push({
          ...piece,
          keptBy: running.replica ?? "observer",
          document: () => fetchDocument(folder, piece.id),
        });
  }
  return found;
}

/** Undefined when nobody answers, or somebody else does. */
async function askRunning({ config, cluster, owner }: ReplicaFolder): Promise<KeptEvidenceList | undefined> {
  const answer = (await fetchJson(config.admin, "/evidence")) as KeptEvidenceList | undefined;
  return answer?.cluster === cluster && answer.owner === owner ? answer : undefined;
}

async function fetchDocument({ config, path: folder }: ReplicaFolder, id: string): Promise<EvidenceDocument> {
  const document = await fetchJson(config.admin, `/evidence/${id}`);
  if (document !== undefined) return document as EvidenceDocument;
  throw new ConfigurationError(
    "configuration.unreadable",
    `the replica of ${folder} does not answer at ${config.admin} any more: ask again, or stop it and read its folder`,
  );
}

async function fetchJson(admin: string, path: string): Promise<unknown> {
  try {
    const response = await fetch(`http://${admin}${path}`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}
