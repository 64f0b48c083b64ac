import { lockFolder, openStore, type ReplicaStore } from "@quorate/storage";
import { isLostDisk, replaceLostStore } from "./lost-disk.ts";
import { ReplicaProcess, type RunningReplica } from "./replica-process.ts";
import type { StartOptions } from "./start-options.ts";

/**
 * Runs a replica: takes the folder's lock, recovers, listens, dials, orders.
 *
 * @throws ConfigurationError, StorageError, RecoveryError or TransportError in one line; nothing is left running then.
 */
export async function startReplica(options: StartOptions): Promise<RunningReplica> {
  const { folder, log } = options;
  const identity = { cluster: folder.cluster, owner: folder.owner };
  const lock = lockFolder(folder.path);
  let process: ReplicaProcess | undefined;
  let store: ReplicaStore | undefined;
  try {
    const recover = (): ReplicaProcess => {
      store = openStore(folder.storePath, identity, folder.config);
      return new ReplicaProcess(options, store, () => lock.release());
    };
    try {
      process = recover();
    } catch (error) {
      if (!isLostDisk(error)) throw error;
      await store?.close();
      store = undefined;
      const aside = await replaceLostStore(folder.storePath, identity);
      log.error({ reason: error.message, ...(aside && { aside }) }, "the disk is lost: this replica goes on mute");
      process = recover();
    }
    await process.open();
    return process;
  } catch (error) {
    log.debug({ error }, "start failed");
    if (process !== undefined) await process.stop();
    else {
      await store?.close();
      lock.release();
    }
    throw error;
  }
}
