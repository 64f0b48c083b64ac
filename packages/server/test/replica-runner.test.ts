import { sessionIdOf } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type ReplicaFrame,
  replicaId,
  requestNumber,
  type ServerFrame,
  stateChunkBytesMax,
  timestampMs,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { ReplicaRunner, type StateDigests } from "@quorate/server/host";
import { Executor, type Service } from "@quorate/state-machine";
import { DEFAULT_DONOR_LIMITS, StateDonor } from "@quorate/state-transfer";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { readInstallation } from "../dist/installation-record.js";
import { readQuarantine } from "../dist/quarantine-record.js";
import { raiseLog } from "../dist/raise-log.js";
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
  newVerifier,
  seqOf,
  signerOf,
  withDamageAt,
} from "./builders.ts";

/** A backup of view 0. */
const SELF = 1;
/** T: where its state is. */
const EXECUTED = 3;
/** What its log calls stable: K. */
const STABLE = 8;
/** As far as numbers go before 8 is followed by the next stable checkpoint. */
const LAST = 24;

const echo: Service = { execute: (operation) => operation };
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
};
const batchOf = (seq: number): ReturnType<typeof composer.compose> => {
  const ordered = ORDERED[seq];
  return ordered === undefined ? composer.compose(timestampMs(0), []) : composer.compose(timestampMs(seq), [ordered]);
};

function newExecutor(store: MemoryStore, id: number, upTo: number): Executor {
  const executor = new Executor({ genesis, cluster, membership, service: echo, store, hasher, signer: signerOf(id) });
  for (let seq = 1; seq <= upTo; seq++) executor.execute(seqOf(seq), batchOf(seq));
  return executor;
}

const digestsOf = (executor: Executor): StateDigests => ({
  stateRoot: executor.stateRoot(),
  historyDigest: executor.historyDigest,
});

/** What correct replicas come to. */
const correct = newExecutor(createMemoryStore(), 2, LAST);
const rootAt = (seq: number): CheckpointCertificate["stateRoot"] => correct.checkpointRoot(seqOf(seq))!;

const donor = new StateDonor({
  hasher,
  chunkBytesMax: stateChunkBytesMax(genesis.limits),
  limits: DEFAULT_DONOR_LIMITS,
});

function certificateOf(seq: number, stateRoot = rootAt(seq)): CheckpointCertificate {
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot }).signature,
  }));
  return { epoch, seq: seqOf(seq), stateRoot, signatures };
}

function entryOf(seq: number): Uint8Array {
  const { batch, digest } = batchOf(seq);
  const place = { epoch, view: viewNumber(0), seq: seqOf(seq), digest };
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "commit", ...place }).signature,
  }));
  return codec.encodeCommittedEntry({ batch, certificate: { ...place, signatures } });
}

/** What a crash may leave of a replica that voted while its state was brought: a state below what the log calls stable. */
function storeOf(
  history: { readonly first?: number; readonly last?: number } = {},
  stable = certificateOf(STABLE),
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
class Scene {
  readonly runner: ReplicaRunner;
  readonly happened: string[] = [];
  readonly historyDigests: string[] = [];
  readonly sent: ReplicaFrame[] = [];
  /** Its votes, and what of the store was not durable when they were sent. */
  readonly votes: string[] = [];
  readonly unflushedAtVotes: number[] = [];
  readonly toClients: ServerFrame[] = [];
  readonly timers = new Map<string, () => void>();
  readonly store: MemoryStore;
  /** So much passes from one look at the clock to the next. */
  msPerLook = 0;
  #monotonicMs = 0;

  constructor(store: MemoryStore, found: (store: MemoryStore) => ReplicaStore = (same): MemoryStore => same) {
    this.store = store;
    this.runner = new ReplicaRunner({
      genesis,
      cluster,
      service: echo,
      store: found(store),
      signer: signerOf(SELF),
      checkpointSigner: clientOf("member"),
      verifier: newVerifier(),
      hasher,
      composer,
      codec,
      ports: {
        nowMs: () => 1_000,
        monotonicMs: () => (this.#monotonicMs += this.msPerLook),
        sendToReplica: (_to, frame) => this.#onSent(frame),
        sendToReplicas: (_to, frame) => this.#onSent(frame),
        sendToClient: (_client, frame) => this.toClients.push(frame),
        startTimer: (timer, _afterMs, fire) => this.timers.set(timer, fire),
        cancelTimer: (timer) => this.timers.delete(timer),
      },
      observer: {
        onExecuted: ({ seq, historyDigest }) => {
          this.happened.push(`executed ${seq}`);
          this.historyDigests.push(historyDigest);
        },
        onVoting: (seq) => this.happened.push(`voting ${seq}`),
        onLevel: ({ executed }) => this.happened.push(`level ${executed}`),
        onTransferStarted: ({ target, distrustsEntries }) =>
          this.happened.push(`transfer ${target.seq}${distrustsEntries ? ", distrusting" : ""}`),
        onTransferred: ({ target }) => this.happened.push(`transferred ${target}`),
        onQuarantined: (contradiction, { upTo }) =>
          this.happened.push(
            `quarantined by ${contradiction.by}${"seq" in contradiction ? ` ${contradiction.seq}` : ""}, up to ${upTo}`,
          ),
        onHistoryDamaged: ({ message }) => this.happened.push(`damaged ${message}`),
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
    return this.runner.onReplicaFrame(replicaId(from), frame);
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
  receivesState(): this {
    for (const frame of this.sent.splice(0)) {
      if (frame.type !== "fetch-state") continue;
      const { answer } = donor.answer(frame.fetch, (seq) => correct.snapshotAt(seq), seqOf(STABLE), 0, replicaId(SELF));
      if (answer.type !== "chunk") throw new Error(answer.type);
      // Whom of them it has asked is not noted: of the others it takes nothing.
      for (const peer of [0, 2, 3]) this.hears(peer, { type: "state-chunk", chunk: answer.chunk });
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

const executed = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, n) => `executed ${first + n}`);

describe("a replica runner whose state is below what its log calls stable (protocol rule 10.2)", () => {
  it("votes at once, executes what the history has, and is a host with its state afterwards", () => {
    const scene = new Scene(storeOf()).start();
    expect([scene.runner.isInstalling, scene.happened]).to.deep.equal([true, ["voting 8"]]);
    scene.hearsClient();
    expect(scene.toClients, "without the state nobody is answered").to.deep.equal([]);

    scene.turn();
    expect(scene.happened, "before the flush").to.deep.equal(["voting 8", ...executed(4, 10)]);
    scene.flush();
    expect(scene.happened.slice(-1)).to.deep.equal(["level 10"]);
    const expected = newExecutor(createMemoryStore(), 2, 10);
    expect(scene.historyDigests.at(-1)).to.equal(expected.historyDigest);
    expect(scene.runner.stateDigests).to.deep.equal(digestsOf(expected));
    expect([scene.runner.isInstalling, scene.runner.transfer, scene.timers.has("install")]).to.deep.equal([
      false,
      undefined,
      false,
    ]);
    scene.hearsClient();
    expect(scene.toClients.map(({ type }) => type)).to.deep.equal(["reply"]);
    expect(scene.happened.slice(-1), "nothing twice").to.deep.equal(["level 10"]);
  });

  it("executes what is decided meanwhile as well, and in turns: votes come in between", () => {
    const scene = new Scene(storeOf({ last: 20 })).start();
    scene.turn();
    expect(scene.happened, "a turn has an end").to.deep.equal(["voting 8", ...executed(4, 19)]);
    scene.hearsProposal(21);
    for (const id of [2, 3]) scene.hearsVote(id, "prepare", 21);
    for (const id of [0, 2, 3]) scene.hearsVote(id, "commit", 21);
    scene.flush();
    expect([scene.runner.status.executed, scene.votes]).to.deep.equal([21, ["prepare 21", "commit 21"]]);
    scene.turn().flush();
    expect(scene.happened.slice(-3)).to.deep.equal(["executed 20", "executed 21", "level 21"]);
  });

  it("no turn is long, however slow execution is", () => {
    const scene = new Scene(storeOf()).start();
    scene.msPerLook = 6;
    scene.turn();
    expect(scene.happened).to.deep.equal(["voting 8", "executed 4"]);
    for (let i = 0; i < 7; i++) scene.turn();
    expect(scene.happened.slice(-1)).to.deep.equal(["executed 10"]);
    scene.flush();
    expect(scene.happened.slice(-1)).to.deep.equal(["level 10"]);
  });

  it("speaks of nothing that the host before it has left in memory: all is durable first (protocol rule 8.1)", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    const { disk } = scene.store;
    scene.hearsProposal(18);
    for (const id of [2, 3]) scene.hearsVote(id, "prepare", 18);
    expect([disk.unflushedLogGroups, disk.completionsWaiting, scene.votes], "a flush is held back").to.deep.equal([
      2,
      1,
      [],
    ]);

    scene.turn();
    scene.hearsWhoLacksVotes(18);
    expect(scene.votes, "level but for the disk").to.deep.equal([]);
    expect(scene.happened.slice(-1)).to.deep.equal(["executed 17"]);
    let completed = 0;
    for (; scene.runner.isInstalling; completed++) {
      expect(scene.hearsWhoLacksVotes(18)).to.equal(true);
      expect(scene.votes, `after ${completed} flushes`).to.deep.equal([]);
      expect(disk.completeFlush(), "it waits for a flush").to.equal(true);
    }
    expect(completed).to.be.above(0);
    expect(scene.happened.slice(-1)).to.deep.equal(["level 17"]);
    expect(scene.votes, "of its own accord").to.deep.equal(["checkpoint 16"]);
    scene.hearsWhoLacksVotes(18);
    expect(scene.votes.slice(1), "when asked").to.deep.equal(["checkpoint 16", "prepare 18", "commit 18"]);
    expect(scene.unflushedAtVotes, "what it spoke of was durable").to.deep.equal([0, 0, 0, 0]);
  });

  it("a failed flush at the end is the end: nothing is said of what it covered", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    scene.hearsProposal(18);
    scene.turn();
    scene.store.disk.failNextFlush();
    scene.flush();
    expect(scene.happened.filter((what) => what.startsWith("fatal"))).to.have.lengthOf(1);
    scene.hearsWhoLacksVotes(18);
    expect([scene.votes, scene.runner.isInstalling]).to.deep.equal([[], true]);
  });

  it("a stop before that flush is the end as well", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    scene.hearsProposal(18);
    scene.turn();
    scene.runner.stop();
    scene.flush();
    scene.hearsWhoLacksVotes(18);
    expect([scene.votes, scene.transition]).to.deep.equal([[], ["voting 8"]]);
  });

  it("ends in quarantine where it comes to another state than a quorum vouches for", () => {
    const forged = certificateOf(STABLE, digestOf("another state"));
    const scene = new Scene(storeOf({}, forged)).start().turn();
    expect(scene.happened).to.deep.equal([
      "voting 8",
      ...executed(4, 8),
      "quarantined by certificate 8, up to 8",
      "transfer 8, distrusting",
    ]);
    expect(readQuarantine(scene.store.local)).to.deep.equal({ upTo: 8, attempts: 1, isWaiting: false });
    scene.flush();
    expect([scene.votes, scene.runner.isInstalling, scene.runner.stateDigests]).to.deep.equal([[], true, undefined]);
  });

  for (const isContradicted of [false, true])
    it(`compares with what is certified after it was executed${isContradicted ? "" : ", which is no harm"}`, () => {
      const scene = new Scene(storeOf({ last: 21 })).start().turn();
      expect(scene.happened.slice(-1), "16 is executed, 21 is not").to.deep.equal(["executed 19"]);
      const checkpoint = isContradicted ? certificateOf(16, digestOf("another state")) : certificateOf(16);
      expect(scene.hears(2, { type: "stable-checkpoint", checkpoint })).to.equal(true);
      scene.flush();
      expect(scene.transition, "s moves").to.deep.equal(["voting 8", "voting 16"]);
      scene.turn().flush();
      expect(scene.transition.slice(2)).to.deep.equal(
        isContradicted ? ["quarantined by certificate 16, up to 21", "transfer 16, distrusting"] : ["level 21"],
      );
    });

  for (const seq of [EXECUTED + 1, STABLE])
    it(`installs what it votes on where entry ${seq} of the history, not above it, is damaged`, () => {
      const scene = new Scene(storeOf(), (store) => withDamageAt(new Set([seq]), store)).start().turn();
      expect(scene.happened).to.deep.equal([
        "voting 8",
        ...executed(EXECUTED + 1, seq - 1),
        `damaged history entry ${seq}`,
        "transfer 8",
      ]);
      expect(readInstallation(scene.store.local, codec)).to.deep.include({ distrustsEntries: false });
      for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
      expect(scene.transition.slice(-2), "and goes on from there").to.deep.equal(["transferred 8", "level 10"]);
    });

  it("a damaged entry above that is the end: no state of others stands for it", () => {
    const above = new Set([STABLE + 1]);
    expect(() => new Scene(storeOf(), (store) => withDamageAt(above, store)), "at the start").to.throw("entry 9");

    const damaged = new Set<number>();
    const scene = new Scene(storeOf({ last: 17 }), (store) => withDamageAt(damaged, store)).start();
    damaged.add(STABLE + 1);
    scene.turn();
    expect(scene.happened.slice(-1), "later").to.deep.equal(["fatal history entry 9"]);
    const said = scene.sent.length;
    scene.timers.get("status")?.();
    scene.hearsProposal(18);
    scene.flush().turn();
    expect([scene.sent.length, scene.happened.slice(-1)]).to.deep.equal([said, ["fatal history entry 9"]]);
  });

  for (const { what, first, last } of [
    { what: "is empty", first: 1, last: 0 },
    { what: "begins too late", first: EXECUTED + 2, last: STABLE + 2 },
    { what: "ends too early", first: EXECUTED + 1, last: STABLE - 1 },
  ])
    it(`installs what its log calls stable, without distrust, if its history ${what}`, () => {
      const scene = new Scene(storeOf({ first, last })).start();
      expect(readInstallation(scene.store.local, codec)).to.deep.equal({
        target: certificateOf(STABLE),
        distrustsEntries: false,
      });
      for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
      const expected = newExecutor(createMemoryStore(), 2, Math.max(STABLE, last));
      expect(scene.runner.stateDigests).to.deep.equal(digestsOf(expected));
      expect(scene.transition).to.deep.equal(["voting 8", "transferred 8", `level ${Math.max(STABLE, last)}`]);
    });
});
