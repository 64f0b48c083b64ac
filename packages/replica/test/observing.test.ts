import { type Effect, NO_MEMBER, type ReplicaFrame, type Status, sequenceNumber, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { CHANGE, Cluster, envelopeOf, epoch, K, L, type Node, OBSERVER, requestOf, seqOf } from "./builders.ts";
import { batchOf, newViewOf, viewChangeOf } from "./paper-messages.ts";

const MISSED = "missed what was said to observers";

/** What it said to others. */
const saidBy = ({ effects }: Node): ReplicaFrame["type"][] =>
  effects.flatMap((effect) => ("frame" in effect ? [effect.frame.type] : []));
const effectsOf = <T extends Effect["type"]>({ effects }: Node, type: T): Extract<Effect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
const rejectedBy = (node: Node): string[] => effectsOf(node, "rejected").map(({ rejection }) => rejection.code);
/** Its promises: what it wrote before it spoke. */
const promisedBy = (node: Node): string[] =>
  effectsOf(node, "persist").flatMap(({ record }) => (record.type === "stable" ? [] : [record.type]));

function statusOf(from: number, executed: number, change: Partial<Status> = {}): ReplicaFrame {
  const status: Status = {
    type: "status",
    epoch,
    view: viewNumber(0),
    executed: seqOf(executed),
    stable: seqOf(0),
    accepted: seqOf(executed),
    lacks: [],
    target: viewNumber(0),
    viewChangesOf: [],
    executionDigest: undefined,
    ...change,
  };
  return { type: "signed", envelope: envelopeOf(from, status) };
}

describe("a replica that is no member (decision 0044)", () => {
  it("follows what the members execute, one status interval behind, and h with their certificates", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    for (let i = 0; i < 10; i++) cluster.request(`${i}`);
    cluster.tick();

    expect([observer.status.executed, observer.status.lowWatermark]).to.deep.equal([10, 8]);
    expect(observer.disk.executed).to.deep.equal(cluster.at(0).disk.executed);
    cluster.request("10").tick();
    expect(observer.status.executed, "the same tick").to.equal(11);
    expect(cluster.executed).to.deep.equal([11, 11, 11, 11]);
  });

  it("says nothing but questions, and promises nothing", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    for (let i = 0; i < 10; i++) cluster.request(`${i}`).tick();

    expect(new Set(saidBy(observer))).to.deep.equal(new Set(["fetch-history"]));
    expect(promisedBy(observer)).to.deep.equal([]);
    expect(observer.status).to.deep.include({
      mute: undefined,
      observer: { members: 4, membersNeeded: 2, checkpointsBehind: 0 },
    });
    expect(cluster.at(0).status.observer, "of a member").to.equal(undefined);
  });

  it("asks another one when the first does not answer, and those that say more at once", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ to }) => to === OBSERVER;
    for (let i = 0; i < 3; i++) cluster.request(`${i}`);
    cluster.isLost = ({ to, from, frame }) => to === OBSERVER && from === 0 && frame.type === "committed";
    const observer = cluster.observe();
    observer.receive({ from: 0, to: OBSERVER, frame: statusOf(0, 3) });
    observer.receive({ from: 2, to: OBSERVER, frame: statusOf(2, 3) });
    cluster.run();
    expect(observer.status.executed).to.equal(0);
    observer.fire("fetch");
    cluster.run();

    const asked = effectsOf(observer, "send").map(({ to, frame }) => [
      to,
      frame.type === "fetch-history" && frame.fetch,
    ]);
    const fetch = { epoch, first: 1, last: 3 };
    expect(asked).to.deep.equal([
      [0, fetch],
      [2, fetch],
    ]);
    expect(observer.status.executed).to.equal(3);
  });

  it("is given the certificate of h again with each status", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ to, frame }) => to === OBSERVER && frame.type === "stable-checkpoint";
    const observer = cluster.observe();
    for (let i = 0; i < 9; i++) cluster.request(`${i}`);
    cluster.tick();
    expect([observer.status.executed, observer.status.lowWatermark], MISSED).to.deep.equal([9, 0]);

    cluster.isLost = () => false;
    cluster.request("9").tick();
    expect([observer.status.executed, observer.status.lowWatermark]).to.deep.equal([10, 8]);
  });

  it("fetches the state when what it lacks has left all histories", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 3 * L; i++) cluster.request(`${i}`);
    for (const node of cluster.nodes) for (let seq = 1; seq <= 2 * L; seq++) node.disk.history.delete(seq);
    const observer = cluster.observe();
    cluster.request("one more").tick();
    const [stable] = effectsOf(cluster.at(0), "tell-observers").flatMap(({ frame }) =>
      frame.type === "stable-checkpoint" && frame.checkpoint.seq === 3 * L ? [frame.checkpoint] : [],
    );
    for (let donors = 0; donors < 4; donors++) {
      const [asked] = effectsOf(observer, "send").slice(-1);
      observer.receive({ from: asked!.to, to: OBSERVER, frame: { type: "below-history", checkpoint: stable! } });
      cluster.run();
    }

    expect(observer.status.isStranded).to.equal(true);
    expect(observer.status.observer?.checkpointsBehind).to.equal((3 * L) / K);
    expect(effectsOf(observer, "fetch-state").map(({ target }) => target.seq)).to.deep.equal([3 * L]);
  });

  it("is wrong where f+1 members say so, and stands still", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    for (let i = 0; i < 5; i++) cluster.request(`${i}`);
    cluster.tick();
    observer.wrong = "a bit flipped";
    cluster.request("5").tick(11);

    const [quarantine] = effectsOf(observer, "quarantine");
    expect(quarantine?.contradiction.by).to.equal("members");
    expect(cluster.nodes.map((node) => effectsOf(node, "divergence").length)).to.deep.equal([0, 0, 0, 0]);
  });

  it("comes to the end of the epoch by the certificate there", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    for (const node of cluster.nodes) node.request(CHANGE);
    cluster.run().tick(3);

    const [over] = effectsOf(observer, "epoch-over");
    expect(over?.link.seq).to.equal(12);
    expect(observer.status.activation).to.equal(12);
    expect(promisedBy(observer)).to.deep.equal([]);
  });

  it("comes back from a crash as what it is", () => {
    const cluster = new Cluster();
    const before = cluster.observe();
    for (let i = 0; i < 6; i++) cluster.request(`${i}`);
    cluster.tick();
    const observer = cluster.observe(before.durable());
    expect([observer.status.executed, observer.status.lowWatermark]).to.deep.equal([6, 4]);
    cluster.request("6").tick();
    expect([observer.status.executed, new Set(saidBy(observer))]).to.deep.equal([7, new Set(["fetch-history"])]);
  });
});

describe("what is no observer's business", () => {
  it("votes, proposals and view changes change nothing there, and make it say nothing", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    const hears = (from: number, frame: ReplicaFrame): void => observer.receive({ from, to: OBSERVER, frame });
    const batch = batchOf("a batch");
    const vote = { epoch, view: viewNumber(0), seq: seqOf(1), digest: batch.digest };
    hears(0, { type: "pre-prepare", envelope: envelopeOf(0, { type: "pre-prepare", ...vote }), batch: batch.batch });
    for (const type of ["prepare", "commit"] as const)
      for (const from of [1, 2, 3]) hears(from, { type: "signed", envelope: envelopeOf(from, { type, ...vote }) });
    const viewChanges = [0, 1, 2].map((id) => viewChangeOf(id, 1));
    for (const { viewChange } of viewChanges) hears(viewChange.envelope.from, { type: "view-change", viewChange });
    const { newView } = newViewOf(viewChanges);
    hears(newView.envelope.from, { type: "new-view", newView });
    hears(0, { type: "request", request: requestOf("a request").request });
    cluster.run();

    expect([saidBy(observer), promisedBy(observer)]).to.deep.equal([[], []]);
    expect(observer.status).to.deep.include({ executed: 0, view: 0, target: 0, pendingRequests: 0 });
    expect(new Set(rejectedBy(observer))).to.deep.equal(new Set(["observer.not-for-this-one"]));
  });

  it("time that passes, and an operator's wish for another primary", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    cluster.tick(25);
    for (const timer of ["progress", "view-change", "clock-wait"] as const) observer.fire(timer);
    observer.handOver();

    expect(saidBy(observer)).to.deep.equal([]);
    expect(rejectedBy(observer)).to.deep.equal(["hand-over.not-primary"]);
  });

  it("a liar's status makes it ask that one in vain, and no more", () => {
    const cluster = new Cluster();
    const observer = cluster.observe();
    cluster.request("0").tick();
    for (let lie = 0; lie < 100; lie++)
      observer.receive({ from: 3, to: OBSERVER, frame: statusOf(3, 2 ** 40 + lie, { view: viewNumber(lie) }) });
    cluster.run();

    expect(rejectedBy(observer).filter((code) => code === "status.over-budget")).to.have.length.above(90);
    cluster.request("1").tick();
    for (let i = 0; i < 3; i++) {
      observer.fire("fetch");
      cluster.run();
    }
    expect(observer.status.executed).to.equal(2);
  });
});

describe("what a member does for observers", () => {
  it("tells them where it stands at the tick after it has executed, and else as often as the members", () => {
    const cluster = new Cluster();
    const told = (): number =>
      effectsOf(cluster.at(1), "tell-observers").filter(({ frame }) => frame.type === "signed").length;
    const toMembers = (): number =>
      effectsOf(cluster.at(1), "broadcast").filter(
        ({ frame }) => frame.type === "signed" && frame.envelope.message.type === "status",
      ).length;
    const before = [told(), toMembers()] as const;
    cluster.request("0");
    cluster.tick();
    expect([told() - before[0], toMembers() - before[1]]).to.deep.equal([1, 0]);
    cluster.tick(8);
    expect([told() - before[0], toMembers() - before[1]], "nothing happens").to.deep.equal([1, 0]);
    cluster.tick();
    expect([told() - before[0], toMembers() - before[1]]).to.deep.equal([2, 1]);
  });

  it("does not take their number for a member's", () => {
    const cluster = new Cluster();
    const forged = statusOf(3, 5);
    if (forged.type !== "signed") throw new Error(forged.type);
    const { executed } = cluster.at(0).status;
    cluster.at(0).receive({
      from: OBSERVER,
      to: 0,
      frame: { type: "signed", envelope: { ...forged.envelope, from: NO_MEMBER } },
    });
    expect(cluster.at(0).status.executed).to.equal(executed);
    expect(sequenceNumber(executed)).to.equal(0);
  });
});
