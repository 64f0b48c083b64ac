import type { Change, Digest, OrderedStore } from "@quorate/protocol";
import { BulkLoader } from "./bulk-loader.ts";
import type { FlushDomains } from "./flushing.ts";
import { type Keyspace, Partition, PREFIX } from "./keyspace.ts";
import { KeyspaceHistory } from "./keyspace-history.ts";
import type { BulkLoad, DurableLog, FlushDone, GroupChanges, History, ReplicaStore } from "./ports.ts";
import type { SpoolFile } from "./spool-file.ts";

/** What a store stands on. */
export interface KeyspaceStoreParts {
  readonly log: DurableLog;
  readonly keyspace: Keyspace;
  readonly domains: FlushDomains;
  readonly spool: {
    readonly file: SpoolFile;
    /** The name of the store, in 16 bytes. */
    readonly store: Uint8Array;
    /** Runs a task after the current call has returned. */
    readonly later: (task: () => void) => void;
  };
  readonly historyBytesMax: number;
  readonly lossNonce: Digest | undefined;
}

/** A replica's store on any log and keyspace: what the durable store and its twin in memory have in common. */
export class KeyspaceStore implements ReplicaStore {
  readonly lossNonce: Digest | undefined;
  readonly log: DurableLog;
  readonly history: History;
  readonly bulk: BulkLoad;
  readonly #loader: BulkLoader;
  readonly #keyspace: Keyspace;
  readonly #domains: FlushDomains;
  readonly #state: Partition;
  readonly #local: Partition;

  constructor({ log, keyspace, domains, spool, historyBytesMax, lossNonce }: KeyspaceStoreParts) {
    this.lossNonce = lossNonce;
    this.log = log;
    this.#keyspace = keyspace;
    this.#domains = domains;
    this.history = new KeyspaceHistory(keyspace, historyBytesMax);
    this.#state = new Partition(keyspace, PREFIX.state);
    this.#local = new Partition(keyspace, PREFIX.local);
    this.#loader = new BulkLoader({
      ...spool,
      keyspace,
      flush: (done) => domains.flush(done),
      fail: (failure) => domains.fail(failure),
    });
    this.bulk = bulkLoadOf(this.#loader);
  }

  get state(): OrderedStore {
    return this.#state;
  }

  get local(): OrderedStore {
    return this.#local;
  }

  writeAtomically(changes: GroupChanges): void {
    this.#keyspace.write(this.#placed(changes));
  }

  flushLog(done: FlushDone): void {
    this.#domains.flushLog(done);
  }

  flush(done: FlushDone): void {
    this.#domains.flush(done);
  }

  close(): Promise<void> {
    this.#loader.stop();
    return this.#domains.close();
  }

  #placed({ state, local }: GroupChanges): Change[] {
    return [...this.#state.place(state), ...this.#local.place(local)];
  }
}

function bulkLoadOf(loader: BulkLoader): BulkLoad {
  return {
    get isEmpty() {
      return loader.isEmpty;
    },
    get isFull() {
      return loader.isFull;
    },
    add: ({ state, local }) => {
      loader.add(PREFIX.state, state);
      loader.add(PREFIX.local, local);
    },
    flush: (done) => loader.flush(done),
    settle: (done) => loader.settle(done),
  };
}
