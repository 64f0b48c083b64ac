import type { EpochChain } from "@quorate/reconfiguration";
import { type Cryptography, judgesOf, openStoppedStore } from "./data-reader.ts";
import { EpochDamage } from "./epoch-records.ts";
import { isLostDisk } from "./lost-disk.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** What a folder knows of the epochs while its replica does not run. */
export interface KnownEpochs {
  readonly epochs: EpochChain;
  /** Its store could be read. Of one that is lost or damaged there may have been more. */
  readonly isWhole: boolean;
}

/**
 * Reads the epoch chain of a folder without a change to it. Where the store is lost it is the chain that a new store begins with.
 *
 * @throws StorageError when the replica runs, or the store is not its own; RecoveryError, TrustedEpochError as `readEpochs`.
 */
export async function knownEpochs(folder: ReplicaFolder, cryptography: Cryptography): Promise<KnownEpochs> {
  try {
    const { store, close } = openStoppedStore(folder);
    try {
      return { epochs: judgesOf(folder, cryptography, store.local).epochs, isWhole: true };
    } finally {
      await close();
    }
  } catch (error) {
    if (error instanceof EpochDamage) return { epochs: error.known, isWhole: false };
    if (!isLostDisk(error)) throw error;
    return { epochs: judgesOf(folder, cryptography).epochs, isWhole: false };
  }
}
