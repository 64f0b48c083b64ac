import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabaseOptionsWithPath } from "lmdb";
import type { BytesDatabase } from "./lmdb-keyspace.ts";
import { inaccessible, StorageError } from "./storage-error.ts";

export const DATABASE_FILE = "data.mdb";
/** LMDB's own, for who reads what. */
const LOCK_FILE = "lock.mdb";
/** Fixed, because LMDB would take the machine's and `checkDatabaseFiles` must know. */
const PAGE_BYTES = 4096;
const META_PAGES_BYTES = 2 * PAGE_BYTES;
/** Where LMDB 1.0 has its magic number in both meta pages. */
const MAGIC_OFFSET = 24;
const MAGIC = 0xbe_ef_c0_de;

/** Whether what is opened may be changed. */
export type Access = "read" | "write";

const ADVICE = "point it at this replica's own folder; if it is that, its disk is lost: `quorate init --lost-disk`";

/**
 * Opens a database whose files have been looked at.
 *
 * @throws StorageError `storage.foreign` or `storage.inaccessible`.
 */
export function openDatabase(
  path: string,
  options: Pick<RootDatabaseOptionsWithPath, "noSync" | "readOnly">,
): BytesDatabase {
  try {
    return open<Buffer, Buffer>(path, {
      // Else a folder whose name has a dot is taken for a file.
      noSubdir: false,
      pageSize: PAGE_BYTES,
      encoding: "binary",
      keyEncoding: "binary",
      compression: false,
      useVersions: false,
      cache: false,
      // This package groups by itself: one batch, one transaction, written at once.
      eventTurnBatching: false,
      commitDelay: 0,
      // On, a failed sync is never told: lmdb prints it and `flushed` stays pending. Off, the commit itself syncs.
      overlappingSync: false,
      ...options,
    });
  } catch (error) {
    const denied = inaccessible(path, error);
    if (denied !== undefined) throw denied;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StorageError("storage.foreign", `${path}: expected an LMDB store, but: ${reason}; ${ADVICE}`, error);
  }
}

/**
 * LMDB trusts its files and takes the process down with one that is not its own or that it may not use, so a look at them
 * comes first.
 *
 * @throws StorageError
 */
export function checkDatabaseFiles(path: string, access: Access): void {
  try {
    checkHead(path, access);
    const locks = join(path, LOCK_FILE);
    if (access === "write" && existsSync(locks)) closeSync(openSync(locks, "r+"));
  } catch (error) {
    throw inaccessible(path, error) ?? error;
  }
}

function checkHead(path: string, access: Access): void {
  const file = join(path, DATABASE_FILE);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    const advice = "if this replica has run before, its disk is lost";
    throw new StorageError("storage.not-initialized", `${path} holds no store: expected ${DATABASE_FILE}; ${advice}`);
  }
  const head = Buffer.alloc(META_PAGES_BYTES);
  const descriptor = openSync(file, access === "write" ? "r+" : "r");
  const length = readSync(descriptor, head, 0, META_PAGES_BYTES, 0);
  closeSync(descriptor);
  const [first, second] = [head.readUInt32LE(MAGIC_OFFSET), head.readUInt32LE(PAGE_BYTES + MAGIC_OFFSET)];
  if (length < META_PAGES_BYTES || first !== MAGIC || second !== MAGIC)
    throw new StorageError("storage.foreign", `${path}: expected an LMDB store, found another file; ${ADVICE}`);
}
