import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { bytesToHex, type Digest, digest } from "@quorate/protocol";
import { initializeStore, StorageError, type StoreIdentity, setStoreAside } from "@quorate/storage";

/**
 * Whether this error says that what the replica promised is lost (protocol rule 8.4): what was flushed has changed or
 * vanished, or no store is there in a folder whose making was completed. Somebody else's store or another version's is
 * not lost: it is the wrong one.
 */
export function isLostDisk(error: unknown): error is StorageError {
  return (
    error instanceof StorageError && (error.code === "storage.damaged" || error.code === "storage.not-initialized")
  );
}

/**
 * Makes a store for a replica that has lost one: it will be mute. What is left of the lost one is set aside. A crash on the
 * way leaves a store without its mark of initialization, which is lost again.
 *
 * @returns where the lost one lies, if anything is left of it.
 */
export async function replaceLostStore(path: string, identity: StoreIdentity): Promise<string | undefined> {
  const aside = setStoreAside(path);
  await initializeStore(path, identity, drawNonce());
  return aside;
}

/** Whether anything is left of a store there, or one was set aside and none made in its place. */
export function hasLostStore(path: string): boolean {
  return (existsSync(path) && readdirSync(path).length > 0) || existsSync(`${path}.lost-1`);
}

/** Of a loss: nobody can have answered it before (protocol rule 8.5). */
function drawNonce(): Digest {
  return digest(bytesToHex(randomBytes(32)));
}
