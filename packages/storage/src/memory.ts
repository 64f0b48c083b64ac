/**
 * The durable store's twin in memory, for tests and the simulator: synchronous, deterministic, without timers or
 * promises on its path. Its owner decides when a flush completes, when one fails and what a crash leaves.
 *
 * @packageDocumentation
 */
import { type Change, invariant } from "@quorate/protocol";
import { GroupedFlush } from "./grouped-flush.ts";
import type { Keyspace } from "./keyspace.ts";
import { type Disk, KeyspaceStore } from "./keyspace-store.ts";
import { type OrderedEntry, OrderedMap, orderedText } from "./ordered-map.ts";
import { type FlushDone, HISTORY_BYTES_MAX, type ReplicaStore } from "./ports.ts";
import { StorageError } from "./storage-error.ts";

/** How a memory store behaves. */
export interface MemoryStoreOptions {
  /**
   * Takes each completion of a flush and runs it once, later, in the order given: the simulator's clock. Left out,
   * completions wait for `disk.completeFlush()`.
   */
  readonly schedule?: (complete: () => void) => void;
  /** Bytes of history that `trim` leaves; `HISTORY_BYTES_MAX` unless given. */
  readonly historyBytesMax?: number;
}

/** The controls of a memory store's disk. */
export interface MemoryDisk {
  /** Flushes begun and not yet complete: 0 or 1, and one for every caller that came after a failure. */
  readonly completionsWaiting: number;
  /** Write groups that a crash would lose. */
  readonly unflushedGroups: number;
  /** Completes the running flush; false if none runs. Only without `schedule`. */
  completeFlush(): boolean;
  /** Makes the flush that completes next fail, and so every later one. Nothing it covered becomes durable. */
  failNextFlush(): void;
  /**
   * Cuts the power: this store is dead, its callbacks never come, and a new store with the same options holds what was
   * durable and the first `groupsKept` of the groups that were not (0 unless given): a disk may keep more than it said.
   */
  crash(groupsKept?: number): MemoryStore;
}

/** A store in memory and the disk that its owner controls. */
export interface MemoryStore extends ReplicaStore {
  readonly disk: MemoryDisk;
}

/** An empty store. It costs a few objects; thousands may live at once. */
export function createMemoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return openMemory(new Map(), options);
}

function openMemory(durable: Map<string, OrderedEntry>, options: MemoryStoreOptions): MemoryStore {
  const disk = new DiskInMemory(durable, options);
  return new KeyspaceStoreInMemory(disk, options.historyBytesMax ?? HISTORY_BYTES_MAX);
}

class KeyspaceStoreInMemory extends KeyspaceStore implements MemoryStore {
  readonly disk: MemoryDisk;

  constructor(disk: DiskInMemory, historyBytesMax: number) {
    super(disk, disk, historyBytesMax);
    this.disk = disk;
  }
}

interface PlacedChange {
  readonly text: string;
  readonly entry: OrderedEntry;
}

class DiskInMemory implements Keyspace, Disk, MemoryDisk {
  readonly #options: MemoryStoreOptions;
  readonly #durable: Map<string, OrderedEntry>;
  readonly #current: OrderedMap;
  readonly #completions: (() => void)[] = [];
  readonly #flush: GroupedFlush;
  /** Groups in the order of their writes; a crash loses them. Bounded by what the owner writes without flushing. */
  #unflushed: (readonly PlacedChange[])[] = [];
  #failNext = false;
  #crashed = false;
  #closed = false;

  constructor(durable: Map<string, OrderedEntry>, options: MemoryStoreOptions) {
    this.#options = options;
    this.#durable = durable;
    this.#current = new OrderedMap(new Map(durable));
    const later = (task: () => void): void => this.#schedule(task);
    this.#flush = new GroupedFlush({ gather: (start) => start(), later }, (finish) => this.#start(finish));
  }

  get completionsWaiting(): number {
    return this.#completions.length;
  }

  get unflushedGroups(): number {
    return this.#unflushed.length;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#current.get(orderedText(key))?.value;
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    invariant(to !== undefined, "storage.open-range");
    for (const { key, value } of this.#current.range(orderedText(from), orderedText(to))) {
      if (value !== undefined) yield [key, value];
    }
  }

  write(changes: readonly Change[]): void {
    invariant(!this.#closed && !this.#crashed, "storage.written-after-close");
    const group = changes.map((entry) => ({ text: orderedText(entry.key), entry }));
    for (const { text, entry } of group) {
      if (entry.value === undefined) this.#current.delete(text);
      else this.#current.set(text, entry);
    }
    this.#unflushed.push(group);
  }

  flush(done: FlushDone): void {
    if (this.#closed) this.#schedule(() => done(new StorageError("storage.closed", "the store is closed")));
    else this.#flush.flush(done);
  }

  /** What has been written is durable afterwards, unless a flush has failed or is to fail; completions still come. */
  close(): Promise<void> {
    if (this.#flush.failure === undefined && !this.#failNext && !this.#crashed) this.#keep(this.#unflushed.length);
    this.#closed = true;
    return Promise.resolve();
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

  crash(groupsKept = 0): MemoryStore {
    invariant(groupsKept <= this.#unflushed.length, "storage.groups-kept", { groupsKept });
    invariant(!this.#crashed, "storage.crashed-twice");
    this.#keep(groupsKept);
    this.#crashed = true;
    this.#completions.length = 0;
    return openMemory(this.#durable, this.#options);
  }

  #schedule(task: () => void): void {
    const unlessCrashed = (): void => {
      if (!this.#crashed) task();
    };
    if (this.#options.schedule === undefined) this.#completions.push(unlessCrashed);
    else this.#options.schedule(unlessCrashed);
  }

  #start(finish: (failure: StorageError | undefined) => void): void {
    const covered = this.#unflushed.length;
    this.#schedule(() => {
      if (this.#failNext) {
        finish(new StorageError("storage.flush-failed", "the write was not made durable: the disk refused; stop here"));
        return;
      }
      if (!this.#closed) this.#keep(covered);
      finish(undefined);
    });
  }

  /** Makes the first groups durable. */
  #keep(groups: number): void {
    for (const { text, entry } of this.#unflushed.splice(0, groups).flat()) {
      if (entry.value === undefined) this.#durable.delete(text);
      else this.#durable.set(text, entry);
    }
  }
}
