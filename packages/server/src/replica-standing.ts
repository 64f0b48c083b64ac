import { genesisMembership, type Member, type PublicKey } from "@quorate/protocol";
import { lockFolderToRead, openStoreToRead } from "@quorate/storage";
import { type Cryptography, judgesOf } from "./data-reader.ts";
import { memberIn, type ReplicaFolder } from "./replica-folder.ts";

/** A replica as it is called: by its id as a member, or an observer, which has none. */
export type ReplicaName = number | "observer";

/** As text: `replica 3`, or `the observer 8a88e3dd`, by its first key. */
export function describeReplica(name: ReplicaName | null, owner: PublicKey | string): string {
  return typeof name === "number" ? `replica ${name}` : `the observer ${owner.slice(0, 8)}`;
}

/**
 * Which member the replica of a data folder is by the latest epoch that its store knows, or by genesis where the store cannot be looked
 * at: a replica that runs says it itself. Undefined: it is none, and observes.
 */
export function standingOf(folder: ReplicaFolder, cryptography: Cryptography): Member | undefined {
  return memberIn(latestMembers(folder, cryptography) ?? genesisMembership(folder.genesis), folder);
}

function latestMembers(
  folder: ReplicaFolder,
  cryptography: Cryptography,
): { readonly members: readonly Member[] } | undefined {
  const { path, storePath, cluster, owner } = folder;
  try {
    const lock = lockFolderToRead(path);
    try {
      const store = openStoreToRead(storePath, { cluster, owner });
      try {
        return judgesOf(folder, cryptography, store.local).epochs.membership;
      } finally {
        void store.close();
      }
    } finally {
      lock.release();
    }
  } catch {
    // It runs, is damaged or was never made: whoever needs more than its name is told so.
    return undefined;
  }
}
