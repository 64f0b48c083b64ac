import { expect } from "chai";
import { Cluster, type Packet, requestOf, VIEW_CHANGE_MS } from "./builders.ts";
import { batchOf, claimOf, newViewOf, nullDigest, viewChangeOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const a = batchOf("a");
const b = batchOf("b");
const isVote = ({ frame }: Packet, type: string): boolean =>
  frame.type === "signed" && frame.envelope.message.type === type;

/** The replicas but one. */
const othersOf = (id: number): number[] => [0, 1, 2, 3].filter((other) => other !== id);

/**
 * The request commits locally at `id` alone: nobody else hears a commit. Then `id` is cut off, and the others, who know of
 * the request only that it prepared, change views until it is executed.
 */
function committedAtOne(id: number): Cluster {
  const cluster = new Cluster();
  cluster.isLost = (packet) => isVote(packet, "status") || (isVote(packet, "commit") && packet.to !== id);
  for (const node of cluster.nodes) node.request(requestOf("committed at one"));
  cluster.run().isLost = ({ from, to }) => from === id || to === id;
  changeViews(cluster, othersOf(id));
  return cluster;
}

/** Time passes at these until all have left view 0 and entered one of a live primary. */
function changeViews(cluster: Cluster, ids: readonly number[]): void {
  for (let round = 0; round < 8; round++) {
    for (const id of ids) {
      cluster.at(id).nowMs += 8 * VIEW_CHANGE_MS;
      cluster.at(id).fire("progress");
      cluster.at(id).fire("view-change");
    }
    cluster.tick(2);
  }
}

describe("The paper (OSDI'99), §4.5.1, safety:", () => {
  it("§4.5.1: correct replicas agree on the numbers of requests that commit locally in the same view", () => {
    // The primary is faulty and has proposed a to 1 and b to 2 and 3; it votes for both.
    const half = new Lone(1).prePrepare(a).commits([0], a);
    const others = [2, 3].map((id) => new Lone(id).prePrepare(b).commits([0], b));
    half.prepares([2, 3], b).commits([2, 3], b);
    for (const [i, other] of others.entries()) {
      const peer = i === 0 ? 3 : 2;
      other.prepares([1], a).prepares([peer], b).commits([peer], b);
    }
    expect(half.executed, "one of two halves at most").to.deep.equal([]);
    expect(others.map(({ executed }) => executed)).to.deep.equal([[b.digest], [b.digest]]);
  });

  for (const id of [0, 1, 2, 3])
    it(`§4.5.1: a request that committed locally at replica ${id} alone keeps its number in the views that follow`, () => {
      const cluster = committedAtOne(id);
      const [first] = cluster.at(id).disk.executed;
      expect(first, "it was executed there").to.not.equal(undefined);
      for (const other of othersOf(id)) {
        expect(cluster.at(other).status.view, `view of ${other}`).to.be.greaterThan(0);
        expect(cluster.at(other).disk.executed[0], `replica ${other}`).to.equal(first);
      }
    });

  it("§4.5.1: ... through any number of view changes, though nothing prepares in between", () => {
    const cluster = new Cluster();
    cluster.isLost = (packet) => isVote(packet, "status") || (isVote(packet, "commit") && packet.to !== 3);
    for (const node of cluster.nodes) node.request(requestOf("committed at one"));
    cluster.run();
    const [committed] = cluster.at(3).disk.executed;
    cluster.isLost = (packet) => packet.from === 3 || packet.to === 3 || isVote(packet, "prepare");
    changeViews(cluster, [0, 1, 2]);
    expect(Math.min(...[0, 1, 2].map((id) => cluster.at(id).status.target)), "views were left").to.be.greaterThan(2);
    cluster.isLost = () => false;
    changeViews(cluster, [0, 1, 2, 3]);
    expect(cluster.nodes.map(({ disk }) => disk.executed[0])).to.deep.equal([
      committed,
      committed,
      committed,
      committed,
    ]);
  });

  for (const quorum of [
    [0, 1, 2],
    [0, 1, 3],
    [0, 2, 3],
    [1, 2, 3],
  ])
    it(`§4.5.1: of the new-view by ${quorum.join(", ")} a correct member knows of what committed, though one of them lies`, () => {
      // The request prepared at 0, 1 and 2, and committed at one of them; 2 is faulty and says nothing of it, 3 never knew.
      const claims = [claimOf(1, 0, a)];
      const words = quorum.map((id) => viewChangeOf(id, 1, id < 2 ? { claims } : {}));
      const backup = new Lone(quorum.includes(3) ? 3 : 2).newView(newViewOf(words));
      expect(backup.node.status.view).to.equal(1);
      expect(newViewOf(words).newView.envelope.message.digests).to.deep.equal([a.digest]);
    });

  it("§4.5.1: what cannot have committed may get another request or the null request in the next view", () => {
    const backup = new Lone(3)
      .prePrepare(a)
      .newView(newViewOf([0, 1, 2].map((id) => viewChangeOf(id, 1, { claims: [claimOf(2, 0, b)] }))));
    backup.prepares([0, 2], { digest: nullDigest }, { view: 1 });
    backup.commits([0, 1, 2], { digest: nullDigest }, { view: 1 });
    expect(backup.executed, "a was pre-prepared at one replica only").to.deep.equal([nullDigest]);
  });

  it("§4.5.1: replicas execute in the order of numbers over all views", () => {
    const cluster = committedAtOne(2);
    cluster.isLost = () => false;
    for (let i = 0; i < 5; i++) cluster.request(`after ${i}`);
    cluster.tick(12);
    const [first] = cluster.nodes.map(({ disk }) => disk.executed);
    for (const { id, disk } of cluster.nodes) expect(disk.executed, `replica ${id}`).to.deep.equal(first);
    expect(first?.length).to.equal(6);
  });
});

describe("The paper (OSDI'99), §4.5.2, liveness:", () => {
  it("§4.5.2: a replica that multicasts a view-change for v+1 waits for 2f+1 of them before it starts its timer", () => {
    const backup = new Lone(3).request("a").timeOut("progress", VIEW_CHANGE_MS).forget().viewChanges([0], 1);
    expect(backup.timersMs("view-change"), "its own and one").to.deep.equal([]);
    backup.viewChanges([1], 1);
    expect(backup.timersMs("view-change"), "its own and two").to.have.length(1);
  });

  it("§4.5.2: if the new-view does not come in time it starts the view-change for v+2 and waits 2T, then 4T", () => {
    const backup = new Lone(0);
    for (const view of [1, 2, 3]) backup.viewChanges([1, 2, 3], view).timeOut("view-change", 8 * VIEW_CHANGE_MS);
    expect(backup.saidOf("view-change")).to.deep.equal([1, 2, 3, 4].map((view) => `view-change ${view}`));
    const [first, second, third] = backup.timersMs("view-change");
    expect([second! / first!, third! / first!]).to.deep.equal([2, 4]);
  });

  it("§4.5.2: ... also if the view comes and executes nothing new in time", () => {
    const backup = new Lone(3).request("a").timeOut("progress", VIEW_CHANGE_MS).viewChanges([0, 1], 1);
    backup
      .plainNewView(1)
      .forget()
      .timeOut("progress", 2 * VIEW_CHANGE_MS);
    expect(backup.saidOf("view-change")).to.deep.equal(["view-change 2"]);
  });

  it("§4.5.2, departure: the doubling ends at a maximum", () => {
    const backup = new Lone(0);
    for (const view of [1, 2, 3, 5, 6, 7]) backup.viewChanges([1, 2, 3], view).timeOut("view-change", 60_000);
    expect(backup.timersMs("view-change").map((ms) => ms / VIEW_CHANGE_MS)).to.deep.equal([2, 4, 8, 8, 8, 8]);
  });

  it("§4.5.2, departure: what failures doubled comes down by halves when a view does its work", () => {
    const backup = new Lone(3).request("a").timeOut("progress", VIEW_CHANGE_MS).viewChanges([0, 1], 1);
    backup.plainNewView(1);
    expect(backup.node.status.timeOutMs, "after a failure").to.equal(2 * VIEW_CHANGE_MS);
    backup.decide(a, { view: 1 });
    expect(backup.node.status.timeOutMs, "after work").to.equal(VIEW_CHANGE_MS);
  });

  it("§4.5.2: with f+1 view-changes for views greater than its own it sends one for the smallest, though no timer expired", () => {
    const backup = new Lone(3).viewChanges([0], 4);
    expect(backup.said, "with f").to.deep.equal([]);
    backup.viewChanges([1], 7);
    expect(backup.said, "with f+1").to.deep.equal(["view-change 4"]);
  });

  it("§4.5.2: ... counting only those above the view that it moves to", () => {
    const backup = new Lone(3).request("a").timeOut("progress", VIEW_CHANGE_MS).forget();
    backup.viewChanges([0], 1).viewChanges([2], 2);
    expect(backup.said).to.deep.equal([]);
  });

  it("§4.5.2: f faulty replicas cannot make it leave a view, whatever they send", () => {
    const backup = new Lone(3).prePrepare(a).forget();
    for (let view = 1; view < 40; view++) backup.viewChanges([0], view);
    backup.newView(
      newViewOf(
        [0, 1, 2].map((id) => viewChangeOf(id, 4)),
        {},
        1,
      ),
    );
    expect(backup.said).to.deep.equal([]);
    expect(backup.prepares([1], a).said, "it goes on ordering").to.deep.equal(["commit 0/1"]);
  });

  it("§4.5.2: the primary of v is replica v mod n, so that no faulty one is primary for more than f views in a row", () => {
    const primaries = [1, 2, 3, 4, 5].map((view) => new Lone(3).plainNewView(view).node.status.primary);
    expect(primaries).to.deep.equal([1, 2, 3, 0, 1]);
  });

  it("§4.5.2: with the primaries of f views silent, requests are executed all the same", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, to }) => from === 0 || to === 0;
    for (const id of [1, 2, 3]) cluster.at(id).request(requestOf("a"));
    changeViews(cluster, [1, 2, 3]);
    expect(cluster.executed.slice(1)).to.deep.equal([1, 1, 1]);
  });
});
