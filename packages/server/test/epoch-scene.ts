import {
  type CheckpointCertificate,
  type EpochLink,
  epochNumber,
  epochOfFrame,
  type ReplicaFrame,
  replicaId,
  type SequenceNumber,
  timestampMs,
  type VerifiedBatch,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { CONFIGURATION_KEY } from "@quorate/reconfiguration";
import { Executor } from "@quorate/state-machine";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { raiseLog } from "../dist/raise-log.js";
import {
  changeOf,
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  genesis,
  hasher,
  seqOf,
  signerOf,
} from "./builders.ts";
import { echo, Scene } from "./runner-scene.ts";

/** Where epoch 0 ends: the change of number 2 is ordered with K = 8 and L = 16. */
export const FIRST_END = 24;
/** Where epoch 1 ends: that of number 26 with K = 4 and L = 8. */
export const SECOND_END = 36;
/** Primary in none of the epochs: that of epoch e, in view 0, is replica e. */
const SELF = 3;
const othersOf = (self: number): number[] => [0, 1, 2, 3].filter((id) => id !== self);

/** Not ordered by anyone yet. */
export const waiting: VerifiedRequest = clientOf("who waits").signRegistration({
  nonce: digestOf("waits"),
  lastValid: seqOf(100),
});
const ORDERED: ReadonlyMap<number, VerifiedBatch> = new Map([
  [2, batchWith(changeOf({ type: "parameters", checkpointInterval: 4, windowSize: 8 }, 0))],
  [25, batchWith(clientOf().signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(100) }))],
  [26, batchWith(changeOf({ type: "parameters", checkpointInterval: 8, windowSize: 16 }, 1))],
  [37, batchWith(clientOf("of 37").signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(100) }))],
]);
const NULL = composer.compose(timestampMs(0), []);

function batchWith(request: VerifiedRequest): VerifiedBatch {
  return composer.compose(timestampMs(1), [request]);
}
const batchOf = (seq: number): VerifiedBatch => ORDERED.get(seq) ?? NULL;

/** The epoch that a number belongs to. */
function epochAt(seq: number): ReturnType<typeof epochNumber> {
  if (seq <= FIRST_END) return epochNumber(0);
  return epochNumber(seq <= SECOND_END ? 1 : 2);
}
const intervalAt = (seq: number): number => (epochAt(seq) === 1 ? 4 : 8);

function executorOn(store: MemoryStore, upTo: number): Executor {
  const executor = new Executor({ genesis, cluster, service: echo, store, hasher, signer: signerOf(SELF) });
  for (let seq = 1; seq <= upTo; seq++) executor.execute(seqOf(seq), batchOf(seq));
  return executor;
}

/** What correct replicas come to. */
export const correct: Executor = executorOn(createMemoryStore(), 48);

const place = (seq: number) => ({ epoch: epochAt(seq), seq: seqOf(seq) });

/** By all but one. */
export function certificateAt(seq: number, self: number = SELF): CheckpointCertificate {
  const stateRoot = correct.checkpointRoot(seqOf(seq));
  if (stateRoot === undefined) throw new Error(`no checkpoint at ${seq}`);
  const claim = { ...place(seq), stateRoot };
  const signatures = othersOf(self).map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", ...claim }).signature,
  }));
  return { ...claim, signatures };
}

/** By members of epoch 0, of whatever number: their keys were stolen after it. */
export function stolenAt(seq: number): CheckpointCertificate {
  const claim = { epoch: epochNumber(0), seq: seqOf(seq), stateRoot: digestOf("made up") };
  const signatures = othersOf(SELF).map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", ...claim }).signature,
  }));
  return { ...claim, signatures };
}

/** The link of the chain that ends an epoch. */
function linkAt(seq: number): EpochLink {
  const snapshot = correct.snapshotAt(seqOf(seq));
  const record = snapshot?.get(CONFIGURATION_KEY);
  if (snapshot === undefined || record === undefined) throw new Error(`no state at ${seq}`);
  return { certificate: certificateAt(seq), record, proof: snapshot.prove(CONFIGURATION_KEY) };
}
/** To epoch 1, and to epoch 2. */
export const LINKS: readonly EpochLink[] = [linkAt(FIRST_END), linkAt(SECOND_END)];

function committed(seq: number, self: number): Extract<ReplicaFrame, { type: "committed" }> {
  const { batch, digest } = batchOf(seq);
  const commit = { ...place(seq), view: viewNumber(0), digest };
  const signatures = othersOf(self).map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "commit", ...commit }).signature,
  }));
  return { type: "committed", entry: { batch, certificate: { ...commit, signatures } } };
}

export function proposal(seq: number): ReplicaFrame {
  const { batch, digest } = batchOf(seq);
  const message = { type: "pre-prepare", ...place(seq), view: viewNumber(0), digest } as const;
  return { type: "pre-prepare", envelope: envelopeOf(epochAt(seq), message), batch };
}

/** Of its end, as if it had executed all below. */
export function statusOf(from: number, epoch: number): ReplicaFrame {
  const view = viewNumber(0);
  const status = {
    type: "status",
    epoch: epochNumber(epoch),
    view,
    executed: seqOf(FIRST_END),
    stable: seqOf(16),
    accepted: seqOf(FIRST_END),
    lacks: [],
    target: view,
    viewChangesOf: [],
    executionDigest: undefined,
  } as const;
  return { type: "signed", envelope: envelopeOf(from, status) };
}

export function fetchOf(from: number, first: number, last: number, forgedBy: number = from): ReplicaFrame {
  const message = { type: "fetch-committed", epoch: epochNumber(0), first: seqOf(first), last: seqOf(last) } as const;
  return { type: "signed", envelope: { ...envelopeOf(forgedBy, message), from: replicaId(from) } };
}

/** A state of an early number, below what the log calls stable, which is 16; `history` says whether that leads up to the end of epoch 0. */
export function storeBehind(history: "complete" | "empty", executed = 3): MemoryStore {
  const store = createMemoryStore();
  executorOn(store, executed);
  raiseLog(store, codec, certificateAt(16));
  for (let seq = executed + 1; seq <= FIRST_END && history === "complete"; seq++)
    store.history.put(seqOf(seq), codec.encodeCommittedEntry(committed(seq, SELF).entry));
  store.flush(() => undefined);
  while (store.disk.completeFlush());
  return store;
}

/** A replica on the way through the epochs, to which others say what they have decided. */
export class EpochScene extends Scene {
  readonly #id: number;

  constructor(store: MemoryStore = createMemoryStore(), self: number = SELF) {
    super(store, undefined, self);
    this.#id = self;
    this.start();
  }

  /** It learns what was decided, and of each checkpoint that it is certified; of the last one only if it is no end of an epoch. */
  reaches(upTo: number): this {
    for (let seq = this.runner.status.executed + 1; seq <= upTo; seq++) {
      this.hears(2, committed(seq, this.#id));
      this.flush();
      if (seq % intervalAt(seq) === 0 && seq < upTo) this.certifies(seq);
    }
    return this;
  }
  certifies(seq: SequenceNumber | number): this {
    this.hears(2, { type: "stable-checkpoint", checkpoint: certificateAt(seq, this.#id) });
    return this.flush();
  }
  /** It knows that its epoch is over, and has not begun the next one: what makes that durable is on its way. */
  turns(): this {
    this.hears(2, { type: "stable-checkpoint", checkpoint: certificateAt(FIRST_END, this.#id) });
    while (this.runner.epochs.epoch === 0 && this.store.disk.completeFlush());
    return this;
  }
  /** Through the end of epoch 0. */
  enters(): this {
    return this.reaches(FIRST_END).certifies(FIRST_END);
  }
  /** Others bring it the state that epoch 2 begins with. */
  installs(): this {
    for (let i = 0; i < 100 && this.runner.isInstalling; i++) this.receivesState(correct, SECOND_END).flush().turn();
    return this;
  }
  /** What it said of an epoch: types of frames, and of messages. */
  saidIn(epoch: number): string[] {
    return this.sent
      .filter((frame) => epochOfFrame(frame) === epoch)
      .map((frame) => (frame.type === "signed" ? frame.envelope.message.type : frame.type));
  }
  /** Cut off from its power: what was not flushed is lost. */
  crashed(): EpochScene {
    return new EpochScene(this.store.disk.crash());
  }
  /** To one peer. */
  saidTo(peer: number): ReplicaFrame[] {
    return this.sentTo.filter(([to]) => to === peer).map(([, frame]) => frame);
  }
}
