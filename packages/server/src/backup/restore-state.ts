import type { ClusterId, Genesis, Hasher, Limits, PublicKey, RestoredState } from "@quorate/protocol";
import { RestorablePart, restoredChanges, restoredGenesis } from "@quorate/state-machine";
import type { TreePiece } from "@quorate/state-tree";
import { openStore, type ReplicaStore } from "@quorate/storage";
import { ConfigurationError } from "../configuration-error.ts";
import type { BackupStart } from "./backup-reader.ts";
import { readBackupFile } from "./read-backup.ts";
import { StoreFilling } from "./store-filling.ts";

/**
 * Reads a backup to its end and checks that its application state is the one that a genesis document starts from. Nobody has
 * to know the cluster that it is of: whoever made the document has verified it.
 *
 * @throws ConfigurationError in one line.
 */
export async function checkRestorable(
  path: string,
  restored: RestoredState,
  limits: Limits,
  hasher: Hasher,
): Promise<void> {
  const part = new RestorablePart();
  await readBackupFile(path, {
    hasher,
    onStart: (start) => checkStart(path, restored, start),
    onPiece: (piece) => part.accept(piece),
  });
  checkPart(path, restored, part);
  checkRoom(path, part.valueBytesMax, limits);
}

/**
 * A value that no operation could write is one that no state transfer could bring.
 *
 * @throws ConfigurationError
 */
export function checkRoom(path: string, valueBytesMax: number, { requestBytesMax }: Limits): void {
  if (valueBytesMax <= requestBytesMax) return;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `${path} has a value of ${valueBytesMax} bytes, limits.requestBytesMax of the genesis document is ${requestBytesMax}; it has to be at least as large`,
  );
}

/** Where a state is put. */
export interface Restoration {
  readonly storePath: string;
  readonly owner: PublicKey;
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
}

/**
 * Puts the application state of a backup into a store that was just made, as that of checkpoint 0 of its cluster.
 *
 * @throws ConfigurationError or StorageError in one line; the store is of no use then.
 */
export async function restoreState(path: string, restoration: Restoration): Promise<void> {
  const { storePath, owner, cluster } = restoration;
  const store = openStore(storePath, { cluster, owner });
  try {
    await fill(store, path, restoration);
  } finally {
    await store.close();
  }
}

async function fill(store: ReplicaStore, path: string, { genesis, cluster, hasher }: Restoration): Promise<void> {
  const { restored } = genesis;
  if (restored === undefined) return;
  const part = new RestorablePart();
  const filling = new StoreFilling(store);
  const onPiece = (piece: TreePiece): void => {
    part.accept(piece);
    filling.add(restoredChanges(hasher, piece));
  };
  const onStart = (start: BackupStart): void => checkStart(path, restored, start);
  await readBackupFile(path, { hasher, onStart, onPiece }, () => filling.pause());
  checkPart(path, restored, part);
  await filling.finish(restoredGenesis(hasher, genesis, cluster));
}

function checkStart(path: string, restored: RestoredState, { cluster, checkpoint }: BackupStart): void {
  if (cluster === restored.cluster && checkpoint === restored.checkpoint) return;
  refuse(path, `it is that of checkpoint ${checkpoint} of cluster ${cluster}`, restored);
}

function checkPart(path: string, restored: RestoredState, part: RestorablePart): void {
  const { applicationRoot, entries, timestampMs } = part.state;
  const { applicationRoot: root, entries: count, timestampMs: time } = restored;
  if (applicationRoot === root && entries === count && timestampMs === time) return;
  refuse(path, `its application state has the root ${applicationRoot}`, restored);
}

function refuse(path: string, what: string, { cluster, checkpoint, applicationRoot }: RestoredState): never {
  throw new ConfigurationError(
    "configuration.foreign",
    `${path} is not the backup that this genesis starts from: ${what}, expected checkpoint ${checkpoint} of cluster ${cluster}, root ${applicationRoot}`,
  );
}
