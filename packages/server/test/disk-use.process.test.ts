import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CommittedEntry,
  replicaId,
  requestNumber,
  type SessionId,
  timestampMs,
  type VerifiedBatch,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { Executor, type OwnCheckpoint, type Service } from "@quorate/state-machine";
import { initializeStore, openStore, type ReplicaStore } from "@quorate/storage";
import { expect } from "chai";
import { DurableState } from "../dist/durable-state.js";
import {
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
  seqOf,
  signerOf,
} from "./builders.ts";

const FULL = process.env.QUORATE_FULL === "1";
const OPERATIONS = FULL ? 1_000_000 : 120_000;
const OPERATIONS_IN_BATCH = 100;
const KEYS = 2_000;
const HISTORY_BYTES_MAX = 1024 * 1024;
const SAMPLES = 10;
const SEGMENT_BYTES = 4 * 1024 * 1024;

/** The first byte of an operation chooses a key, with the second; the rest is the value. */
const service: Service = {
  execute(operation, state) {
    state.put(operation.subarray(0, 2), operation.subarray(2));
    return operation.subarray(0, 2);
  },
};

/** Replica 0 on a real disk, given what a cluster would have decided: log, history, execution, checkpoints, cuts. */
class Life {
  readonly #store: ReplicaStore;
  readonly #executor: Executor;
  readonly #durable: DurableState;
  #session: SessionId | undefined;
  #seq = 0;
  #number = 1;
  #operation = 0;
  #stable: OwnCheckpoint | undefined;
  #onStable: () => void = () => undefined;

  constructor(store: ReplicaStore) {
    this.#store = store;
    this.#executor = new Executor({ service, store, genesis, cluster, hasher, signer: signerOf(0) });
    this.#durable = new DurableState({
      store,
      executor: this.#executor,
      checkpointInterval: genesis.checkpointInterval,
      pinned: () => [],
      onFlushed: (own, failure) => {
        if (failure !== undefined) throw failure;
        this.#stable = own;
        this.#onStable();
      },
    });
  }

  /** One batch; at a checkpoint until it is durable, stable, and all below it is cut. */
  async order(): Promise<void> {
    const seq = seqOf(++this.#seq);
    const batch = composer.compose(timestampMs(1_700_000_000_000 + seq), [this.#request()]);
    const place = { epoch, view: viewNumber(0), seq, digest: batch.digest };
    const envelope = envelopeOf(0, { type: "pre-prepare", ...place });
    this.#store.log.append(seq, codec.encodeLogRecord({ type: "pre-prepared", envelope, batch: batch.batch }));
    await new Promise<void>((resolve, reject) =>
      this.#store.flushLog((failure) => (failure === undefined ? resolve() : reject(failure))),
    );
    this.#durable.archive(seq, codec.encodeCommittedEntry(entryOf(batch, place)), batch.batch);
    const { checkpoint, replies } = this.#executor.execute(seq, batch);
    this.#session ??= replies[0]?.reply.session;
    if (checkpoint === undefined) return;
    await new Promise<void>((resolve) => {
      this.#onStable = resolve;
      this.#durable.makeDurable(checkpoint);
    });
    expect(this.#stable).to.deep.equal(checkpoint);
    const message = { type: "checkpoint", epoch, ...checkpoint } as const;
    const signatures = [0, 1, 2].map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
    const record = { type: "stable", checkpoint: { epoch, ...checkpoint, signatures } } as const;
    this.#store.log.append(seq, codec.encodeLogRecord(record));
    this.#durable.cut(seqOf(seq - 1));
  }

  #request(): VerifiedRequest {
    const client = clientOf();
    if (this.#session === undefined) return client.signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(99) });
    const operations = Array.from({ length: OPERATIONS_IN_BATCH }, () => this.#next());
    return client.signOperations({ session: this.#session, number: requestNumber(this.#number++), operations });
  }

  /** Values of several lengths: what takes the place of another does not always fit where that was. */
  #next(): Uint8Array {
    const i = this.#operation++;
    const operation = new Uint8Array(2 + 40 + ((i * 7) % 160)).fill(i);
    new DataView(operation.buffer).setUint16(0, (i * 31) % KEYS);
    return operation;
  }
}

function entryOf({ batch }: VerifiedBatch, place: Omit<CommittedEntry["certificate"], "signatures">): CommittedEntry {
  const message = { type: "commit", ...place } as const;
  const signatures = [0, 1, 2].map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
  return { batch, certificate: { ...place, signatures } };
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

describe("the disk use of a replica", function () {
  this.timeout(FULL ? 1_800_000 : 240_000);
  let path: string;
  let store: ReplicaStore | undefined;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "quorate-disk-"));
  });
  afterEach(async () => {
    await store?.close();
    rmSync(path, { recursive: true, force: true });
  });

  it(`is flat over ${OPERATIONS.toLocaleString("en")} operations on the same keys`, async () => {
    const identity = { cluster, owner: membership.members[0]!.publicKey };
    await initializeStore(path, identity);
    store = openStore(path, identity, { durability: "async", historyBytesMax: HISTORY_BYTES_MAX });
    const life = new Life(store);
    const batches = OPERATIONS / OPERATIONS_IN_BATCH;
    const database: number[] = [];
    const log: number[] = [];
    for (let batch = 1; batch <= batches; batch++) {
      await life.order();
      log.push(bytesIn(join(path, "log")));
      if (batch % (batches / SAMPLES) === 0) database.push(statSync(join(path, "data.mdb")).size);
    }

    // In the first samples all keys come to be, and the history fills.
    const [early, late] = [database.slice(2, 5), database.slice(-3)];
    expect(Math.max(...late), database.join()).to.be.at.most(1.05 * Math.max(...early));
    // A segment is written to its end before those in front of it go.
    expect(Math.max(...log)).to.be.at.most(3 * SEGMENT_BYTES);
  });
});
