import { mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, invariant, type KeyReader, type OrderedReader } from "@quorate/protocol";
import { damaged } from "./damage.ts";
import { checkMeta, META_KEY, type StoreIdentity, type StoreMark } from "./identity.ts";
import { type Keyspace, Partition, PREFIX } from "./keyspace.ts";
import { KeyspaceHistory } from "./keyspace-history.ts";
import { checkDatabaseFiles, DATABASE_FILE, openDatabase } from "./lmdb-database.ts";
import type { BytesDatabase } from "./lmdb-keyspace.ts";
import { decodeMark, MARK_KEY } from "./log-mark.ts";
import { logFolderIn, NodeLogFiles } from "./node-log-files.ts";
import type { DurableLog, History } from "./ports.ts";
import { ReadOnlyLogFiles } from "./read-only-log-files.ts";
import { inaccessible } from "./storage-error.ts";
import { isUnsynced } from "./unsynced-mark.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

/** A log that is only looked at. */
export interface ReadLog extends Pick<DurableLog, "entries"> {
  /** Bytes of a last write that was cut short, which the next start removes. No promise was made on them. */
  readonly tornBytes: number;
}

/** A replica's store as it lies on the disk. Nothing of it is changed, made or repaired. */
export interface StoreReader {
  /** See `ReplicaStore.lossNonce`. */
  readonly lossNonce: Digest | undefined;
  readonly state: OrderedReader;
  readonly local: KeyReader;
  /**
   * Finds what a start would find, by the same code.
   *
   * @throws StorageError as `openStore` does for its log.
   */
  openLog(): ReadLog;
  /** @throws StorageError `storage.damaged` when it does not hold together as a whole. */
  openHistory(): Pick<History, "get" | "first" | "last" | "bytes">;
  close(): Promise<void>;
}

/**
 * Opens a store without a change to any of its files, whatever it was left like. Nobody may write to it meanwhile: take
 * `lockFolderToRead` first.
 *
 * @throws StorageError as `openStore` does, but for damage to log and history, which is told when they are opened.
 */
export function openStoreToRead(path: string, identity: StoreIdentity): StoreReader {
  checkDatabaseFiles(path, "read");
  isUnsynced(path);
  const view = DatabaseView.open(path);
  try {
    const mark = checkMeta(path, view.keyspace.get(META_KEY), identity);
    return new StoreOnDisk(path, view, mark);
  } catch (error) {
    void view.close();
    throw inaccessible(path, error) ?? error;
  }
}

class StoreOnDisk implements StoreReader {
  readonly lossNonce: Digest | undefined;
  readonly state: OrderedReader;
  readonly local: KeyReader;
  readonly #path: string;
  readonly #view: DatabaseView;
  readonly #keyspace: Keyspace;
  readonly #logId: Uint8Array;

  constructor(path: string, view: DatabaseView, { logId, lossNonce }: StoreMark) {
    this.#path = path;
    this.#view = view;
    this.#keyspace = view.keyspace;
    this.#logId = logId;
    this.lossNonce = lossNonce;
    this.state = new Partition(this.#keyspace, PREFIX.state);
    this.local = new Partition(this.#keyspace, PREFIX.local);
  }

  openLog(): ReadLog {
    const mark = decodeMark(this.#keyspace.get(MARK_KEY));
    const files = new ReadOnlyLogFiles(new NodeLogFiles(logFolderIn(this.#path), false));
    const log = new WriteAheadLog({ files, logId: this.#logId, mark });
    return { entries: () => log.entries(), tornBytes: files.tornBytes };
  }

  openHistory(): Pick<History, "get" | "first" | "last" | "bytes"> {
    return new KeyspaceHistory(this.#keyspace, Number.POSITIVE_INFINITY);
  }

  close(): Promise<void> {
    return this.#view.close();
  }
}

/**
 * LMDB writes down who reads beside the file that it reads. So it is shown the file in a folder of its own, by a link. It
 * has no way to read without that here, and a copy could take as much of the disk as the store does.
 */
class DatabaseView {
  readonly keyspace: Keyspace;
  readonly #database: BytesDatabase;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#database = openDatabase(folder, { readOnly: true });
    this.keyspace = keyspaceOf(this.#database);
  }

  static open(path: string): DatabaseView {
    const folder = mkdtempSync(join(tmpdir(), "quorate-reads-"));
    try {
      symlinkSync(realpathSync(join(path, DATABASE_FILE)), join(folder, DATABASE_FILE));
      return new DatabaseView(folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function keyspaceOf(database: BytesDatabase): Keyspace {
  /** LMDB tells of pages that do not hold together by errors of its own, and its transaction is of no more use then. */
  function orDamaged<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      database.resetReadTxn();
      throw damaged("the database", error instanceof Error ? error.message : String(error));
    }
  }
  function* eachOrDamaged<T>(range: Iterable<T>): Iterable<T> {
    const entries = orDamaged(() => range[Symbol.iterator]());
    for (let next = orDamaged(() => entries.next()); next.done !== true; next = orDamaged(() => entries.next()))
      yield next.value;
  }
  return {
    get: (key) => orDamaged(() => database.getBinary(Buffer.from(key))),
    *range(from, to) {
      invariant(to !== undefined, "storage.open-range");
      const range = { start: Buffer.from(from), end: Buffer.from(to) };
      for (const { key, value } of eachOrDamaged(database.getRange(range))) yield [key, value];
    },
    keys(from, to) {
      invariant(to !== undefined, "storage.open-range");
      return eachOrDamaged(database.getKeys({ start: Buffer.from(from), end: Buffer.from(to) }));
    },
    write: () => invariant(false, "storage.written-while-reading"),
  };
}
