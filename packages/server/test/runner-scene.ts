import { sessionIdOf } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  requestNumber,
  type ServerFrame,
  stateChunkBytesMax,
  timestampMs,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import type { JudgedChange } from "@quorate/reconfiguration";
import { createReplicaKeys, ReplicaRunner, type StateDigests } from "@quorate/server/host";
import { Executor, type Service } from "@quorate/state-machine";
import { DEFAULT_DONOR_LIMITS, StateDonor } from "@quorate/state-transfer";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { raiseLog } from "../dist/raise-log.js";
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
  newVerifier,
  seedOf,
  seqOf,
  signerOf,
} from "./builders.ts";

/** A backup of view 0. */
const SELF = 1;
/** T: where its state is. */
export const EXECUTED = 3;
/** What its log calls stable: K. */
export const STABLE = 8;
/** As far as numbers go before 8 is followed by the next stable checkpoint. */
const LAST = 24;
/** As far as they go when many are ordered. */
const FAR = 200;

export const echo: Service = { execute: (operation) => operation };
const registration = clientOf().signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(100) });
const request = clientOf().signOperations({
  session: sessionIdOf(hasher, cluster, clientOf().publicKey, digestOf("nonce"), seqOf(1), 0),
  number: requestNumber(1),
  operations: [new TextEncoder().encode("done while it was away")],
});
const registrationOf = (client: string): VerifiedRequest =>
  clientOf(client).signRegistration({ nonce: digestOf(client), lastValid: seqOf(100) });
/** What each number ordered; nothing, unless said here: and nothing is what nobody proposes without a need. */
const ORDERED: Readonly<Record<number, VerifiedRequest>> = {
  1: registration,
  [STABLE + 1]: request,
  18: registrationOf("of 18"),
  21: registrationOf("of 21"),
  22: registrationOf("of 22"),
  23: registrationOf("of 23"),
  24: registrationOf("of 24"),
};
const batchOf = (seq: number): ReturnType<typeof composer.compose> => {
  const ordered = seq > LAST ? registrationOf(`of ${seq}`) : ORDERED[seq];
  return ordered === undefined ? composer.compose(timestampMs(0), []) : composer.compose(timestampMs(seq), [ordered]);
};

export function newExecutor(store: MemoryStore, id: number, upTo: number): Executor {
  const executor = new Executor({ genesis, cluster, service: echo, store, hasher, signer: signerOf(id) });
  for (let seq = 1; seq <= upTo; seq++) executor.execute(seqOf(seq), batchOf(seq));
  return executor;
}

export const digestsOf = (executor: Executor): StateDigests => ({
  stateRoot: executor.stateRoot(),
  historyDigest: executor.historyDigest,
});

/** What correct replicas come to. */
const correct = newExecutor(createMemoryStore(), 2, FAR);
const rootAt = (seq: number): CheckpointCertificate["stateRoot"] => correct.checkpointRoot(seqOf(seq))!;

const donor = new StateDonor({
  hasher,
  chunkBytesMax: stateChunkBytesMax(genesis.limits),
  limits: DEFAULT_DONOR_LIMITS,
});

export function certificateOf(
  seq: number,
  stateRoot: CheckpointCertificate["stateRoot"] = rootAt(seq),
): CheckpointCertificate {
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot }).signature,
  }));
  return { epoch, seq: seqOf(seq), stateRoot, signatures };
}

export function entryOf(seq: number): Uint8Array {
  return entryWith(seq, batchOf(seq).digest);
}

/** Its certificate is of another batch. */
export function forgedEntryOf(seq: number): Uint8Array {
  return entryWith(seq, digestOf("another batch"));
}

function entryWith(seq: number, digest: ReturnType<typeof digestOf>): Uint8Array {
  const { batch } = batchOf(seq);
  const place = { epoch, view: viewNumber(0), seq: seqOf(seq), digest };
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "commit", ...place }).signature,
  }));
  return codec.encodeCommittedEntry({ batch, certificate: { ...place, signatures } });
}

/** What a crash may leave of a replica that voted while its state was brought: a state below what the log calls stable. */
export function storeOf(
  history: { readonly first?: number; readonly last?: number } = {},
  stable: CheckpointCertificate = certificateOf(STABLE),
): MemoryStore {
  const store = createMemoryStore();
  newExecutor(store, SELF, EXECUTED);
  raiseLog(store, codec, stable);
  const { first = EXECUTED + 1, last = STABLE + 2 } = history;
  for (let seq = first; seq <= last; seq++) store.history.put(seqOf(seq), entryOf(seq));
  store.flush(() => undefined);
  while (store.disk.completeFlush());
  return store;
}

/** A runner over a memory store whose flushes and timers wait, and everything that it said. */
export class Scene {
  readonly runner: ReplicaRunner;
  readonly happened: string[] = [];
  readonly historyDigests: string[] = [];
  readonly changes: JudgedChange[] = [];
  readonly sent: ReplicaFrame[] = [];
  /** To one peer, and to whom. */
  readonly sentTo: (readonly [to: number, frame: ReplicaFrame])[] = [];
  readonly rejected: string[] = [];
  /** Its votes, and what of the store was not durable when they were sent. */
  readonly votes: string[] = [];
  readonly unflushedAtVotes: number[] = [];
  readonly toClients: ServerFrame[] = [];
  readonly timers: Map<string, () => void> = new Map();
  readonly store: MemoryStore;
  /** So much passes from one look at the clock to the next. */
  msPerLook = 0;
  nowMs = 1_000;
  /** What the timer of each name was started with last. */
  readonly afterMs: Map<string, number> = new Map();
  /** Who may answer it. */
  peers: readonly number[] = [0, 1, 2, 3];
  /** The keys that it holds. */
  readonly seeds: readonly Uint8Array[];
  #monotonicMs = 0;

  readonly self: number;

  constructor(
    store: MemoryStore,
    found: (store: MemoryStore) => ReplicaStore = (same): MemoryStore => same,
    self: number = SELF,
    seeds: readonly Uint8Array[] = [seedOf(`replica ${self}`)],
  ) {
    this.store = store;
    this.self = self;
    this.seeds = seeds;
    this.runner = new ReplicaRunner({
      genesis,
      cluster,
      service: echo,
      store: found(store),
      keys: createReplicaKeys({ backend, hasher, cluster, seeds: () => this.seeds }),
      verifier: newVerifier(),
      hasher,
      composer,
      codec,
      ports: {
        nowMs: () => this.nowMs,
        monotonicMs: () => (this.#monotonicMs += this.msPerLook),
        sendToReplica: (to, frame) => {
          this.sentTo.push([to, frame]);
          this.#onSent(frame);
        },
        sendToReplicas: (_to, frame) => this.#onSent(frame),
        sendToObservers: () => undefined,
        sendToClient: (_client, frame) => this.toClients.push(frame),
        startTimer: (timer, afterMs, fire) => {
          this.timers.set(timer, fire);
          this.afterMs.set(timer, afterMs);
        },
        cancelTimer: (timer) => this.timers.delete(timer),
      },
      observer: {
        onExecuted: ({ seq, historyDigest }) => {
          this.happened.push(`executed ${seq}`);
          this.historyDigests.push(historyDigest);
        },
        onChanges: (changes) => this.changes.push(...changes),
        onVoting: (seq) => this.happened.push(`voting ${seq}`),
        onLevel: ({ executed }) => this.happened.push(`level ${executed}`),
        onTransferStarted: ({ target, distrustsEntries }) =>
          this.happened.push(`transfer ${target.seq}${distrustsEntries ? ", distrusting" : ""}`),
        onTransferred: ({ target }) => this.happened.push(`transferred ${target}`),
        onQuarantined: (contradiction, { upTo }) =>
          this.happened.push(
            `quarantined by ${contradiction.by}${"seq" in contradiction ? ` ${contradiction.seq}` : ""}, up to ${upTo}`,
          ),
        onRepair: ({ attempt, pauseMs }) => this.happened.push(`repair ${attempt} after ${pauseMs}`),
        onHistoryDamaged: ({ message }) => this.happened.push(`damaged ${message}`),
        onEpoch: ({ epoch: begun, start }) => this.happened.push(`epoch ${begun} above ${start?.seq}`),
        onDispensable: () => this.happened.push("dispensable"),
        onMute: (mute) => mute === undefined && this.happened.push("mute no more"),
        onRejection: ({ code }) => this.rejected.push(code),
        onFatal: ({ message }) => this.happened.push(`fatal ${message}`),
      },
    });
  }

  start(): this {
    this.runner.start();
    return this;
  }

  /** What catching up or installing does next. */
  turn(): this {
    const fire = this.timers.get("install");
    this.timers.delete("install");
    fire?.();
    return this;
  }

  flush(): this {
    while (this.store.disk.completeFlush());
    return this;
  }

  hears(from: number, frame: ReplicaFrame): boolean {
    return this.runner.onReplicaFrame(from as ReplicaId, frame);
  }

  hearsVote(from: number, type: "prepare" | "commit", seq: number): boolean {
    const { digest } = batchOf(seq);
    const envelope = envelopeOf(from, { type, epoch, view: viewNumber(0), seq: seqOf(seq), digest });
    return this.hears(from, { type: "signed", envelope });
  }

  hearsProposal(seq: number): boolean {
    const { batch, digest } = batchOf(seq);
    const envelope = envelopeOf(0, { type: "pre-prepare", epoch, view: viewNumber(0), seq: seqOf(seq), digest });
    return this.hears(0, { type: "pre-prepare", envelope, batch });
  }

  /** It is proposed, prepared and committed, and where it is a checkpoint, that is certified. */
  decides(seq: number): void {
    this.hearsProposal(seq);
    for (const id of [2, 3]) this.hearsVote(id, "prepare", seq);
    for (const id of [0, 2, 3]) this.hearsVote(id, "commit", seq);
    this.flush();
    if (seq % genesis.checkpointInterval === 0)
      this.hears(2, { type: "stable-checkpoint", checkpoint: certificateOf(seq) });
  }

  /** A peer says that it has all but the votes for one number. */
  hearsWhoLacksVotes(seq: number): boolean {
    const view = viewNumber(0);
    const status = {
      type: "status",
      epoch,
      view,
      executed: seqOf(seq - 1),
      stable: seqOf(STABLE),
      accepted: seqOf(seq),
      lacks: [{ seq: seqOf(seq), prePrepare: false, prepares: true, commits: true }],
      target: view,
      viewChangesOf: [],
      executionDigest: undefined,
    } as const;
    return this.hears(2, { type: "signed", envelope: envelopeOf(2, status) });
  }

  /** A donor answers all that it has asked for of the state. */
  receivesState(of: Pick<Executor, "snapshotAt"> = correct, stable: number = STABLE): this {
    for (const frame of this.sent.splice(0)) {
      if (frame.type !== "fetch-state") continue;
      const { answer } = donor.answer(frame.fetch, (seq) => of.snapshotAt(seq), seqOf(stable), 0, replicaId(this.self));
      if (answer.type !== "chunk") throw new Error(answer.type);
      // Whom of them it has asked is not noted: of the others it takes nothing.
      for (const peer of this.peers.filter((id) => id !== this.self))
        this.hears(peer, { type: "state-chunk", chunk: answer.chunk });
    }
    return this;
  }

  /** A client asks for the reply to what it ordered. */
  hearsClient(): boolean {
    return this.runner.onClientFrame(request.request.client, { type: "request", request: request.request });
  }

  get transition(): string[] {
    return this.happened.filter((what) => !what.startsWith("executed"));
  }

  #onSent(frame: ReplicaFrame): void {
    this.sent.push(frame);
    if (frame.type !== "signed") return;
    const { message } = frame.envelope;
    if (message.type !== "prepare" && message.type !== "commit" && message.type !== "checkpoint") return;
    this.votes.push(`${message.type} ${message.seq}`);
    this.unflushedAtVotes.push(this.store.disk.unflushedLogGroups + this.store.disk.unflushedGroups);
  }
}

export const executed = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, n) => `executed ${first + n}`);
