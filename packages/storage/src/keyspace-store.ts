import type { Change, OrderedStore } from "@quorate/protocol";
import { type Keyspace, Partition, PREFIX } from "./keyspace.ts";
import { KeyspaceHistory } from "./keyspace-history.ts";
import { KeyspaceLog } from "./keyspace-log.ts";
import type { DurableLog, FlushDone, History, ReplicaStore } from "./ports.ts";

/** What makes a keyspace durable and lets it go. */
export interface Disk {
  flush(done: FlushDone): void;
  close(): Promise<void>;
}

/** A replica's store on any keyspace: what the durable store and its twin in memory have in common. */
export class KeyspaceStore implements ReplicaStore {
  readonly log: DurableLog;
  readonly history: History;
  readonly #keyspace: Keyspace;
  readonly #disk: Disk;
  readonly #state: Partition;
  readonly #local: Partition;

  constructor(keyspace: Keyspace, disk: Disk, historyBytesMax: number) {
    this.#keyspace = keyspace;
    this.#disk = disk;
    this.log = new KeyspaceLog(keyspace);
    this.history = new KeyspaceHistory(keyspace, historyBytesMax);
    this.#state = new Partition(keyspace, PREFIX.state);
    this.#local = new Partition(keyspace, PREFIX.local);
  }

  get state(): OrderedStore {
    return this.#state;
  }

  get local(): OrderedStore {
    return this.#local;
  }

  writeAtomically(changes: { readonly state: readonly Change[]; readonly local: readonly Change[] }): void {
    this.#keyspace.write([...this.#state.place(changes.state), ...this.#local.place(changes.local)]);
  }

  flush(done: FlushDone): void {
    this.#disk.flush(done);
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}
