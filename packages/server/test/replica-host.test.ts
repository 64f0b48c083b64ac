import { sessionIdOf } from "@quorate/crypto";
import {
  type Digest,
  digest,
  type Evidence,
  genesisMembership,
  type ReplicaFrame,
  replicaId,
  requestNumber,
  type ServerFrame,
  sessionId,
  timestampMs,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { type Departure, type HostSettings, ReplicaHost } from "@quorate/server/host";
import { Executor, type Service } from "@quorate/state-machine";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { writeQuarantine } from "../dist/quarantine-record.js";
import {
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  genesis,
  hasher,
  newEpochs,
  newVerifier,
  seqOf,
  signerOf,
  withDamageAt,
} from "./builders.ts";

const echo: Service = { execute: (operation) => operation };

/** A host over a memory store, and everything that it said. */
class Scene {
  readonly store: MemoryStore;
  readonly sent: ReplicaFrame[] = [];
  readonly toClients: ServerFrame[] = [];
  readonly fatal: Error[] = [];
  readonly rejected: string[] = [];
  readonly evidence: Evidence[] = [];
  readonly damages: string[] = [];
  readonly departures: Departure[] = [];
  readonly timers = new Map<string, () => void>();
  readonly host: ReplicaHost;

  constructor(
    id: number,
    store: MemoryStore = createMemoryStore(),
    found: (store: MemoryStore) => ReplicaStore = (same): MemoryStore => same,
    settings: Partial<HostSettings> = {},
  ) {
    this.store = store;
    this.host = new ReplicaHost(
      {
        genesis,
        cluster,
        service: echo,
        store: found(store),
        settings,
        signer: signerOf(id),
        verifier: newVerifier(),
        hasher,
        composer,
        codec,
        epochs: newEpochs(),
        ports: {
          nowMs: () => 1_000,
          monotonicMs: () => 0,
          sendToReplica: (_to, frame) => this.sent.push(frame),
          sendToReplicas: (_to, frame) => this.sent.push(frame),
          sendToObservers: () => undefined,
          sendToClient: (_client, frame) => this.toClients.push(frame),
          startTimer: (timer, _afterMs, fire) => this.timers.set(timer, fire),
          cancelTimer: (timer) => this.timers.delete(timer),
        },
        observer: {
          onFatal: (error) => this.fatal.push(error),
          onEvidence: (evidence) => this.evidence.push(evidence),
          onHistoryDamaged: ({ message }) => this.damages.push(message),
          onRejection: ({ code }) => this.rejected.push(code),
        },
      },
      (departure) => this.departures.push(departure),
    );
    this.host.start();
  }

  request(): boolean {
    const { request } = registration;
    return this.host.onClientRequest(request.client, request);
  }
  get spoken(): string[] {
    return this.sent.map((frame) => (frame.type === "signed" ? frame.envelope.message.type : frame.type));
  }
}

const registration = clientOf().signRegistration({ nonce: digestOf("nonce"), lastValid: seqOf(100) });

/** A request of half a megabyte. */
function largeOf(label: string, number: number, session = sessionId(digestOf(label))): VerifiedRequest {
  const operations = [new Uint8Array(genesis.limits.requestBytesMax)];
  return clientOf(label).signOperations({ session, number: requestNumber(number), operations });
}

/** A committed batch. */
function entryOf(seq: number, ...requests: VerifiedRequest[]): ReplicaFrame {
  const { batch, digest } = composer.compose(timestampMs(seq), requests);
  const place = { epoch: genesisMembership(genesis).epoch, view: viewNumber(0), seq: seqOf(seq), digest };
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "commit", ...place }).signature,
  }));
  return { type: "committed", entry: { batch, certificate: { ...place, signatures } } };
}

function statusOf(id: number, executed: number, executionDigest?: Digest): ReplicaFrame {
  const view = viewNumber(0);
  const envelope = signerOf(id).sign({
    ...{ type: "status", epoch: genesisMembership(genesis).epoch, view, target: view },
    ...{ executed: seqOf(executed), accepted: seqOf(executed), stable: seqOf(0), executionDigest },
    ...{ lacks: [], viewChangesOf: [] },
  } as const);
  return { type: "signed", envelope };
}

const statementsIn = (frames: readonly ServerFrame[]): number[] =>
  frames.flatMap((frame) => (frame.type === "reply" ? [frame.reply.statement.seq] : []));

const largeEntry = (seq: number): ReplicaFrame => entryOf(seq, largeOf("a", seq), largeOf("b", seq));

describe("ReplicaHost", () => {
  it("a primary says its proposal when it is flushed, and not before", () => {
    const scene = new Scene(0);
    scene.request();
    expect(scene.spoken, "before the flush").to.deep.equal(["status"]);
    scene.store.disk.completeFlush();
    expect(scene.spoken, "after it").to.deep.equal(["status", "pre-prepare"]);
  });

  it("what finds the bound of messages behind a flush is counted and not sent; afterwards it speaks on", () => {
    const scene = new Scene(0, createMemoryStore(), (same) => same, { gatedMessagesMax: 2 });
    scene.request();
    for (let ticks = 0; ticks < 5; ticks++) scene.timers.get("status")?.();
    const fill = scene.host.fills.find(({ of }) => of === "gated messages");
    expect([fill?.size, fill?.max]).to.deep.equal([2, 2]);
    expect(new Set(scene.rejected)).to.deep.equal(new Set(["gate.full"]));

    scene.store.disk.completeFlush();
    expect(scene.spoken).to.deep.equal(["status", "pre-prepare", "status"]);
    scene.timers.get("status")?.();
    expect(scene.spoken).to.have.lengthOf.above(3);
    expect(scene.fatal).to.deep.equal([]);
  });

  it("a failed flush ends it once, and nothing is said any more", () => {
    const scene = new Scene(0);
    scene.request();
    scene.store.disk.failNextFlush();
    scene.store.disk.completeFlush();
    expect(scene.fatal, "told once").to.have.length(1);
    const said = scene.sent.length;
    scene.timers.get("status")?.();
    scene.request();
    scene.host.onReplicaFrame(replicaId(2), { type: "request", request: registration.request });
    while (scene.store.disk.completeFlush());
    expect([scene.sent.length, scene.toClients, scene.fatal.length]).to.deep.equal([said, [], 1]);
  });

  it("after a stop nothing happens", () => {
    const scene = new Scene(0);
    scene.request();
    scene.host.stop();
    scene.store.disk.completeFlush();
    expect([scene.spoken, scene.fatal]).to.deep.equal([["status"], []]);
  });

  it("after a power cut a primary says the proposal that was flushed again, byte for byte", () => {
    const before = new Scene(0);
    before.request();
    before.store.disk.completeFlush();
    const said = before.sent.find((frame) => frame.type === "pre-prepare");
    const after = new Scene(0, before.store.disk.crash());
    const lacks = [{ seq: seqOf(1), prePrepare: true, prepares: true, commits: true }];
    const { epoch, view } = before.host.welcome() as Extract<ServerFrame, { type: "welcome" }>;
    const status = {
      type: "status",
      epoch,
      view,
      executed: seqOf(0),
      stable: seqOf(0),
      accepted: seqOf(0),
      lacks,
      target: view,
      viewChangesOf: [],
      executionDigest: undefined,
    } as const;
    after.host.onReplicaFrame(replicaId(2), { type: "signed", envelope: envelopeOf(2, status) });
    expect(after.sent.find((frame) => frame.type === "pre-prepare")).to.deep.equal(said);
  });

  it("a proposal that was not flushed is gone with the power, and was never said", () => {
    const before = new Scene(0);
    before.request();
    const after = new Scene(0, before.store.disk.crash());
    expect([before.spoken, after.host.status.executed, after.spoken]).to.deep.equal([["status"], 0, ["status"]]);
  });

  it("a crash between a checkpoint and its certificate loses no vote", () => {
    const store = createMemoryStore();
    const executor = new Executor({
      genesis,
      cluster,
      service: echo,
      store,
      hasher,
      signer: signerOf(1),
    });
    const nullBatch = composer.compose(timestampMs(0), []);
    for (let seq = 1; seq <= genesis.checkpointInterval; seq++) executor.execute(seqOf(seq), nullBatch);
    store.flush(() => undefined);
    while (store.disk.completeFlush());

    const scene = new Scene(1, store);
    expect(scene.spoken).to.include("checkpoint");

    const again = new Scene(1, store.disk.crash());
    expect(again.spoken, "nor does the next").to.include("checkpoint");
    const [first, second] = [scene, again].map(({ sent, spoken }) => sent[spoken.indexOf("checkpoint")]);
    expect(second, "the same bytes").to.deep.equal(first);
  });

  it("what was executed waits for no disk, but a checkpoint is signed when all up to it is durable", () => {
    const scene = new Scene(1);
    const last = genesis.checkpointInterval;
    for (let seq = 1; seq < last; seq++) scene.host.onReplicaFrame(replicaId(2), largeEntry(seq));
    expect([scene.host.status.executed, scene.store.disk.completionsWaiting]).to.deep.equal([last - 1, 0]);
    expect(scene.store.disk.unflushedGroups, "lazily written").to.be.above(0);
    scene.host.onReplicaFrame(replicaId(2), largeEntry(last));
    scene.store.disk.completeFlush();
    expect(scene.spoken, "the log is durable").to.not.include("checkpoint");
    scene.store.disk.completeFlush();
    expect(scene.spoken, "the state is durable").to.include("checkpoint");
    const after = new Scene(1, scene.store.disk.crash());
    expect(after.host.status.executed).to.equal(last);
  });

  it("a crash takes executed batches that were not committed to the disk, and executing them again gives the same", () => {
    const before = new Scene(1);
    for (let seq = 1; seq <= 3; seq++) before.host.onReplicaFrame(replicaId(2), largeEntry(seq));
    expect(before.host.status.executed).to.equal(3);
    const half = before.store.disk.unflushedGroups / 3;
    const after = new Scene(1, before.store.disk.crash({ rest: half }));
    expect(after.host.status.executed).to.equal(1);
    const { executed } = after.host.welcome() as Extract<ServerFrame, { type: "welcome" }>;
    expect(executed).to.equal(1);
    for (let seq = 2; seq <= 3; seq++) after.host.onReplicaFrame(replicaId(2), largeEntry(seq));
    expect(after.host.stateDigests).to.deep.equal(before.host.stateDigests);
  });

  it("a crash takes what it had fetched, executed and answered; one that is found to be wrong after it is silent of that all the same (protocol rule 9.5)", () => {
    const before = new Scene(1);
    for (let seq = 1; seq <= 3; seq++) before.host.onReplicaFrame(replicaId(2), largeEntry(seq));
    before.host.onReplicaFrame(replicaId(2), entryOf(4, registration));
    expect(statementsIn(before.toClients).at(-1), "it has spoken of them").to.equal(4);

    // Two more contradict it at the first number than are faulty, before it is told of the others again.
    const after = new Scene(1, before.store.disk.crash());
    for (const id of [2, 3]) after.host.onReplicaFrame(replicaId(id), statusOf(id, 1, digestOf("another")));
    after.host.onReplicaFrame(replicaId(2), largeEntry(1));

    const [departure] = after.departures;
    expect(departure?.quarantine?.upTo).to.equal(1);
    expect(departure?.quarantine?.statementsUpTo).to.be.at.least(4);
  });

  it("says what it executes beyond its window once that is durable, and nothing of it that a crash may take (protocol rule 9.5)", () => {
    const { windowSize } = genesis;
    const requests = Array.from({ length: windowSize + 3 }, (_, i) =>
      clientOf().signRegistration({ nonce: digestOf(`nonce ${i}`), lastValid: seqOf(100) }),
    );
    /** What is above the window comes only where it was asked for. */
    const fetched = (scene: Scene): Scene => {
      scene.host.onReplicaFrame(replicaId(2), statusOf(2, 100));
      for (const [i, request] of requests.entries()) scene.host.onReplicaFrame(replicaId(2), entryOf(i + 1, request));
      expect(scene.host.status).to.include({ executed: windowSize + 3, lowWatermark: 0 });
      return scene;
    };
    const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);
    const asked = (scene: Scene): void => {
      for (const { request } of requests.slice(-2)) scene.host.onClientRequest(request.client, request);
    };

    const scene = fetched(new Scene(1));
    asked(scene);
    expect(statementsIn(scene.toClients)).to.deep.equal(upTo(windowSize));

    const again = fetched(new Scene(1, scene.store.disk.crash()));
    expect(statementsIn(again.toClients), "nothing that the first life had said is missing").to.deep.equal(
      upTo(windowSize),
    );
    while (again.store.disk.completeFlush());
    expect(statementsIn(again.toClients)).to.deep.equal(upTo(windowSize + 3));
    asked(again);
    expect(statementsIn(again.toClients).slice(-2), "durable").to.deep.equal([windowSize + 2, windowSize + 3]);

    const third = new Scene(1, again.store.disk.crash());
    expect(third.host.status.executed).to.equal(windowSize + 3);
    asked(third);
    expect(statementsIn(third.toClients)).to.deep.equal([windowSize + 2, windowSize + 3]);
  });

  it("after a quarantine it answers nobody of what it may have said before, up to the end of the window that it had", () => {
    const store = createMemoryStore();
    writeQuarantine(store.local, { upTo: seqOf(1), statementsUpTo: seqOf(3), attempts: 0, isWaiting: false });
    const scene = new Scene(1, store);
    for (let seq = 1; seq <= 4; seq++) {
      const nonce = digestOf(`nonce ${seq}`);
      const request = clientOf().signRegistration({ nonce, lastValid: seqOf(100) });
      scene.host.onReplicaFrame(replicaId(2), entryOf(seq, request));
      scene.host.onClientRequest(request.request.client, request.request);
    }

    expect(scene.host.status.executed).to.equal(4);
    expect(statementsIn(scene.toClients).filter((seq) => seq < 4)).to.deep.equal([]);
    expect(statementsIn(scene.toClients)).to.include(4);
  });

  it("a peer that asks for everything again and again gets its share of bytes and no more (protocol rule 13.1)", () => {
    const scene = new Scene(1);
    const last = genesis.checkpointInterval;
    for (let seq = 1; seq <= last; seq++)
      scene.host.onReplicaFrame(replicaId(2), entryOf(seq, largeOf("a", seq), largeOf("b", seq)));
    expect(scene.host.status.executed).to.equal(last);
    const { epoch } = genesisMembership(genesis);
    const envelope = envelopeOf(3, { type: "fetch-committed", epoch, first: seqOf(1), last: seqOf(last) });
    for (let i = 0; i < 8; i++) scene.host.onReplicaFrame(replicaId(3), { type: "signed", envelope });

    expect(scene.spoken.filter((type) => type === "committed")).to.have.lengthOf.within(24, 32);
  });

  it("a damaged entry of the history ends no replica and is no gap: what lies before is given (protocol rule 8.4)", () => {
    const scene = new Scene(1, createMemoryStore(), (store) => withDamageAt(new Set([5]), store));
    const last = genesis.checkpointInterval;
    for (let seq = 1; seq <= last; seq++) scene.host.onReplicaFrame(replicaId(2), entryOf(seq, largeOf("a", seq)));
    while (scene.store.disk.completeFlush());
    const stable = {
      epoch: genesisMembership(genesis).epoch,
      seq: seqOf(last),
      stateRoot: scene.host.stateDigests!.stateRoot,
    };
    for (const id of [0, 2, 3]) {
      const message = { type: "checkpoint", ...stable, stateRoot: digest(stable.stateRoot) } as const;
      scene.host.onReplicaFrame(replicaId(id), { type: "signed", envelope: envelopeOf(id, message) });
    }
    while (scene.store.disk.completeFlush());
    expect(scene.host.status.lowWatermark, "below-history would be said").to.equal(last);
    scene.rejected.length = 0;
    const ask = (first: number): string[] => {
      const before = scene.spoken.length;
      const message = { type: "fetch-committed", epoch: stable.epoch, first: seqOf(first), last: seqOf(last) } as const;
      scene.host.onReplicaFrame(replicaId(3), { type: "signed", envelope: envelopeOf(3, message) });
      return scene.spoken.slice(before);
    };

    expect([ask(1), ask(5), ask(6)]).to.deep.equal([Array(4).fill("committed"), [], Array(3).fill("committed")]);
    expect(scene.rejected, "counted each time").to.deep.equal(["history.damaged", "history.damaged"]);
    expect(scene.damages, "told once").to.deep.equal(["history entry 5"]);
    expect(scene.fatal).to.deep.equal([]);
  });

  it("a client that asks for a large reply again and again gets its share and no more (protocol rule 13.1)", () => {
    const scene = new Scene(1);
    const { publicKey } = clientOf();
    const session = sessionIdOf(hasher, cluster, publicKey, digestOf("nonce"), seqOf(1), 0);
    const large = largeOf("client", 1, session);
    scene.host.onReplicaFrame(replicaId(2), entryOf(1, registration));
    scene.host.onReplicaFrame(replicaId(2), entryOf(2, large));
    scene.toClients.length = 0;
    for (let i = 0; i < 50; i++) scene.host.onClientRequest(publicKey, large.request);

    expect(scene.toClients.map(({ type }) => type)).to.deep.equal(Array(16).fill("reply"));
  });

  it("of one client only a share of requests is looked at, bad signatures or not (protocol rule 13.1)", () => {
    const scene = new Scene(1);
    const forged = { ...registration.request, signature: new Uint8Array(64) };
    const { client } = forged;
    const verdicts = Array.from({ length: 4_100 }, () => scene.host.onClientRequest(client, forged));

    expect(verdicts.filter((isCorrect) => !isCorrect)).to.have.length(4_000);
    expect(scene.rejected.slice(-100)).to.deep.equal(Array(100).fill("ingress.over-budget"));
  });

  it("tells of one contradiction once, however often it is made and whether the process is the same", () => {
    const contradict = ({ host }: Scene): void => {
      for (const root of ["a", "b", "b"])
        host.onReplicaFrame(replicaId(2), {
          type: "signed",
          envelope: envelopeOf(2, {
            type: "checkpoint",
            epoch: genesisMembership(genesis).epoch,
            seq: seqOf(8),
            stateRoot: digestOf(root),
          }),
        });
    };
    const scene = new Scene(1);
    contradict(scene);
    const restarted = new Scene(1, scene.store);
    contradict(restarted);

    expect([scene.evidence.length, restarted.evidence.length]).to.deep.equal([1, 0]);
    expect(restarted.host.evidenceCount).to.equal(1);
  });

  it("junk from a replica is told apart from what a correct one may send", () => {
    const { host } = new Scene(1);
    const { request } = registration;
    const forged = { ...request, signature: new Uint8Array(64) };
    expect(host.onReplicaFrame(replicaId(2), { type: "request", request: forged }), "forged").to.equal(false);
    expect(host.onReplicaFrame(replicaId(2), { type: "request", request }), "good").to.equal(true);
  });

  it("a client that sends what no correct one sends is to be disconnected", () => {
    const { host } = new Scene(1);
    const other = clientOf("other").signOperations({
      session: sessionId(digestOf("s")),
      number: requestNumber(1),
      operations: [new Uint8Array(1)],
    });
    const { client } = registration.request;
    expect(host.onClientRequest(client, other.request), "another's").to.equal(false);
    expect(host.onClientRequest(client, registration.request), "own").to.equal(true);
  });
});
