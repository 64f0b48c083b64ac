import { type Effect, epochNumber, membershipOf, placeOf } from "@quorate/protocol";
import { expect } from "chai";
import { CHANGE, Cluster, Disk, digestOf, K, L, membership, requestOf, VIEW_CHANGE_MS } from "./builders.ts";

/** Of a change that is ordered first. */
const START = 12;
const epoch1 = epochNumber(1);
const four = <T>(value: T): T[] => [value, value, value, value];

/** What a host makes of a disk once the epoch is over. */
function nextOf(before: Disk, effects: readonly Effect[]): Disk {
  const over = effects.find((effect) => effect.type === "epoch-over");
  if (over === undefined) throw new Error("the epoch is not over");
  const { seq, stateRoot } = over.link;
  const disk = new Disk();
  disk.log = before.log.filter((record) => record.type === "released" || (placeOf(record).epoch ?? epoch1) === epoch1);
  for (const [at, entry] of before.history) disk.history.set(at, entry);
  disk.executed = [...before.executed];
  disk.lossNonce = before.lossNonce;
  disk.base = {
    stable: { epoch: epoch1, seq, stateRoot, signatures: [] },
    membership: membershipOf(epoch1, membership.members, { seq, stateRoot }),
    view: before.base.view,
  };
  return disk;
}
function over(cluster: Cluster): Disk[] {
  for (const node of cluster.nodes) node.request(CHANGE);
  cluster.run();
  return cluster.nodes.map((node) => nextOf(node.durable(), node.effects));
}
/** The four of epoch 1, in which nothing was ordered. */
function later(rotateEvery = 0): Cluster {
  return new Cluster(rotateEvery, over(new Cluster()));
}
/** The own votes of a kind that a replica has cast. */
function votesIn(effects: readonly Effect[], type: string): object[] {
  return effects.flatMap((effect) =>
    effect.type === "broadcast" && effect.frame.type === "signed" && effect.frame.envelope.message.type === type
      ? [effect.frame.envelope.message]
      : [],
  );
}

describe("a replica in a later epoch (protocol rules 11.2 and 11.3)", () => {
  it("starts at the activation of the one before, in a view 0 of its own", () => {
    const cluster = later();
    for (const { status } of cluster.nodes)
      expect(status).to.deep.include({
        epoch: 1,
        view: 0,
        primary: 1,
        executed: START,
        lowWatermark: START,
        highWatermark: START + L,
        activation: undefined,
      });
    for (const { effects } of cluster.nodes) expect(effects.map(({ type }) => type)).not.to.include("epoch-over");
  });

  it("is bound by no view of the epoch before", () => {
    const before = new Cluster(3);
    const disks = over(before);
    expect(before.at(1).disk.log.map(({ type }) => type)).to.include.members(["stable", "new-view"]);
    expect(new Cluster(3, disks).views).to.deep.equal(four(0));
  });

  it("orders, and has checkpoints by its own members", () => {
    const cluster = later();
    for (let i = 0; i < K; i++) cluster.request(`${i}`);
    expect(cluster.executed).to.deep.equal(four(START + K));
    expect(cluster.nodes.map(({ status }) => status.lowWatermark)).to.deep.equal(four(START + K));
    expect(votesIn(cluster.at(2).effects, "checkpoint")).to.have.length(1);
  });

  it("does nothing about what is of the epoch before", () => {
    const before = new Cluster();
    const packets: Parameters<Cluster["isLost"]>[0][] = [];
    before.isLost = (packet): boolean => {
      packets.push(packet);
      return false;
    };
    const cluster = new Cluster(0, over(before));
    const executed = cluster.at(3).status;
    for (const packet of packets) if (packet.to === 3) cluster.at(3).receive(packet);
    expect(cluster.at(3).status).to.deep.equal(executed);
  });

  it("changes the view before its first checkpoint: what the epoch begins with is proof enough", () => {
    const cluster = later();
    cluster.isLost = ({ from, to }) => from === 1 || to === 1;
    for (const node of cluster.nodes) node.request(requestOf("a"));
    cluster.run();
    for (const node of cluster.nodes) node.nowMs += VIEW_CHANGE_MS;
    for (const node of cluster.nodes) node.fire("progress");
    cluster.run();
    expect(cluster.views).to.deep.equal([1, 0, 1, 1]);
    expect(cluster.executed).to.deep.equal([START + 1, START, START + 1, START + 1]);
    cluster.isLost = () => false;
    cluster.tick(12);
    expect(cluster.views, "whoever missed it is told").to.deep.equal(four(1));
    expect(cluster.executed).to.deep.equal(four(START + 1));
  });

  it("stands where it stood after a crash, before its first checkpoint and behind it", () => {
    const cluster = later().request("a");
    for (const { id } of cluster.nodes) cluster.restart(id);
    expect(cluster.run().executed).to.deep.equal(four(START + 1));
    for (let i = 0; i < K; i++) cluster.request(`${i}`);
    for (const { id } of cluster.nodes) cluster.restart(id);
    cluster.run();
    expect(cluster.nodes.map(({ status }) => status.lowWatermark)).to.deep.equal(four(START + K));
    expect(cluster.nodes.map(({ status }) => status.epoch)).to.deep.equal(four(1));
    expect(cluster.request("last").executed).to.deep.equal(four(START + K + 2));
  });

  it("knows the turns of its primaries from its own beginning", () => {
    const cluster = later(3);
    for (let i = 0; i < 7; i++) cluster.request(`${i}`);
    expect(cluster.views).to.deep.equal(four(2));
    expect(cluster.executed).to.deep.equal(four(START + 7));
  });

  it("answers one that lost its disk, which votes again two windows above", () => {
    const disks = over(new Cluster());
    disks[3]!.lossNonce = digestOf("loss of 3");
    const cluster = new Cluster(0, disks);
    expect(cluster.at(3).status.mute).to.deep.include({ replies: 3, repliesNeeded: 3, checkpoint: START + 2 * L });
    cluster.tick(30);
    expect(cluster.at(3).status.mute).to.equal(undefined);
    expect(cluster.at(3).status.lowWatermark).to.equal(START + 2 * L);
  });

  it("votes if it was released of a lost disk in the epoch before, and is mute if it was not", () => {
    const before = new Cluster();
    before.lose(3).run();
    before.tick(30);
    expect(before.at(3).status).to.deep.include({ mute: undefined, lowWatermark: 2 * L });
    const released = new Cluster(0, over(before)).at(3);
    expect(released.status).to.deep.include({ epoch: 1, mute: undefined });

    const early = new Cluster();
    const disks = over(early.lose(3));
    expect(disks[3]!.lossNonce).not.to.equal(undefined);
    const { mute } = new Cluster(0, disks).at(3).status;
    expect(mute, "it asks the members of this epoch").to.deep.include({ replies: 3, checkpoint: START + 2 * L });
  });

  it("that is wrong before its first checkpoint has nothing to repair towards, and says so", () => {
    const cluster = later().request("a");
    cluster.at(2).wrong = "a bit flipped";
    cluster.request("b").tick(12);
    const quarantine = cluster.at(2).effects.find((effect) => effect.type === "quarantine");
    expect(quarantine).to.deep.include({ target: undefined, upTo: START + 2, statementsUpTo: START + L });
  });

  it("ends with the next change", () => {
    const cluster = later().request("a");
    for (const node of cluster.nodes) node.request(CHANGE);
    cluster.run();
    const links = cluster.nodes.flatMap(({ effects }) => effects.filter((effect) => effect.type === "epoch-over"));
    expect(links.map(({ link: { epoch, seq } }) => [epoch, seq])).to.deep.equal(four([1, 24]));
  });
});
