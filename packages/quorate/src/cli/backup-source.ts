import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  ADMIN_COMMAND,
  ADMIN_HEADER,
  ConfigurationError,
  type Cryptography,
  openStoppedBackup,
  type ReplicaFolder,
  readReplicaFolder,
} from "@quorate/server";
import { replicaFoldersIn } from "./local-cluster.ts";
import { fetchStatus } from "./replica-rows.ts";

/** The bytes of a backup, and which replica gives them. */
export interface BackupSource {
  readonly folder: ReplicaFolder;
  readonly cryptography: Cryptography;
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a backup of the replica of a data folder, or of that of a local cluster which is furthest: given by it if it runs, read
 * from its folder if none does.
 *
 * @throws ConfigurationError, StorageError or StateError in one line; nothing is open then.
 */
export async function openBackupSource(data: string): Promise<BackupSource> {
  const paths = await replicaFoldersIn(data);
  const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  const folders = paths.map((path) => readReplicaFolder(path, cryptography.backend, cryptography.hasher));
  const running = await furthestRunning(folders);
  if (running !== undefined)
    return { folder: running, cryptography, bytes: runningBytes(running), close: async () => undefined };
  return await furthestStopped(folders, cryptography);
}

async function furthestRunning(folders: readonly ReplicaFolder[]): Promise<ReplicaFolder | undefined> {
  let furthest: { folder: ReplicaFolder; stable: number } | undefined;
  for (const folder of folders) {
    const { owner, cluster, config } = folder;
    const { status } = await fetchStatus({ owner, cluster, admin: config.admin });
    if (status === undefined || status.transfer !== undefined) continue;
    if (status.repair !== undefined || status.quarantine !== undefined) continue;
    if (furthest === undefined || status.lowWatermark > furthest.stable)
      furthest = { folder, stable: status.lowWatermark };
  }
  return furthest?.folder;
}

/** @throws ConfigurationError in one line, with what the replica says of it where the backup ends before its time. */
export async function* runningBytes({
  path,
  owner,
  cluster,
  config,
}: Pick<ReplicaFolder, "path" | "owner" | "cluster" | "config">): AsyncGenerator<Uint8Array> {
  const response = await fetch(`http://${config.admin}/backup`, {
    method: "POST",
    headers: { [ADMIN_HEADER]: ADMIN_COMMAND },
  });
  if (!response.ok || response.body === null) {
    const { error = `it answers ${response.status}` } = (await response.json()) as { error?: string };
    throw new ConfigurationError(
      "configuration.missing",
      `the replica of ${path} gives no backup: ${error}; \`quorate checkpoint\` makes a checkpoint`,
    );
  }
  try {
    for await (const bytes of response.body) yield bytes;
  } catch {
    const { status } = await fetchStatus({ owner, cluster, admin: config.admin });
    const reason =
      status === undefined ? "it does not answer any more" : (status.backupFault?.reason ?? "the link broke");
    throw new ConfigurationError(
      "configuration.unreadable",
      `the replica of ${path} has cut the backup short: ${reason}; take another replica, or the same command again`,
    );
  }
}

/** @throws what kept the last one from being read, if none can be. */
async function furthestStopped(folders: readonly ReplicaFolder[], cryptography: Cryptography): Promise<BackupSource> {
  let furthest: (BackupSource & { readonly checkpoint: number }) | undefined;
  let problem: unknown;
  for (const folder of folders) {
    try {
      const { checkpoint, bytes, close } = await openStoppedBackup(folder, cryptography);
      const isFurther = furthest === undefined || checkpoint > furthest.checkpoint;
      if (!isFurther) await close();
      else {
        await furthest?.close();
        furthest = { folder, cryptography, bytes, close, checkpoint };
      }
    } catch (error) {
      problem = error;
    }
  }
  if (furthest === undefined) throw problem;
  return furthest;
}
