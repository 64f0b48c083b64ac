import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Digest } from "@quorate/protocol";
import { FlushDomains } from "./flushing.ts";
import { checkMeta, encodeMeta, META_KEY, type StoreIdentity } from "./identity.ts";
import { KeyspaceStore } from "./keyspace-store.ts";
import { checkDatabaseFiles, DATABASE_FILE, openDatabase } from "./lmdb-database.ts";
import { LmdbKeyspace } from "./lmdb-keyspace.ts";
import { LOG_ID_BYTES } from "./log-group.ts";
import { decodeMark, encodeMark, MARK_KEY } from "./log-mark.ts";
import { initializeLog, logFolderIn, NodeLogFiles, syncPath } from "./node-log-files.ts";
import { NodeSpoolFile } from "./node-spool-file.ts";
import { HISTORY_BYTES_MAX, type ReplicaStore } from "./ports.ts";
import { inaccessible, StorageError } from "./storage-error.ts";
import { markUnsynced, recoverUnsynced, settleUnsynced } from "./unsynced-mark.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/**
 * When a flush is done: `sync`, when the disk has it; `async`, when the operating system has it. A killed process loses
 * nothing either way; after a power cut an `async` store is refused as a lost disk (protocol rules 8.4, 8.6).
 */
export type Durability = "sync" | "async";

/** How a store is opened. */
export interface StoreOptions {
  /** `sync` unless given. */
  readonly durability?: Durability;
  /** Bytes of history that `trim` leaves; `HISTORY_BYTES_MAX` unless given. */
  readonly historyBytesMax?: number;
}

/**
 * Makes the store of a replica, once, durably: the mark of initialization is its last write (protocol rule 8.4).
 *
 * @param lossNonce random, drawn for this call, if the replica has run before and its disk is lost (protocol rule 8.5).
 * @throws StorageError `storage.already-initialized` unless `path` is missing or an empty folder.
 */
export async function initializeStore(path: string, identity: StoreIdentity, lossNonce?: Digest): Promise<void> {
  if (existsSync(path) && readdirSync(path).length > 0) {
    const advice = "open it, or choose another folder; a store is made only once in a replica's life";
    throw new StorageError("storage.already-initialized", `${path} is already initialized or not empty: ${advice}`);
  }
  mkdirSync(path, { recursive: true, mode: 0o700 });
  initializeLog(logFolderIn(path));
  const database = openDatabase(path, { noSync: false });
  await database.put(
    Buffer.from(META_KEY),
    Buffer.from(encodeMeta(identity, { logId: randomBytes(LOG_ID_BYTES), lossNonce })),
  );
  await database.close();
  for (const folder of [path, dirname(path)]) syncPath(folder);
}

/**
 * Opens the store that `initializeStore` made. One process at a time: take `lockFolder` first.
 *
 * @throws StorageError `storage.not-initialized` for a missing, empty or unfinished folder, `storage.foreign`,
 * `storage.version` or `storage.damaged` for one that is not this replica's or cannot be trusted.
 */
export function openStore(path: string, identity: StoreIdentity, options: StoreOptions = {}): ReplicaStore {
  checkDatabaseFiles(path, "write");
  const durability = options.durability ?? "sync";
  const unsynced = { path, databaseFile: DATABASE_FILE, logFolder: logFolderIn(path) };
  recoverUnsynced(unsynced);
  const database = openDatabase(path, { noSync: durability === "async" });
  let log: WriteAheadLog | undefined;
  let spool: NodeSpoolFile | undefined;
  try {
    const { logId, lossNonce } = checkMeta(path, database.getBinary(Buffer.from(META_KEY)), identity);
    const mark = decodeMark(database.getBinary(Buffer.from(MARK_KEY)));
    const files = new NodeLogFiles(unsynced.logFolder, durability === "sync");
    const opened = new WriteAheadLog({ files, logId, mark });
    log = opened;
    if (durability === "async") markUnsynced(path);
    const file = new NodeSpoolFile(path, durability === "sync");
    spool = file;
    let marked = mark.number;
    const rest = new LmdbKeyspace(database, {
      mark: () => {
        const { flushed } = opened;
        if (flushed.number === marked) return undefined;
        marked = flushed.number;
        return { key: MARK_KEY, value: encodeMark(flushed) };
      },
      onFailure: (failure) => domains.fail(failure),
    });
    const domains = new FlushDomains({
      log: opened,
      rest,
      later: setImmediate,
      close: async () => {
        opened.seal();
        rest.seal();
        await new Promise<void>((resolve) => opened.flush(() => resolve()));
        // After the log: what is committed here says how far the log reaches.
        await new Promise<void>((resolve) => rest.flush(() => resolve()));
        await opened.close();
        await rest.close();
        file.close();
        if (durability === "async") settleUnsynced(unsynced);
      },
    });
    return new KeyspaceStore({
      ...{ log: opened, keyspace: rest, domains, lossNonce },
      spool: { file, store: logId, later: setImmediate },
      historyBytesMax: options.historyBytesMax ?? HISTORY_BYTES_MAX,
    });
  } catch (error) {
    void log?.close();
    spool?.close();
    void database.close();
    throw inaccessible(path, error) ?? error;
  }
}
