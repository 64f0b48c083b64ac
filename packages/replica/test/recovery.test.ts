import { type Digest, type ReplicaMessage, timestampMs, viewNumber } from "@quorate/protocol";
import { recover, type VerifiedLogRecord } from "@quorate/replica";
import { expect } from "chai";
import { assert, integer, property, record } from "fast-check";
import {
  Cluster,
  composer,
  digestOf,
  envelopeOf,
  genesisBase,
  K,
  Node,
  type Packet,
  requestOf,
  seqOf,
  signerOf,
  verifier,
} from "./builders.ts";
import { batchOf, claimOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const place = { epoch: genesisBase.membership.epoch, view: viewNumber(0), seq: seqOf(1) };
/** The record of what prepared at number 1. */
function preparedOf(digest: Digest): Extract<VerifiedLogRecord, { type: "prepared" }> {
  const prePrepare = envelopeOf(0, { type: "pre-prepare", ...place, digest });
  const prepares = [1, 2].map((from) => envelopeOf(from, { type: "prepare", ...place, digest }));
  const certificate = verifier.verifyPreparedCertificate({ prePrepare, prepares }, genesisBase.membership);
  if (certificate === undefined) throw new Error("the certificate does not verify");
  return { type: "prepared", certificate, prepares };
}

/** Everything one replica ever signed as a vote, by its place: two contents at one place would be equivocation. */
class Promises {
  readonly #said = new Map<string, string>();

  hear({ from, frame }: Packet): void {
    if (frame.type !== "signed" && frame.type !== "pre-prepare") return;
    const { message } = frame.envelope;
    const place = placeOf(message);
    if (place === undefined || frame.envelope.from !== from) return;
    const content = JSON.stringify(message);
    const before = this.#said.get(`${from} ${place}`);
    expect(before ?? content, `replica ${from}, ${place}`).to.equal(content);
    this.#said.set(`${from} ${place}`, content);
  }
  get count(): number {
    return this.#said.size;
  }
}

function placeOf(message: ReplicaMessage): string | undefined {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return `${message.type} ${message.view} ${message.seq}`;
    case "checkpoint":
      return `checkpoint ${message.seq}`;
    default:
      return undefined;
  }
}

/** A cluster whose replicas crash and come back, with every vote on record. */
class CrashingCluster extends Cluster {
  readonly promises = new Promises();
  readonly #order: () => number;

  constructor(order: () => number) {
    super();
    this.#order = order;
  }
  /** Delivers one packet of those on their way, whichever. */
  step(): void {
    const at = this.#order() % Math.max(1, this.packets.length);
    const [packet] = this.packets.splice(at, 1);
    if (packet === undefined) return;
    this.promises.hear(packet);
    this.at(packet.to).receive(packet);
  }
  /**
   * The power goes: what waited behind the gate is not said, and of the log only what was flushed is there. All sends on
   * record were flushed before, for the gate held them back.
   */
  crash(id: number, isFlushed: boolean): void {
    const node = this.at(id);
    if (isFlushed) node.flush();
    for (const packet of this.packets) this.promises.hear(packet);
    this.nodes[id] = new Node(id, this.emit, node.durable());
  }
}

/** Numbers that depend on `salt` alone. */
function numbersFrom(salt: number): () => number {
  let state = salt;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state >>> 8;
  };
}

/** 300 steps with reordering, requests, late flushes and a crash at `first` and every `every` steps from then on. */
function crashingRun({ salt, first, every }: { salt: number; first: number; every: number }): CrashingCluster {
  const next = numbersFrom(salt);
  const cluster = new CrashingCluster(next);
  for (let at = 0; at < 300; at++) {
    if (at % 20 === 0) cluster.at(next() % 4).request(requestOf(`${at / 20}`));
    if (next() % 3 === 0) cluster.at(next() % 4).flush();
    if (at >= first && (at - first) % every === 0) cluster.crash(next() % 4, next() % 2 === 0);
    if (at % 50 === 0) for (const node of cluster.nodes) node.fire("status");
    cluster.step();
  }
  for (const packet of cluster.packets) cluster.promises.hear(packet);
  return cluster;
}

describe("recover", () => {
  const disk = { records: [], executed: seqOf(0), committed: [] };

  it("an empty disk is the ground of genesis", () => {
    expect(recover(genesisBase, disk)).to.deep.equal({
      base: genesisBase,
      recovery: {
        executed: 0,
        executionDigest: undefined,
        silentUpTo: undefined,
        outputsSilentUpTo: undefined,
        committed: [],
        ordering: { slots: [], prepared: [], voted: [] },
        views: { newView: undefined, viewChange: undefined },
        muteness: undefined,
      },
    });
  });

  it("takes the highest stable checkpoint and the promises above it", () => {
    const cluster = new Cluster();
    for (let i = 0; i < K + 1; i++) cluster.request(`${i}`);
    const { status } = new Node(1, () => undefined, cluster.at(1).durable());
    expect([status.lowWatermark, status.executed]).to.deep.equal([K, K + 1]);
  });

  it("a state below the stable checkpoint is our own bug", () => {
    const cluster = new Cluster();
    for (let i = 0; i < K; i++) cluster.request(`${i}`);
    const node = cluster.at(1).durable();
    node.executed = [];
    expect(() => new Node(1, () => undefined, node)).to.throw("recovery.state-below-stable");
  });

  it("a certificate without its proposal is our own bug", () => {
    const batch = composer.compose(timestampMs(1), [requestOf("a")]);
    const records = [preparedOf(batch.digest)];
    expect(() => recover(genesisBase, { ...disk, records })).to.throw("recovery.prepared-without-pre-prepared");
  });

  it("a certificate for another batch than its proposal's is our own bug", () => {
    const batch = composer.compose(timestampMs(1), [requestOf("a")]);
    const envelope = envelopeOf(0, { type: "pre-prepare", ...place, digest: batch.digest });
    const recoverWith = (digest: Digest): ReturnType<typeof recover> =>
      recover(genesisBase, { ...disk, records: [{ type: "pre-prepared", envelope, batch }, preparedOf(digest)] });

    expect(recoverWith(batch.digest).recovery.ordering.slots).to.have.length(1);
    expect(() => recoverWith(digestOf("another"))).to.throw("recovery.prepared-another-than-pre-prepared");
  });

  it("executes again what the history holds above the state", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 3; i++) cluster.request(`${i}`);
    const kept = cluster.at(2).durable();
    const before = [...kept.executed];
    kept.executed = kept.executed.slice(0, 1);
    new Node(2, () => undefined, kept);
    expect(kept.executed).to.deep.equal(before);
  });

  it("is in the view that it had entered, though checkpoints have cut the log since", () => {
    const before = new Lone(3).plainNewView(1);
    for (let seq = 1; seq <= K; seq++) before.decide(batchOf(`${seq}`), { seq, view: 1 });
    before.checkpoints([0, 2], K);
    expect(before.node.status, "before").to.include({ view: 1, lowWatermark: K });
    expect(before.restarted().node.status).to.include({ view: 1, target: 1, lowWatermark: K });
  });

  it("is on its way to the view that it had sent a VIEW-CHANGE for, though a checkpoint has cut the log since", () => {
    const before = new Lone(3).decideUpTo(K).viewChanges([0, 1], 1).checkpoints([0, 2], K);
    expect(before.node.status, "before").to.include({ view: 0, target: 1, lowWatermark: K });
    expect(before.restarted().node.status).to.include({ view: 0, target: 1, lowWatermark: K });
  });

  const a = batchOf("a");
  const again = { claims: [claimOf(1, 0, a)] };
  const prepared = [
    { name: "the view before", lone: () => new Lone(3).prePrepare(a).prepares([2], a).plainNewView(1, again), view: 0 },
    {
      name: "this view and the one before",
      lone: () => new Lone(3).prePrepare(a).prepares([2], a).plainNewView(1, again).prepares([0, 2], a, { view: 1 }),
      view: 1,
    },
  ];
  for (const { name, lone, view } of prepared)
    it(`claims what prepared in ${name} as it would have without the crash, of the highest view`, () => {
      for (const replica of [lone(), lone().restarted()])
        expect(replica.viewChanges([0, 1], 2).viewChangeSaid?.prepared).to.deep.equal([claimOf(1, view, a)]);
    });

  it("gives the batch that it voted for in a view that it left, whatever was chosen since, as it would have without the crash", () => {
    const lone = (): Lone => new Lone(3).prePrepare(a).plainNewView(1).prePrepare(batchOf("b"), { view: 1 });
    const asked = envelopeOf(0, { type: "fetch-batch", epoch: place.epoch, seq: place.seq, digest: a.digest });
    for (const replica of [lone(), lone().restarted()]) {
      const { packets } = replica.forget().hear(0, { type: "signed", envelope: asked });
      expect(packets.map(({ to, frame }) => [to, frame])).to.deep.equal([[0, { type: "batch-body", batch: a.batch }]]);
    }
  });

  it("all four stop and start again with what they had, and go on", () => {
    const cluster = new Cluster();
    for (let i = 0; i < K + 2; i++) cluster.request(`${i}`);
    for (const { id } of cluster.nodes) cluster.nodes[id] = new Node(id, cluster.emit, cluster.at(id).durable());
    cluster.run().request("after");
    expect(cluster.executed).to.deep.equal([K + 3, K + 3, K + 3, K + 3]);
  });
});

describe("no promise is ever broken by a crash (protocol rules 8.1 and 8.2)", () => {
  it("whatever crashes when, every replica signs one content for each place, and all execute alike", () => {
    assert(
      property(
        record({
          salt: integer({ min: 1, max: 1e6 }),
          first: integer({ min: 0, max: 60 }),
          every: integer({ min: 3, max: 40 }),
        }),
        (run) => {
          const cluster = crashingRun(run);
          cluster.tick(12);
          expect(cluster.promises.count, "something was promised").to.be.greaterThan(0);
          expect(new Set(cluster.executed).size, `executed ${cluster.executed.join()}`).to.equal(1);
          for (const { disk, id } of cluster.nodes)
            expect(disk.executed, `replica ${id}`).to.deep.equal(cluster.at(0).disk.executed);
        },
      ),
      { numRuns: 30, seed: 82 },
    );
  });

  it("a replica signs the same bytes again", () => {
    const message = {
      type: "checkpoint",
      epoch: genesisBase.membership.epoch,
      seq: seqOf(4),
      stateRoot: genesisBase.stable.stateRoot,
    } as const;
    expect(signerOf(1).sign(message)).to.deep.equal(signerOf(1).sign(message));
  });
});
