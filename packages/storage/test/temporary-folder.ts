import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type ReplicaStore, type StoreOptions } from "@quorate/storage";
import { IDENTITY } from "./identity.ts";

/** A folder that is gone when the current suite is. */
export function temporaryFolder(): () => string {
  const made: string[] = [];
  after(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });
  return () => {
    const path = mkdtempSync(join(tmpdir(), "quorate-storage-"));
    made.push(path);
    return path;
  };
}

/** Opens the store in `path` for the test's replica. */
export function openIn(path: string, options: StoreOptions = {}): ReplicaStore {
  return openStore(path, IDENTITY, options);
}

/** Resolves when all is durable, rejects with the failure. */
export function flush(store: ReplicaStore): Promise<void> {
  return new Promise((resolve, reject) =>
    store.flush((failure) => (failure === undefined ? resolve() : reject(failure))),
  );
}
