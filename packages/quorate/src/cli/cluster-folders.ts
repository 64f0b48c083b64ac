import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  type Cryptography,
  type KnownEpochs,
  knownEpochs,
  memberIn,
  type ReplicaFolder,
  readReplicaFolder,
} from "@quorate/server";
import { lockHolderOf } from "@quorate/storage";
import { type LocalCluster, replicaFoldersIn } from "./local-cluster.ts";

/** What of a local cluster can be started, and what is to be said of the rest. */
export interface FoldersToRun {
  readonly replicas: LocalCluster["replicas"];
  /** One line for each member whose folder ought to be there. */
  readonly missing: readonly string[];
}

/** A folder that could be read, and what it knows. */
interface ReadFolder extends KnownEpochs {
  readonly folder: ReplicaFolder;
}

/**
 * The replicas of genesis whose folders are there, and those that are members since, whose folders lie beside, unless they run already.
 * Of one that has left nothing is missing.
 *
 * @throws ConfigurationError when there is no folder at all.
 */
export async function foldersToRun(cluster: LocalCluster): Promise<FoldersToRun> {
  const paths = await replicaFoldersIn(cluster.path);
  const known = cluster.replicas.filter(({ path }) => paths.includes(path));
  // Nobody has to be asked who the members are.
  if (known.length === cluster.replicas.length && paths.length === known.length)
    return { replicas: known, missing: [] };
  const all = await readFolders(paths);
  const latest = latestOf(all);
  const isBeside = ({ folder: { path } }: ReadFolder): boolean => !known.some((replica) => replica.path === path);
  const joined = all.filter(isBeside).flatMap(({ folder, epochs, isWhole }) => {
    const member = latest && memberIn(latest.membership, folder);
    // What does not know that it is a member does not start as one; `quorate join` goes on with it.
    const knowsItself = !isWhole || memberIn(epochs.membership, folder) !== undefined;
    return member !== undefined && knowsItself ? [{ id: member.id, address: member.address, path: folder.path }] : [];
  });
  const missing = cluster.replicas
    .filter((replica) => !known.includes(replica))
    .flatMap(({ id, path }) => {
      if (latest === undefined) return [complaintOf(id, path, "is it a member still (`quorate members list`)? Then ")];
      return latest.membership.members.some((member) => member.id === id) ? [complaintOf(id, path)] : [];
    });
  return { replicas: [...known, ...joined.toSorted((a, b) => a.id - b.id)], missing };
}

function complaintOf(id: number, path: string, condition = ""): string {
  return `no data folder of replica ${id} at ${path}, the others start without it; ${condition}have another one take its place with \`quorate members replace ${id} --from HOST:PORT\`, or make it again with \`quorate init --lost-disk\` if its key is kept elsewhere`;
}

/** Those that can be read, and whose replicas do not run: what is wrong with the others is told when they start. */
async function readFolders(paths: readonly string[]): Promise<readonly ReadFolder[]> {
  const cryptography: Cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  const found: ReadFolder[] = [];
  for (const path of paths) {
    if (lockHolderOf(path) !== undefined) continue;
    try {
      const folder = readReplicaFolder(path, cryptography.backend, cryptography.hasher);
      found.push({ folder, ...(await knownEpochs(folder, cryptography)) });
    } catch {
      // As above.
    }
  }
  return found;
}

/** Undefined where none can be read. */
function latestOf(all: readonly ReadFolder[]): KnownEpochs["epochs"] | undefined {
  const [first] = all.toSorted((a, b) => b.epochs.epoch - a.epochs.epoch);
  return first?.epochs;
}
