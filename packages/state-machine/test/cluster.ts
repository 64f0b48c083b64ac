import {
  clusterIdOf,
  createClientSigner,
  createNobleHasher,
  createReplicaSigner,
  digestBatch,
  signPossession,
} from "@quorate/crypto";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  type ClientSigner,
  type ClusterId,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  type DigestedCertifiedBatch,
  type DigestedRequest,
  digest,
  type Epoch,
  epochNumber,
  FORMAT_VERSION,
  type Genesis,
  type Hasher,
  type Limits,
  type PublicKey,
  type ReconfigurationChange,
  type RestoredState,
  replicaId,
  requestNumber,
  type SequenceNumber,
  type SessionId,
  type Signer,
  sequenceNumber,
  timestampMs,
} from "@quorate/protocol";
import {
  type ExecutedReply,
  type Execution,
  type ExecutionStore,
  Executor,
  type Service,
} from "@quorate/state-machine";
import { MemoryStore } from "./ordered-memory.ts";

export const hasher: Hasher = createNobleHasher();
const backend = createFakeBackend(hasher);

/** 32 bytes that spell a number. */
export function seedOf(n: number): Uint8Array {
  const seed = new Uint8Array(32).fill(7);
  new DataView(seed.buffer).setUint32(0, n);
  return seed;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Appends each operation to what `log` holds and returns the whole; `!text` throws after having written. */
const appender: Service = {
  execute: (operation, state) => {
    const key = bytesOf("log");
    const log = textOf(state.get(key) ?? bytesOf("")) + textOf(operation);
    state.put(key, bytesOf(log));
    if (log.endsWith("!")) throw new Error(`refused after ${log}`);
    return bytesOf(log);
  },
};

/** The number whose seed is the admin's; those of the members are their ids. */
export const ADMIN = 99;

export interface ClusterOptions {
  readonly limits?: Partial<Limits>;
  readonly clients?: Genesis["clients"];
  readonly service?: Service;
  readonly name?: string;
  readonly restored?: RestoredState;
  /** An empty one unless given. */
  readonly store?: MemoryStore;
  /** K; 16 unless given. */
  readonly checkpointInterval?: number;
  readonly silentUpTo?: SequenceNumber;
  /** That of member 0 unless given, which signs in all epochs unless `signsIn` says otherwise. */
  readonly signer?: Signer;
  readonly signsIn?: Epoch;
}

/** Whose keys a change is signed with; those of the admin unless it says otherwise. */
export interface ChangeOptions {
  readonly by?: number;
  readonly approvedBy?: readonly number[];
  readonly epoch?: number;
  readonly nonce?: number;
  /** Whose key it brings in. */
  readonly holder?: number;
}

/** One replica's executor with what its tests need: clients that sign, batches, and a restart. */
export class Fixture {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly service: Service;
  store: MemoryStore;
  executor: Executor;
  readonly #speech: Pick<ClusterOptions, "silentUpTo" | "signsIn" | "signer">;
  /** How many changes were signed. */
  #changes = 0;

  constructor(options: ClusterOptions = {}) {
    this.genesis = {
      formatVersion: FORMAT_VERSION,
      name: options.name ?? "test",
      faultModel: "byzantine",
      members: [0, 1, 2, 3].map((id) => ({
        id: replicaId(id),
        publicKey: backend.publicKeyOf(seedOf(id)),
        address: `127.0.0.1:${7000 + id}`,
      })),
      admins: { threshold: 1, keys: [backend.publicKeyOf(seedOf(ADMIN))] },
      clients: options.clients ?? "open",
      checkpointInterval: options.checkpointInterval ?? 16,
      windowSize: 4 * (options.checkpointInterval ?? 16),
      rotateEveryBatches: 0,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      timeouts: DEFAULT_TIMEOUTS,
      ...(options.restored !== undefined && { restored: options.restored }),
    };
    this.cluster = clusterIdOf(hasher, this.genesis);
    this.service = options.service ?? appender;
    this.store = options.store ?? new MemoryStore();
    this.#speech = options;
    this.executor = this.executorOver(this.store);
  }

  executorOver(store: ExecutionStore, id = 0): Executor {
    const { silentUpTo, signsIn, signer } = this.#speech;
    return new Executor({
      service: this.service,
      store,
      genesis: this.genesis,
      cluster: this.cluster,
      hasher,
      signer: signer ?? createReplicaSigner({ backend, seed: seedOf(id), self: replicaId(id), cluster: this.cluster }),
      silentUpTo,
      signsIn,
    });
  }

  /** A new executor over what the old one wrote. */
  restart(): void {
    this.store = this.store.copy();
    this.executor = this.executorOver(this.store);
  }

  client(n: number): Client {
    return new Client(this.cluster, n);
  }

  /** An order of a checkpoint under the key of this seed. */
  order(by: number, above: number, epoch = 0): DigestedRequest {
    const signer = createClientSigner({ backend, hasher, seed: seedOf(by), cluster: this.cluster });
    return signer.signCheckpoint({ epoch: epochNumber(epoch), above: sequenceNumber(above) });
  }

  /** A change, submitted under the key of one seed and approved under those of others. */
  change(
    change: ReconfigurationChange,
    { by = ADMIN, approvedBy = [ADMIN], epoch = 0, nonce = this.#changes++, holder }: ChangeOptions = {},
  ): DigestedRequest {
    const { cluster } = this;
    const signerOf = (n: number): ClientSigner => createClientSigner({ backend, hasher, seed: seedOf(n), cluster });
    const about = { epoch: epochNumber(epoch), nonce: nonceOf(nonce), change };
    const approvals = approvedBy
      .map((admin) => signerOf(admin).approve(about))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const seed = seedOf(holder ?? 0);
    const possession = holder === undefined ? new Uint8Array(0) : signPossession({ backend, seed, cluster }, about);
    return signerOf(by).signReconfiguration({ ...about, approvals, possession });
  }

  /** The key of a seed. */
  keyOf(n: number): PublicKey {
    return backend.publicKeyOf(seedOf(n));
  }

  batch(requests: readonly DigestedRequest[], atMs = 1000): DigestedCertifiedBatch {
    const batch = { timestampMs: timestampMs(atMs), requests: requests.map(({ request }) => request) };
    return digestBatch(hasher, this.cluster, batch);
  }

  /** Executes the next batch. */
  run(...requests: readonly DigestedRequest[]): Execution {
    return this.executor.execute(sequenceNumber(this.executor.executed + 1), this.batch(requests));
  }

  /** Executes null batches up to `seq`. */
  idleTo(seq: number): void {
    while (this.executor.executed < seq)
      this.executor.execute(sequenceNumber(this.executor.executed + 1), this.batch([], 0));
  }

  /** Opens a session for a client. */
  open(client: Client, nonce?: number): SessionId {
    const { replies } = this.run(client.register(nonce ?? 0, this.executor.executed + 50));
    return replies[0]!.reply.session;
  }
}

/** A client that signs what it is told to. */
export class Client {
  readonly key: PublicKey;
  readonly #signer: ReturnType<typeof createClientSigner>;

  constructor(cluster: ClusterId, n: number) {
    this.#signer = createClientSigner({ backend, hasher, seed: seedOf(1000 + n), cluster });
    this.key = this.#signer.publicKey;
  }

  register(nonce: number, lastValid: number): DigestedRequest {
    return this.#signer.signRegistration({ nonce: nonceOf(nonce), lastValid: sequenceNumber(lastValid) });
  }

  operate(session: SessionId, number: number, ...operations: readonly string[]): DigestedRequest {
    return this.#signer.signOperations({
      session,
      number: requestNumber(number),
      operations: operations.map(bytesOf),
    });
  }
}

function nonceOf(n: number): Digest {
  return digest(n.toString(16).padStart(64, "0"));
}

/** The results of the only reply, as `status value`. */
export function resultsOf(execution: Execution): readonly string[] {
  if (execution.replies.length !== 1) throw new Error(`expected one reply, got ${execution.replies.length}`);
  return shown(execution.replies[0]!.reply);
}

export function shown({ results }: Pick<ExecutedReply, "results">): readonly string[] {
  return results.map(({ status, value }) => (value.length === 0 ? status : `${status} ${textOf(value)}`));
}
