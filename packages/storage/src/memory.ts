/**
 * The durable store's twin in memory, for tests and the simulator: synchronous, deterministic, without timers or
 * promises on its path. Its owner decides when a flush completes, when one fails and what a crash leaves.
 *
 * @packageDocumentation
 */
import { type Digest, invariant } from "@quorate/protocol";
import { FlushDomains } from "./flushing.ts";
import { KeyspaceStore } from "./keyspace-store.ts";
import { type DurableEntries, MemoryKeyspace, type MemoryPower, memoryDomain } from "./memory-keyspace.ts";
import { applied, type LogOperation, MemoryLog } from "./memory-log.ts";
import { type DurableSpool, MemorySpoolFile } from "./memory-spool-file.ts";
import { HISTORY_BYTES_MAX, type LogEntry, type ReplicaStore } from "./ports.ts";

export { FileStore, type FileStoreOptions, formatFileStore, markedGroups } from "./file-store.ts";
export type { LogFile, LogFileDone, LogFiles, LogReader, MarkFile } from "./log-files.ts";
export type { DurableEntries } from "./memory-keyspace.ts";
export type { DurableSpool } from "./memory-spool-file.ts";

/** How a memory store behaves. */
export interface MemoryStoreOptions {
  /**
   * Takes each completion of a flush and runs it once, later, in the order given: the simulator's clock. Left out,
   * completions wait for `disk.completeFlush()`.
   */
  readonly schedule?: (complete: () => void) => void;
  /** Bytes of history that `trim` leaves; `HISTORY_BYTES_MAX` unless given. */
  readonly historyBytesMax?: number;
  /** Made after another store of the replica had been lost; see `ReplicaStore.lossNonce`. */
  readonly lossNonce?: Digest;
}

/** How much of what was not flushed survives a crash: the first groups of each domain. */
export interface GroupsKept {
  /** Of the log; 0 unless given. */
  readonly log?: number;
  /** Of history, state and local; 0 unless given. */
  readonly rest?: number;
  /** Of what is being appended to the entries on their way, in bytes; 0 unless given. */
  readonly spoolBytes?: number;
}

/** The controls of a memory store's disk. */
export interface MemoryDisk {
  /** Flushes begun and not yet complete: at most one for each domain, and one for every caller after a failure. */
  readonly completionsWaiting: number;
  /** Appends and cuts that a crash would lose. */
  readonly unflushedLogGroups: number;
  /** Groups of history, state and local that a crash would lose. They wait for a `flush`, however long. */
  readonly unflushedGroups: number;
  /** Bytes that are being appended to the entries on their way. */
  readonly unflushedSpoolBytes: number;
  /** Completes the domain's flush that began first; false if none runs. Only without `schedule`. */
  completeFlush(): boolean;
  /** Makes the flush that completes next fail, and so every later one. Nothing it covered becomes durable. */
  failNextFlush(): void;
  /**
   * Cuts the power: this store is dead, its callbacks never come, and a new store with the same options holds what was
   * durable and what is to be kept: a disk may keep more than it said.
   */
  crash(kept?: GroupsKept): MemoryStore;
}

/** A store in memory and the disk that its owner controls. */
export interface MemoryStore extends ReplicaStore {
  readonly disk: MemoryDisk;
}

/** An empty store. It costs a few objects; thousands may live at once. */
export function createMemoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return openMemory({ log: [], rest: new Map(), spool: { bytes: Buffer.alloc(0) } }, options);
}

interface Durable {
  log: LogEntry[];
  readonly rest: DurableEntries;
  readonly spool: DurableSpool;
}

/** A memory store is one store, whatever becomes of it. */
const STORE_NAME = new Uint8Array(16);

function openMemory(durable: Durable, options: MemoryStoreOptions): MemoryStore {
  return new KeyspaceStoreInMemory(new DiskInMemory(durable, options), options);
}

class KeyspaceStoreInMemory extends KeyspaceStore implements MemoryStore {
  readonly disk: MemoryDisk;

  constructor(disk: DiskInMemory, { historyBytesMax = HISTORY_BYTES_MAX, lossNonce }: MemoryStoreOptions) {
    const { log, rest, domains, spool: file } = disk;
    const later = (task: () => void): void => disk.schedule(task);
    super({ log, keyspace: rest, domains, spool: { file, store: STORE_NAME, later }, historyBytesMax, lossNonce });
    this.disk = disk;
  }
}

class DiskInMemory implements MemoryDisk, MemoryPower {
  readonly log: MemoryLog;
  readonly rest: MemoryKeyspace;
  readonly domains: FlushDomains;
  readonly spool: MemorySpoolFile;
  readonly #options: MemoryStoreOptions;
  readonly #durable: Durable;
  readonly #completions: (() => void)[] = [];
  /** In the order of their writes; a crash loses them. Bounded by what the owner writes without flushing. */
  readonly #unflushedLog: LogOperation[] = [];
  #failNext = false;
  #crashed = false;
  #closed = false;

  constructor(durable: Durable, options: MemoryStoreOptions) {
    this.#options = options;
    this.#durable = durable;
    this.log = new MemoryLog(durable.log, (operation) => {
      this.checkOpen();
      this.#unflushedLog.push(operation);
    });
    this.rest = new MemoryKeyspace(durable.rest, this);
    this.spool = new MemorySpoolFile(durable.spool, this);
    this.domains = new FlushDomains({
      log: memoryDomain(
        this,
        () => this.#unflushedLog.length,
        (groups) => this.#keepLog(groups),
      ),
      rest: this.rest,
      later: (task) => this.schedule(task),
      close: () => this.#close(),
    });
  }

  get completionsWaiting(): number {
    return this.#completions.length;
  }

  get unflushedLogGroups(): number {
    return this.#unflushedLog.length;
  }

  get unflushedGroups(): number {
    return this.rest.unflushedGroups;
  }

  get unflushedSpoolBytes(): number {
    return this.spool.appending;
  }

  get isFailing(): boolean {
    return this.#failNext;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  completeFlush(): boolean {
    invariant(this.#options.schedule === undefined, "storage.completed-beside-schedule");
    const complete = this.#completions.shift();
    complete?.();
    return complete !== undefined;
  }

  failNextFlush(): void {
    this.#failNext = true;
  }

  crash({ log = 0, rest = 0, spoolBytes = 0 }: GroupsKept = {}): MemoryStore {
    const isThere = log <= this.#unflushedLog.length && rest <= this.rest.unflushedGroups;
    invariant(isThere && spoolBytes <= this.spool.appending, "storage.groups-kept", { log, rest, spoolBytes });
    invariant(!this.#crashed, "storage.crashed-twice");
    this.#keepLog(log);
    this.rest.keep(rest);
    this.spool.keep(spoolBytes);
    this.#crashed = true;
    this.#completions.length = 0;
    return openMemory(this.#durable, this.#options);
  }

  checkOpen(): void {
    invariant(!this.#closed && !this.#crashed, "storage.written-after-close");
  }

  schedule(task: () => void): void {
    const unlessCrashed = (): void => {
      if (!this.#crashed) task();
    };
    if (this.#options.schedule === undefined) this.#completions.push(unlessCrashed);
    else this.#options.schedule(unlessCrashed);
  }

  /** What has been written is durable afterwards, unless a flush has failed or is to fail; completions still come. */
  #close(): Promise<void> {
    if (this.domains.failure === undefined && !this.#failNext && !this.#crashed) {
      this.#keepLog(this.#unflushedLog.length);
      this.rest.keep(this.rest.unflushedGroups);
    }
    this.#closed = true;
    return Promise.resolve();
  }

  #keepLog(groups: number): void {
    for (const operation of this.#unflushedLog.splice(0, groups))
      this.#durable.log = applied(this.#durable.log, operation);
  }
}
