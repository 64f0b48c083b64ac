import type { Change, Digest, OrderedStore } from "@quorate/protocol";
import type { FlushDomains } from "./flushing.ts";
import { type Keyspace, Partition, PREFIX } from "./keyspace.ts";
import { KeyspaceHistory } from "./keyspace-history.ts";
import type { DurableLog, FlushDone, History, ReplicaStore } from "./ports.ts";

/** A replica's store on any log and keyspace: what the durable store and its twin in memory have in common. */
export class KeyspaceStore implements ReplicaStore {
  readonly lossNonce: Digest | undefined;
  readonly log: DurableLog;
  readonly history: History;
  readonly #keyspace: Keyspace;
  readonly #domains: FlushDomains;
  readonly #state: Partition;
  readonly #local: Partition;

  constructor(
    log: DurableLog,
    keyspace: Keyspace,
    domains: FlushDomains,
    historyBytesMax: number,
    lossNonce: Digest | undefined,
  ) {
    this.lossNonce = lossNonce;
    this.log = log;
    this.#keyspace = keyspace;
    this.#domains = domains;
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

  flushLog(done: FlushDone): void {
    this.#domains.flushLog(done);
  }

  flush(done: FlushDone): void {
    this.#domains.flush(done);
  }

  close(): Promise<void> {
    return this.#domains.close();
  }
}
