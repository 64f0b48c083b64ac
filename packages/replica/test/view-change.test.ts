import { replicaId, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, digestOf, epoch, K, newReplica, type Packet, requestOf, seqOf, VIEW_CHANGE_MS } from "./builders.ts";
import { batchOf, claimOf, newViewOf, nullDigest, viewChangeOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

/** A cluster of which some replicas are silent, to whom and from whom everything is lost. */
class LossyCluster extends Cluster {
  readonly silent = new Set<number>();

  constructor() {
    super();
    this.isLost = ({ from, to }: Packet): boolean => this.silent.has(from) || this.silent.has(to);
  }
  /** A client asks everyone. */
  askAll(label: string): this {
    for (const node of this.nodes) if (!this.silent.has(node.id)) node.request(requestOf(label));
    return this.run();
  }
  /** Time passes at all replicas. */
  wait(ms: number): this {
    for (const node of this.nodes) node.nowMs += ms;
    for (const node of this.nodes) node.fire("progress");
    this.run();
    return this.status();
  }
  status(): this {
    for (const node of this.nodes) node.fire("status");
    return this.run();
  }
}

describe("a view change (OSDI'99 §4.4)", () => {
  it("replaces a primary that is silent, and what waits is executed by its successor", () => {
    const cluster = new LossyCluster();
    cluster.request("before");
    cluster.silent.add(0);
    cluster.askAll("a").wait(VIEW_CHANGE_MS);
    expect(cluster.views.slice(1)).to.deep.equal([1, 1, 1]);
    expect(cluster.executed.slice(1)).to.deep.equal([2, 2, 2]);
  });

  it("does not come while nothing waits", () => {
    const cluster = new LossyCluster();
    cluster.silent.add(0);
    cluster.wait(10 * VIEW_CHANGE_MS);
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
  });

  it("skips a successor that is silent too", () => {
    const cluster = new LossyCluster();
    cluster.silent.add(0).add(1);
    cluster.askAll("a").wait(VIEW_CHANGE_MS);
    expect(cluster.views, "two of four are no quorum").to.deep.equal([0, 0, 0, 0]);
    cluster.silent.delete(0);
    cluster.status().status();
    for (const node of cluster.nodes) node.fire("view-change");
    cluster.run().status().wait(VIEW_CHANGE_MS).status();
    expect(cluster.views).to.deep.equal([2, 0, 2, 2]);
    expect(cluster.executed).to.deep.equal([1, 0, 1, 1]);
  });

  it("a replica that missed the NEW-VIEW follows when it hears of it", () => {
    const cluster = new LossyCluster();
    cluster.silent.add(0);
    cluster.askAll("a").wait(VIEW_CHANGE_MS);
    cluster.silent.delete(0);
    // Who has nothing to do says where it stands at every tenth tick.
    for (let ticks = 0; ticks < 11; ticks++) cluster.status();
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.executed).to.deep.equal([1, 1, 1, 1]);
  });

  it("keeps what was prepared, and fills gaps with null batches", () => {
    const cluster = new LossyCluster();
    // The first proposal reaches nobody; the second prepares everywhere and commits nowhere.
    const isVote = ({ frame }: Packet, type: string): boolean =>
      frame.type === "signed" && frame.envelope.message.type === type;
    cluster.isLost = (packet) => packet.frame.type === "pre-prepare";
    cluster.at(0).request(requestOf("lost"));
    cluster.run();
    cluster.isLost = (packet) => isVote(packet, "commit") || isVote(packet, "status");
    cluster.at(0).request(requestOf("prepared"));
    cluster.run();
    expect(cluster.executed).to.deep.equal([0, 0, 0, 0]);
    cluster.isLost = (packet) => packet.from === 0 || packet.to === 0;
    cluster.wait(VIEW_CHANGE_MS).wait(VIEW_CHANGE_MS);
    expect(cluster.views.slice(1)).to.deep.equal([1, 1, 1]);
    expect(cluster.executed.slice(1)).to.deep.equal([2, 2, 2]);
  });

  it("carries on over checkpoints in the new view", () => {
    const cluster = new LossyCluster();
    cluster.silent.add(0);
    cluster.askAll("a").wait(VIEW_CHANGE_MS);
    for (let i = 0; i < 3 * K; i++) cluster.askAll(`after ${i}`);
    expect(cluster.nodes.slice(1).map(({ status }) => status.lowWatermark)).to.deep.equal([3 * K, 3 * K, 3 * K]);
  });

  it("a backup that enters a view passes all that waits on to its primary at once", () => {
    const backup = new Lone(3).request("a").request("b").timeOut("progress", VIEW_CHANGE_MS).forget().plainNewView(1);
    const passedOn = backup.packets.flatMap(({ to, frame }) => (frame.type === "request" ? [{ to, ...frame }] : []));
    expect(passedOn.map(({ to, request }) => [to, request])).to.deep.equal([
      [1, requestOf("a").request],
      [1, requestOf("b").request],
    ]);
  });

  describe("a time-out that was doubled", () => {
    const a = batchOf("a");
    const quorum = [0, 1, 2].map((id) => viewChangeOf(id, 1, { claims: [claimOf(2, 0, a)] }));
    /** In view 1 after a failure; request b waits. */
    const doubled = (): Lone =>
      new Lone(3).request("b").timeOut("progress", VIEW_CHANGE_MS).viewChanges([0, 1], 1).newView(newViewOf(quorum));

    it("is not shortened by a null batch", () => {
      const backup = doubled();
      backup.prepares([0, 2], { digest: nullDigest }, { view: 1 });
      backup.commits([0, 1, 2], { digest: nullDigest }, { view: 1 });
      expect(backup.node.status).to.include({ executed: 1, timeOutMs: 2 * VIEW_CHANGE_MS });
    });

    it("is not shortened by what an earlier view had ordered", () => {
      const entry = new Lone(2).decide(batchOf("b")).node.disk.history.get(1)!;
      const backup = doubled().hear(2, { type: "committed", entry });
      expect(backup.node.status).to.include({ executed: 1, timeOutMs: 2 * VIEW_CHANGE_MS });
    });
  });

  it("takes a proposal of the new primary that overtakes its NEW-VIEW, and leaves votes out of turn", () => {
    const replica = newReplica(2);
    const place = { epoch, view: viewNumber(1), seq: seqOf(1), digest: digestOf("x") };
    const standings = [0, 1, 3].map((from) =>
      replica.relevance.isRedundant(replicaId(from), { type: "pre-prepare", ...place }),
    );
    expect(standings, "the primary of view 1 is replica 1").to.deep.equal([true, false, true]);
    const prepares = [0, 1, 3].map((from) =>
      replica.relevance.isRedundant(replicaId(from), { type: "prepare", ...place }),
    );
    expect(prepares, "who proposes does not prepare").to.deep.equal([false, true, false]);
  });
});
