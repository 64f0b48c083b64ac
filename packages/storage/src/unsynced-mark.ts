import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootOf } from "./boot.ts";
import { segmentPath, segmentsIn, syncPath } from "./node-log-files.ts";
import { StorageError } from "./storage-error.ts";

/**
 * The file beside a store that is written without syncs, as long as it is. It holds the name of the machine's boot: the
 * operating system keeps what a killed process wrote, but when the machine itself went down, no byte of the store can be
 * trusted any more, and without the mark nobody would know (protocol rule 8.4).
 */
const MARK_FILE = "unsynced";

/** What a store consists of. */
export interface StoreFiles {
  readonly path: string;
  /** The name of the database's file in it. */
  readonly databaseFile: string;
  /** The path of the log's folder. */
  readonly logFolder: string;
}

/**
 * Refuses a store whose machine went down before it was synced; syncs one whose process did. On systems without a boot
 * id the two cannot be told apart, and the store is taken.
 *
 * @throws StorageError `storage.damaged`.
 */
export function recoverUnsynced(files: StoreFiles): void {
  if (isUnsynced(files.path)) settleUnsynced(files);
}

/**
 * Whether a process was killed while it wrote the store without syncs; changes nothing.
 *
 * @throws StorageError `storage.damaged` as above.
 */
export function isUnsynced(path: string): boolean {
  const mark = join(path, MARK_FILE);
  if (!existsSync(mark)) return false;
  const boot = readFileSync(mark, "latin1");
  if (boot !== (bootOf() ?? "")) {
    const found = "the machine went down while it was written with durability async";
    throw new StorageError("storage.damaged", `${path} has lost writes: ${found}; treat the disk as lost`);
  }
  return true;
}

/** Says, durably, that the store is written without syncs from now on. */
export function markUnsynced(path: string): void {
  writeFileSync(join(path, MARK_FILE), bootOf() ?? "", { mode: 0o600, flush: true });
  syncPath(path);
}

/** Makes all of the store durable and takes the mark away. */
export function settleUnsynced({ path, databaseFile, logFolder }: StoreFiles): void {
  syncPath(join(path, databaseFile));
  for (const segment of segmentsIn(logFolder)) syncPath(segmentPath(logFolder, segment));
  syncPath(logFolder);
  rmSync(join(path, MARK_FILE), { force: true });
  syncPath(path);
}
