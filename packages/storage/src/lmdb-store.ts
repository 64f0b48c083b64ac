import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Digest } from "@quorate/protocol";
import { open } from "lmdb";
import { FlushDomains } from "./flushing.ts";
import { checkMeta, encodeMeta, META_KEY, type StoreIdentity } from "./identity.ts";
import { KeyspaceStore } from "./keyspace-store.ts";
import { type BytesDatabase, LmdbKeyspace } from "./lmdb-keyspace.ts";
import { LOG_ID_BYTES } from "./log-group.ts";
import { decodeMark, encodeMark, MARK_KEY } from "./log-mark.ts";
import { initializeLog, NodeLogFiles, syncPath } from "./node-log-files.ts";
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

const DATABASE_FILE = "data.mdb";
/** LMDB's own, for who reads what. */
const LOCK_FILE = "lock.mdb";
const LOG_FOLDER = "log";
/** Fixed, because LMDB would take the machine's and `checkFiles` must know. */
const PAGE_BYTES = 4096;
const META_PAGES_BYTES = 2 * PAGE_BYTES;
/** Where LMDB 1.0 has its magic number in both meta pages. */
const MAGIC_OFFSET = 24;
const MAGIC = 0xbe_ef_c0_de;

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
  initializeLog(join(path, LOG_FOLDER));
  const database = openDatabase(path, "sync");
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
  checkFiles(path);
  const durability = options.durability ?? "sync";
  const unsynced = { path, databaseFile: DATABASE_FILE, logFolder: join(path, LOG_FOLDER) };
  recoverUnsynced(unsynced);
  const database = openDatabase(path, durability);
  let log: WriteAheadLog | undefined;
  try {
    const { logId, lossNonce } = checkMeta(path, database.getBinary(Buffer.from(META_KEY)), identity);
    const mark = decodeMark(database.getBinary(Buffer.from(MARK_KEY)));
    const files = new NodeLogFiles(unsynced.logFolder, durability === "sync");
    const opened = new WriteAheadLog({ files, logId, mark });
    log = opened;
    if (durability === "async") markUnsynced(path);
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
        if (durability === "async") settleUnsynced(unsynced);
      },
    });
    return new KeyspaceStore(opened, rest, domains, options.historyBytesMax ?? HISTORY_BYTES_MAX, lossNonce);
  } catch (error) {
    void log?.close();
    void database.close();
    throw inaccessible(path, error) ?? error;
  }
}

function openDatabase(path: string, durability: Durability): BytesDatabase {
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
      noSync: durability === "async",
    });
  } catch (error) {
    const denied = inaccessible(path, error);
    if (denied !== undefined) throw denied;
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "point it at this replica's own folder; if it is that, its disk is lost: `quorate init --lost-disk`";
    throw new StorageError("storage.foreign", `${path}: expected an LMDB store, but: ${reason}; ${advice}`, error);
  }
}

/**
 * LMDB trusts its files and takes the process down with one that is not its own or that it may not write, so a look at them
 * comes first.
 */
function checkFiles(path: string): void {
  try {
    checkHead(path, join(path, DATABASE_FILE));
    const locks = join(path, LOCK_FILE);
    if (existsSync(locks)) closeSync(openSync(locks, "r+"));
  } catch (error) {
    throw inaccessible(path, error) ?? error;
  }
}

function checkHead(path: string, file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    const advice = "if this replica has run before, its disk is lost";
    throw new StorageError("storage.not-initialized", `${path} holds no store: expected ${DATABASE_FILE}; ${advice}`);
  }
  const head = Buffer.alloc(META_PAGES_BYTES);
  const descriptor = openSync(file, "r+");
  const length = readSync(descriptor, head, 0, META_PAGES_BYTES, 0);
  closeSync(descriptor);
  const [first, second] = [head.readUInt32LE(MAGIC_OFFSET), head.readUInt32LE(PAGE_BYTES + MAGIC_OFFSET)];
  if (length < META_PAGES_BYTES || first !== MAGIC || second !== MAGIC) {
    const advice = "point it at this replica's own folder; if it is that, its disk is lost: `quorate init --lost-disk`";
    throw new StorageError("storage.foreign", `${path}: expected an LMDB store, found another file; ${advice}`);
  }
}
