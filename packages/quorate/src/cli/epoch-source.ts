import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import type { Genesis } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { judgesOf, openStoppedStore, type ReplicaFolder, readReplicaFolder } from "@quorate/server";
import { lockHolderOf } from "@quorate/storage";
import { replicaFoldersIn } from "./local-cluster.ts";
import { type OperatorFlags, openOperator } from "./members/operator.ts";

/** The chain of epochs, and who showed it. */
export interface EpochSource {
  readonly genesis: Genesis;
  readonly epochs: EpochChain;
  /** The members that answered, or the folder that was read. */
  readonly source: "members" | "folder";
}

/**
 * The epochs of a cluster, proven from its genesis document on: as members show them, or where --data names folders of which no
 * replica runs, as the one of them has them that is furthest.
 *
 * @throws ConfigurationError, StorageError, or QuorateError when too few members answer.
 */
export async function openEpochSource(flags: OperatorFlags): Promise<EpochSource> {
  const stopped = flags.genesis === undefined ? await stoppedFolders(flags.data) : undefined;
  if (stopped !== undefined) return readFolders(stopped);
  const { client } = await openOperator(flags);
  await client.follow(undefined, flags.timeout);
  return { genesis: client.genesis, epochs: client.epochs, source: "members" };
}

/** Undefined when one of them runs. */
async function stoppedFolders(data: string): Promise<readonly string[] | undefined> {
  const there = await replicaFoldersIn(data);
  return there.some((path) => lockHolderOf(path) !== undefined) ? undefined : there;
}

/** What the folders of replicas that do not run know; undefined where one runs, or cannot be read. */
export async function stoppedEpochs(data: string): Promise<EpochChain | undefined> {
  try {
    const stopped = await stoppedFolders(data);
    return stopped && (await readFolders(stopped)).epochs;
  } catch {
    // Whoever asks can do with less; `quorate verify-data` says what is wrong with a folder.
    return undefined;
  }
}

async function readFolders(paths: readonly string[]): Promise<EpochSource> {
  const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  let furthest: EpochSource | undefined;
  for (const path of paths) {
    const folder = readReplicaFolder(path, cryptography.backend, cryptography.hasher);
    const epochs = await readChain(folder, cryptography);
    if (furthest === undefined || epochs.epoch > furthest.epochs.epoch)
      furthest = { genesis: folder.genesis, epochs, source: "folder" };
  }
  if (furthest === undefined) throw new Error("there is a folder to read at least");
  return furthest;
}

async function readChain(folder: ReplicaFolder, cryptography: Parameters<typeof judgesOf>[1]): Promise<EpochChain> {
  const { store, close } = openStoppedStore(folder);
  try {
    return judgesOf(folder, cryptography, store.local).epochs;
  } finally {
    await close();
  }
}
