import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CheckpointCertificate,
  type CommittedEntry,
  type Digest,
  type Evidence,
  type LogRecord,
  replicaId,
  requestNumber,
  type SessionId,
  sequenceNumberOf,
  timestampMs,
  type VerifiedBatch,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import {
  type Cryptography,
  EvidenceShelf,
  initReplicaFolder,
  keyFileOf,
  type ReplicaFolder,
  readReplicaFolder,
} from "@quorate/server";
import { Executor, type Service } from "@quorate/state-machine";
import { openStore, type ReplicaStore } from "@quorate/storage";
import {
  backend,
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  genesis,
  hasher,
  membership,
  seedOf,
  seqOf,
  signerOf,
} from "./builders.ts";

const view = viewNumber(0);
const QUORUM = [0, 1, 2] as const;
/** K of the genesis document of these tests. */
const STABLE = 8;
/** The last number that was executed, and that of one that only prepared. */
export const EXECUTED = 11;
export const PREPARED = 12;
export const cryptography: Cryptography = { backend, hasher };

/** Notes what it is asked to in upper case, so that what is in the state is nowhere else. */
const service: Service = {
  execute(operation, state) {
    const text = new TextDecoder().decode(operation).toUpperCase();
    state.put(new TextEncoder().encode(`noted ${text}`), new TextEncoder().encode(`as ${text}`));
    return operation;
  },
};

/** The value that the service keeps for the batch of a number. */
export const stateValueOf = (seq: number): Uint8Array => Buffer.from(`as NUMBER ${seq}`);
export const evidence: Evidence = {
  type: "equivocation",
  first: envelopeOf(1, { type: "commit", epoch, view, seq: seqOf(3), digest: digestOf("a") }),
  second: envelopeOf(1, { type: "commit", epoch, view, seq: seqOf(3), digest: digestOf("b") }),
};

function entryOf(seq: number, batch: VerifiedBatch): CommittedEntry {
  const message = { type: "commit", epoch, view, seq: seqOf(seq), digest: batch.digest } as const;
  const signatures = QUORUM.map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
  return { batch: batch.batch, certificate: { epoch, view, seq: seqOf(seq), digest: batch.digest, signatures } };
}

function recordsOf(seq: number, batch: VerifiedBatch): LogRecord[] {
  const place = { epoch, view, seq: seqOf(seq), digest: batch.digest };
  const envelope = envelopeOf(0, { type: "pre-prepare", ...place });
  const prepares = [1, 2].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "prepare", ...place }).signature,
  }));
  return [
    { type: "pre-prepared", envelope, batch: batch.batch },
    { type: "prepared", certificate: { prePrepare: envelope, prepares } },
  ];
}

function stableOf(stateRoot: CheckpointCertificate["stateRoot"]): LogRecord {
  const message = { type: "checkpoint", epoch, seq: seqOf(STABLE), stateRoot } as const;
  const signatures = QUORUM.map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
  return { type: "stable", checkpoint: { epoch, seq: seqOf(STABLE), stateRoot, signatures } };
}

/** What replica 3 has been through: eleven batches, a stable checkpoint at eight, a twelfth batch that prepared. */
class Life {
  /** The committed entries by their numbers, from 1. */
  readonly entries: CommittedEntry[] = [];
  readonly #store: ReplicaStore;
  readonly #executor: Executor;
  readonly #stableRoot: Digest | undefined;
  #session: SessionId | undefined;

  constructor(store: ReplicaStore, stableRoot: Digest | undefined) {
    this.#store = store;
    this.#stableRoot = stableRoot;
    this.#executor = new Executor({ service, store, genesis, cluster, hasher, signer: signerOf(3) });
  }

  live(): void {
    for (let seq = 1; seq <= EXECUTED; seq++) this.#order(seq);
    this.#promise(recordsOf(PREPARED, this.#batchOf(PREPARED)));
    const members = membership.members.map(({ id }) => id);
    new EvidenceShelf(this.#store.local, codec, hasher, members).keep(evidence);
  }

  #order(seq: number): void {
    const batch = this.#batchOf(seq);
    this.#promise(recordsOf(seq, batch));
    const entry = entryOf(seq, batch);
    this.#store.history.put(seqOf(seq), codec.encodeCommittedEntry(entry));
    this.entries.push(entry);
    const { replies, checkpoint } = this.#executor.execute(seqOf(seq), batch);
    this.#session ??= replies[0]?.reply.session;
    if (checkpoint === undefined) return;
    this.#promise([stableOf(this.#stableRoot ?? checkpoint.stateRoot)]);
    this.#store.log.cut(seqOf(STABLE - 1));
  }

  #batchOf(seq: number): VerifiedBatch {
    return composer.compose(timestampMs(1_700_000_000_000 + seq), [this.#requestOf(seq)]);
  }

  #requestOf(seq: number): VerifiedRequest {
    const client = clientOf();
    if (this.#session === undefined) return client.signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(99) });
    const operations = [new TextEncoder().encode(`number ${seq}`)];
    return client.signOperations({ session: this.#session, number: requestNumber(seq - 1), operations });
  }

  #promise(records: readonly LogRecord[]): void {
    for (const record of records) this.#store.log.append(sequenceNumberOf(record), codec.encodeLogRecord(record));
  }
}

/** The data folder of replica 3, which has stopped, and what was committed there. */
export interface DataFolder {
  readonly folder: ReplicaFolder;
  readonly entries: readonly CommittedEntry[];
}

/** How a folder differs from one in which all is well. */
export interface DataFolderOptions {
  /** The state root that a quorum signed; that of the replica unless given. */
  readonly stableRoot?: Digest;
}

/** Makes folders of their own that are gone when the current suite is. */
export function dataFolders(): (options?: DataFolderOptions) => Promise<DataFolder> {
  const made: string[] = [];
  after(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });
  return async ({ stableRoot } = {}) => {
    const parent = mkdtempSync(join(tmpdir(), "quorate-data-"));
    made.push(parent);
    const folder = await initReplicaFolder({
      path: join(parent, "data"),
      genesis: { text: JSON.stringify(genesis), source: "genesis.json" },
      key: keyFileOf(backend, seedOf("replica 3")),
      backend,
      hasher,
    });
    const store = openStoreOf(folder);
    const life = new Life(store, stableRoot);
    life.live();
    await store.close();
    return { folder: readReplicaFolder(folder.path, backend, hasher), entries: life.entries };
  };
}

/** For a change behind the replica's back. */
export function openStoreOf({ storePath, cluster: id, owner }: ReplicaFolder): ReplicaStore {
  return openStore(storePath, { cluster: id, owner });
}

/** Flips the lowest bit of the byte in the middle of these bytes, wherever a file holds them. */
export function flipBit(file: string, bytes: Uint8Array): void {
  const content = readFileSync(file);
  let flipped = 0;
  for (let at = content.indexOf(bytes); at !== -1; at = content.indexOf(bytes, at + 1)) {
    const place = at + Math.floor(bytes.length / 2);
    content[place] = (content[place] ?? 0) ^ 1;
    flipped += 1;
  }
  if (flipped === 0) throw new Error(`${file} does not hold these bytes`);
  writeFileSync(file, content);
}

/** Every file below a folder, with the digest of its content. */
export function contentOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );
}
