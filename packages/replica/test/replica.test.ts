import { FETCH_COMMITTED_MAX, type Lack, type Status, timestampMs, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import {
  Cluster,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  eventOf,
  K,
  L,
  membership,
  newReplica,
  type Packet,
  requestOf,
  seqOf,
} from "./builders.ts";

const typeOf = ({ frame }: Packet): string => (frame.type === "signed" ? frame.envelope.message.type : frame.type);
const statusOf = (from: number, parts: Partial<Status> = {}): ReturnType<typeof envelopeOf<Status>> =>
  envelopeOf<Status>(from, {
    type: "status",
    epoch,
    view: viewNumber(0),
    executed: seqOf(0),
    stable: seqOf(0),
    accepted: seqOf(0),
    lacks: [],
    target: viewNumber(0),
    viewChangesOf: [],
    executionDigest: undefined,
    ...parts,
  });
const lackOf = (seq: number): Lack => ({ seq: seqOf(seq), prePrepare: true, prepares: true, commits: true });

describe("four replicas without faults", () => {
  it("execute a request everywhere", () => {
    expect(new Cluster().request("a").executed).to.deep.equal([1, 1, 1, 1]);
  });

  it("execute the same batches in the same order", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 10; i++) cluster.request(`${i}`);
    expect(cluster.executed).to.deep.equal([10, 10, 10, 10]);
    for (const node of cluster.nodes)
      expect(node.disk.executed, `replica ${node.id}`).to.deep.equal(cluster.at(0).disk.executed);
  });

  it("move h at every checkpoint and cut their logs only up to it", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 2 * K + 1; i++) cluster.request(`${i}`);
    for (const { id, status, disk, effects } of cluster.nodes) {
      expect(status.lowWatermark, `h of ${id}`).to.equal(2 * K);
      const cuts = effects.flatMap((effect) => (effect.type === "cut" ? [effect.upTo] : []));
      expect(cuts, `cuts of ${id}`).to.deep.equal([K - 1, 2 * K - 1]);
      expect(
        disk.log.filter((record) => record.type === "stable"),
        `log of ${id}`,
      ).to.have.length(1);
    }
  });

  it("neither cut nor move h by a certificate whose state they do not hold durably", () => {
    const stateRoot = digestOf("root");
    const vote = { type: "checkpoint", epoch, seq: seqOf(K), stateRoot } as const;
    const signatures = [0, 2, 3].map((id) => {
      const { from, signature } = envelopeOf(id, vote);
      return { from, signature };
    });
    const checkpoint = { epoch, seq: seqOf(K), stateRoot, signatures };
    const replica = newReplica(1);
    const event = eventOf(0, { type: "stable-checkpoint", checkpoint });
    expect(event && replica.step(event, 0)).to.deep.equal([]);
    expect(replica.status.lowWatermark).to.equal(0);
  });

  it("a request that reached one backup only is executed", () => {
    const cluster = new Cluster();
    cluster.at(2).request(requestOf("a"));
    expect(cluster.run().executed).to.deep.equal([1, 1, 1, 1]);
  });

  it("go on while one of them is silent", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    for (let i = 0; i < 3 * K; i++) cluster.request(`${i}`);
    expect(cluster.executed).to.deep.equal([3 * K, 3 * K, 3 * K, 0]);
  });

  it("stop while two of them are silent: nothing is decided by less than a quorum", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, to }) => from >= 2 || to >= 2;
    expect(cluster.request("a").executed).to.deep.equal([0, 0, 0, 0]);
  });
});

describe("a lost statement (protocol rule 3.6)", () => {
  /** h is 0 at the primary and K elsewhere; everything is idle. */
  function lagging(): Cluster {
    const cluster = new Cluster();
    cluster.isLost = (packet) => packet.to === 0 && /checkpoint/.test(typeOf(packet));
    for (let i = 0; i < K; i++) cluster.request(`${i}`);
    expect(cluster.nodes.map(({ status }) => status.lowWatermark)).to.deep.equal([0, K, K, K]);
    cluster.isLost = () => false;
    return cluster;
  }

  it("a primary that still holds it loses it, too, within ten idle status intervals of the others", () => {
    const cluster = lagging();
    cluster.tick(10);
    expect(cluster.nodes.map(({ status }) => status.lowWatermark)).to.deep.equal([K, K, K, K]);
  });

  it("a backup passes every retry on, so that the primary orders it as soon as it may", () => {
    const cluster = lagging();
    const passedOn = (): string[] => {
      cluster.at(2).request(requestOf("0"), { type: "answer-lost" });
      return cluster.packets.splice(0).map((packet) => `${typeOf(packet)} to ${packet.to}`);
    };
    expect([passedOn(), passedOn()]).to.deep.equal([["request to 0"], ["request to 0"]]);
  });

  it("a primary that has lost it orders the retry again", () => {
    const cluster = lagging().tick(10);
    cluster.at(0).request(requestOf("0"), { type: "answer-lost" });
    cluster.run();
    expect(cluster.executed).to.deep.equal([K + 1, K + 1, K + 1, K + 1]);
  });
});

describe("nothing depends on a message arriving (protocol rule 4.8)", () => {
  const losses = [
    { name: "the pre-prepare to one backup", isLost: (p: Packet) => typeOf(p) === "pre-prepare" && p.to === 3 },
    { name: "the pre-prepare to all backups", isLost: (p: Packet) => typeOf(p) === "pre-prepare" },
    { name: "all prepares", isLost: (p: Packet) => typeOf(p) === "prepare" },
    { name: "all commits", isLost: (p: Packet) => typeOf(p) === "commit" },
    {
      name: "the prepares and commits to one replica",
      isLost: (p: Packet) => p.to === 1 && /prepare|commit/.test(typeOf(p)),
    },
    { name: "everything to the primary", isLost: (p: Packet) => p.to === 0 },
    { name: "everything from one backup", isLost: (p: Packet) => p.from === 2 },
  ];
  for (const { name, isLost } of losses)
    it(`status messages repair the loss of ${name}`, () => {
      const cluster = new Cluster();
      cluster.isLost = isLost;
      cluster.request("a");
      cluster.isLost = () => false;
      // Who has executed says so at every tenth tick.
      expect(cluster.tick(12).executed).to.deep.equal([1, 1, 1, 1]);
    });

  it("status messages repair the loss of checkpoint votes, in an idle cluster too", () => {
    const cluster = new Cluster();
    cluster.isLost = (packet) => typeOf(packet) === "checkpoint";
    for (let i = 0; i < K; i++) cluster.request(`${i}`);
    expect(
      cluster.nodes.map(({ status }) => status.lowWatermark),
      "before",
    ).to.deep.equal([0, 0, 0, 0]);
    cluster.isLost = () => false;
    cluster.tick(11);
    expect(
      cluster.nodes.map(({ status }) => status.lowWatermark),
      "after",
    ).to.deep.equal([K, K, K, K]);
  });

  it("a body that does not verify is fetched by its digest", () => {
    const cluster = new Cluster();
    cluster.isLost = (packet) => typeOf(packet) === "pre-prepare" && packet.to === 3;
    cluster.at(0).request(requestOf("a"));
    const proposal = cluster.packets.find((packet) => typeOf(packet) === "pre-prepare" && packet.to === 3);
    cluster.at(0).flush();
    const held = proposal ?? cluster.packets.find((packet) => typeOf(packet) === "pre-prepare" && packet.to === 3);
    if (held?.frame.type !== "pre-prepare") throw new Error("nothing was proposed");
    const other = composer.compose(timestampMs(1), [requestOf("other")]).batch;
    cluster.at(3).receive({ ...held, frame: { ...held.frame, batch: other } });
    const seen: string[] = [];
    const { isLost } = cluster;
    cluster.isLost = (packet) => {
      seen.push(`${packet.from} ${typeOf(packet)}`);
      return isLost(packet);
    };
    cluster.run();
    expect(seen).to.include("3 fetch-batch");
    expect(cluster.tick(3).executed).to.deep.equal([1, 1, 1, 1]);
  });

  it("a replica that slept through several checkpoints fills its gap and moves its window", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    for (let i = 0; i < 3 * L + 2; i++) cluster.request(`${i}`);
    cluster.isLost = () => false;
    cluster.tick(25);
    expect(cluster.executed).to.deep.equal(membership.members.map(() => 3 * L + 2));
    expect(cluster.at(3).status.lowWatermark).to.equal(cluster.at(0).status.lowWatermark);
    expect(cluster.at(3).disk.executed).to.deep.equal(cluster.at(0).disk.executed);
  });
});

describe("Replica and strangers, other epochs, other places", () => {
  const receive = (from: number, message: Parameters<typeof envelopeOf>[1]): string[] => {
    const replica = newReplica(1);
    replica.step({ type: "start" }, 0);
    const effects = replica.step({ type: "message", envelope: envelopeOf(from, message) }, 0);
    return effects.map((effect) => (effect.type === "rejected" ? effect.rejection.code : effect.type));
  };
  const commit = { type: "commit", epoch, view: viewNumber(0), seq: seqOf(1), digest: digestOf("x") } as const;
  const table = [
    { name: "a stranger", from: 9, message: commit, code: "membership.stranger" },
    { name: "another epoch", from: 2, message: { ...commit, epoch: 1 as typeof epoch }, code: "epoch.other" },
    { name: "a number at h", from: 2, message: { ...commit, seq: seqOf(0) }, code: "window.below" },
    { name: "a number far ahead", from: 2, message: { ...commit, seq: seqOf(2 * L + 1) }, code: "window.above" },
  ];
  for (const { name, from, message, code } of table)
    it(`a vote of ${name} is rejected and changes nothing`, () => {
      expect(receive(from, message)).to.deep.equal([code]);
    });

  it("a vote a little ahead waits without a word", () => {
    expect(receive(2, { ...commit, seq: seqOf(L + 1) })).to.deep.equal([]);
  });

  it("so does a vote of a view that is not entered yet", () => {
    expect(receive(2, { ...commit, view: viewNumber(1) })).to.deep.equal([]);
  });

  it("a redundant message is known before it is verified, whoever claims to have sent it", () => {
    const replica = newReplica(1);
    expect(replica.relevance.isRedundant(envelopeOf(9, commit).from, commit), "stranger").to.equal(true);
    expect(replica.relevance.isRedundant(envelopeOf(2, commit).from, { ...commit, epoch: 1 as typeof epoch })).to.equal(
      true,
    );
    expect(replica.relevance.isRedundant(envelopeOf(2, commit).from, commit), "needed").to.equal(false);
  });

  it("a vote far above the window is redundant, and so is one a little above it that waits already", () => {
    const replica = newReplica(1);
    const early = envelopeOf(2, { ...commit, seq: seqOf(L + 1) });
    expect(replica.relevance.isRedundant(early.from, early.message), "first").to.equal(false);
    replica.step({ type: "message", envelope: early }, 0);
    expect(replica.relevance.isRedundant(early.from, early.message), "again").to.equal(true);
    expect(replica.relevance.isRedundant(early.from, { ...commit, seq: seqOf(2 * L + 1) }), "far above").to.equal(true);
  });

  it("a proposal is held wherever it waits", () => {
    const replica = newReplica(1);
    for (const seq of [1, L + 1]) {
      const proposal = envelopeOf(0, { ...commit, type: "pre-prepare", seq: seqOf(seq) });
      expect(replica.relevance.isProposalHeld(proposal.message), `${seq}, before`).to.equal(false);
      replica.step({ type: "message", envelope: proposal }, 0);
      expect(replica.relevance.isProposalHeld(proposal.message), `${seq}, after`).to.equal(true);
    }
  });

  it("entries that were not asked for and bodies that nobody awaits are rejected", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 3; i++) cluster.request(`${i}`);
    const entry = cluster.at(0).disk.history.get(3)!;
    const body = eventOf(0, { type: "batch-body", batch: entry.batch })!;
    const codes = newReplica(1)
      .step(body, 0)
      .map((effect) => effect.type === "rejected" && effect.rejection.code);
    expect(codes).to.deep.equal(["body.not-asked-for"]);
  });

  it("a primary whose queue is full tells the client", () => {
    const replica = newReplica(0);
    const refused: unknown[] = [];
    for (let i = 0; i < 65; i++) {
      const request = requestOf(`${i}`);
      const effects = replica.step({ type: "request", request, standing: { type: "executable" } }, 0);
      for (const effect of effects) if (effect.type === "refuse") refused.push(effect.requestDigest);
    }
    expect(refused).to.deep.equal([requestOf("64").digest]);
  });

  it("an execution that was not asked for is our own bug", () => {
    const progress = { answered: [], sessions: [], evicted: [], lastCheckpoint: seqOf(0) };
    expect(() =>
      newReplica(1).step({ type: "executed", seq: seqOf(1), progress, executionDigest: digestOf("x") }, 0),
    ).to.throw("replica.executed-unasked");
  });
});

describe("serving others within a budget (protocol rule 13.1)", () => {
  /** Replica 1 after three batches, and how many of so many equal questions at one time it answers. */
  function answersTo(count: number, message: Parameters<typeof envelopeOf>[1]): number {
    const cluster = new Cluster();
    for (let i = 0; i < 3; i++) cluster.request(`${i}`);
    const node = cluster.at(1);
    node.effects.length = 0;
    for (let i = 0; i < count; i++)
      node.receive({ from: 2, to: 1, frame: { type: "signed", envelope: envelopeOf(2, message as Status) } });
    return node.effects.filter(({ type }) => type === "send-history").length;
  }

  it("answers a burst of questions for batches and no more", () => {
    expect(answersTo(100, { type: "fetch-batch", epoch, seq: seqOf(1), digest: digestOf("x") })).to.equal(8);
  });

  it("answers a burst of questions for ranges and no more", () => {
    const last = seqOf(FETCH_COMMITTED_MAX);
    expect(answersTo(100, { type: "fetch-committed", epoch, first: seqOf(1), last })).to.equal(8);
  });

  it("answers a few status messages in a row and no more", () => {
    expect(answersTo(100, statusOf(2, { lacks: [lackOf(1)] }).message)).to.be.within(1, 4);
  });

  for (const [what, message] of [
    ["a batch", { type: "fetch-batch", epoch, seq: seqOf(9), digest: digestOf("x") }],
    ["a range", { type: "fetch-committed", epoch, first: seqOf(9), last: seqOf(60) }],
    ["genesis", { type: "fetch-committed", epoch, first: seqOf(0), last: seqOf(0) }],
  ] as const)
    it(`counts a question for ${what} that it has not`, () => {
      const node = new Cluster().request("a").at(1);
      node.effects.length = 0;
      node.receive({ from: 2, to: 1, frame: { type: "signed", envelope: envelopeOf(2, message) } });
      const codes = node.effects.map((effect) => (effect.type === "rejected" ? effect.rejection.code : effect.type));
      expect(codes).to.deep.equal(["fetch.not-here"]);
    });

  it("counts a decision that it has delivered, which nobody asked for any more", () => {
    const cluster = new Cluster().request("a");
    const node = cluster.at(1);
    const entry = node.disk.history.get(1)!;
    node.effects.length = 0;
    node.receive({ from: 2, to: 1, frame: { type: "committed", entry } });
    const codes = node.effects.map((effect) => (effect.type === "rejected" ? effect.rejection.code : effect.type));
    expect(codes).to.deep.equal(["committed.not-asked-for"]);
  });

  it("never sends more than it has, nor genesis", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 3; i++) cluster.request(`${i}`);
    const node = cluster.at(1);
    node.effects.length = 0;
    const fetch = envelopeOf(2, { type: "fetch-committed", epoch, first: seqOf(2), last: seqOf(60) });
    node.receive({ from: 2, to: 1, frame: { type: "signed", envelope: fetch } });
    const ranges = node.effects.flatMap((effect) =>
      effect.type === "send-history" ? [[effect.first, effect.last]] : [],
    );
    expect(ranges).to.deep.equal([[2, 3]]);
  });
});
