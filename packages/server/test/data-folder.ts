import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReplicaSigner, signPossession } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type Commit,
  type CommittedEntry,
  type Digest,
  type Epoch,
  type Evidence,
  epochNumber,
  type LogRecord,
  type PrePrepare,
  placeOf,
  type ReconfigurationChange,
  replicaId,
  requestNumber,
  type SessionId,
  type Signer,
  timestampMs,
  type VerifiedBatch,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { CONFIGURATION_KEY } from "@quorate/reconfiguration";
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
import { writeEpochLink } from "../dist/epoch-records.js";
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
/** The last number that was executed, and that of one that only prepared. */
export const EXECUTED = 11;
export const PREPARED = 12;
/** The number that the first epoch ends with, where replica 2 gets another key, and the last one executed in the second. */
export const ACTIVATION = 32;
export const EXECUTED_LATER = 35;
const ROTATED = "replica 2 later";
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

/** Of a member with the key that it has in that epoch: replica 2 has another one in the second. */
function signerIn(of: number, id: number): Signer {
  const seed = seedOf(of === 1 && id === 2 ? ROTATED : `replica ${id}`);
  return createReplicaSigner({ backend, seed, self: replicaId(id), cluster });
}

/** A member signed two things, with the key that it has in the second epoch. */
const laterEvidence: Evidence = {
  type: "equivocation",
  first: signerIn(1, 2).sign<Commit>({ ...commitOf("a") }),
  second: signerIn(1, 2).sign<Commit>({ ...commitOf("b") }),
};

function commitOf(label: string): Commit {
  return { type: "commit", epoch: epochNumber(1), view, seq: seqOf(ACTIVATION + 1), digest: digestOf(label) };
}

function rotation(): VerifiedRequest {
  const publicKey = backend.publicKeyOf(seedOf(ROTATED));
  const change: ReconfigurationChange = { type: "rotate-key", id: replicaId(2), publicKey };
  const asked = { epoch, nonce: digestOf("rotation"), change };
  const approvals = [clientOf("admin").approve(asked)];
  const possession = signPossession({ backend, seed: seedOf(ROTATED), cluster }, asked);
  return clientOf("submitter").signReconfiguration({ ...asked, approvals, possession });
}

function entryOf(epoch: Epoch, seq: number, batch: VerifiedBatch): CommittedEntry {
  const message = { type: "commit", epoch, view, seq: seqOf(seq), digest: batch.digest } as const;
  const signatures = QUORUM.map((id) => ({
    from: replicaId(id),
    signature: signerIn(epoch, id).sign(message).signature,
  }));
  return { batch: batch.batch, certificate: { epoch, view, seq: seqOf(seq), digest: batch.digest, signatures } };
}

/** In view 0 of epoch e replica e is the primary. */
function recordsOf(epoch: Epoch, seq: number, batch: VerifiedBatch): LogRecord[] {
  const place = { epoch, view, seq: seqOf(seq), digest: batch.digest };
  const envelope = signerIn(epoch, epoch).sign<PrePrepare>({ type: "pre-prepare", ...place });
  const backups = QUORUM.filter((id) => id !== epoch);
  const prepares = backups.map((id) => ({
    from: replicaId(id),
    signature: signerIn(epoch, id).sign({ type: "prepare", ...place }).signature,
  }));
  return [
    { type: "pre-prepared", envelope, batch: batch.batch },
    { type: "prepared", certificate: { prePrepare: envelope, prepares } },
  ];
}

function stableOf(epoch: Epoch, seq: number, stateRoot: Digest): CheckpointCertificate {
  const message = { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot } as const;
  const signatures = QUORUM.map((id) => ({
    from: replicaId(id),
    signature: signerIn(epoch, id).sign(message).signature,
  }));
  return { epoch, seq: message.seq, stateRoot, signatures };
}

/** What replica 3 has been through: eleven batches, a stable checkpoint at eight, a twelfth batch that prepared. */
class Life {
  /** The committed entries by their numbers, from 1. */
  readonly entries: CommittedEntry[] = [];
  readonly #store: ReplicaStore;
  readonly #executor: Executor;
  readonly #stableRoot: Digest | undefined;
  #session: SessionId | undefined;
  #epoch = epoch;

  constructor(store: ReplicaStore, stableRoot: Digest | undefined) {
    this.#store = store;
    this.#stableRoot = stableRoot;
    this.#executor = new Executor({ service, store, genesis, cluster, hasher, signer: signerOf(3) });
  }

  live(): void {
    for (let seq = 1; seq <= EXECUTED; seq++) this.#order(seq);
    this.#promise(recordsOf(this.#epoch, PREPARED, this.#batchOf(PREPARED)));
    this.#keep(evidence);
  }

  /** As `live`, and on into the second epoch, in which replica 2 has another key. */
  liveOn(): void {
    for (let seq = 1; seq <= EXECUTED; seq++) this.#order(seq);
    this.#order(EXECUTED + 1, composer.compose(timestampMs(1_700_000_000_100), [rotation()]));
    for (let seq = EXECUTED + 2; seq <= ACTIVATION; seq++) this.#order(seq, composer.compose(timestampMs(0), []));
    this.#turn();
    for (let seq = ACTIVATION + 1; seq <= EXECUTED_LATER; seq++) this.#order(seq);
    this.#keep(evidence);
    this.#keep(laterEvidence);
  }

  #turn(): void {
    const certificate = stableOf(this.#epoch, ACTIVATION, this.#executor.lastCheckpoint.stateRoot);
    const snapshot = this.#executor.snapshotAt(certificate.seq)!;
    const record = snapshot.get(CONFIGURATION_KEY)!;
    writeEpochLink(this.#store.local, codec, { certificate, record, proof: snapshot.prove(CONFIGURATION_KEY) });
    this.#epoch = epochNumber(1);
  }

  #keep(piece: Evidence): void {
    const members = membership.members.map(({ id }) => id);
    new EvidenceShelf(this.#store.local, codec, hasher, members).keep(piece);
  }

  #order(seq: number, batch = this.#batchOf(seq)): void {
    this.#promise(recordsOf(this.#epoch, seq, batch));
    const entry = entryOf(this.#epoch, seq, batch);
    this.#store.history.put(seqOf(seq), codec.encodeCommittedEntry(entry));
    this.entries.push(entry);
    const { replies, checkpoint } = this.#executor.execute(seqOf(seq), batch);
    this.#session ??= replies[0]?.reply.session;
    if (checkpoint === undefined) return;
    const stable = stableOf(this.#epoch, seq, this.#stableRoot ?? checkpoint.stateRoot);
    this.#promise([{ type: "stable", checkpoint: stable }]);
    this.#store.log.cut(seqOf(seq - 1));
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
    for (const record of records) this.#store.log.append(placeOf(record).seq, codec.encodeLogRecord(record));
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
  /** It has come into the second epoch. */
  readonly isLater?: true;
}

/** Makes folders of their own that are gone when the current suite is. */
export function dataFolders(): (options?: DataFolderOptions) => Promise<DataFolder> {
  const made: string[] = [];
  after(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });
  return async ({ stableRoot, isLater } = {}) => {
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
    if (isLater) life.liveOn();
    else life.live();
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
