import { type PreparedClaim, sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, K, type Packet, requestOf, VIEW_CHANGE_MS } from "./builders.ts";
import { batchOf, checkpointOf, claimOf, newViewOf, nullDigest, rootOf, viewChangeOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const a = batchOf("a");
const b = batchOf("b");

/** VIEW-CHANGEs of 0, 1 and 2 for `view`, each with the claims given for it. */
const quorumWith = (view: number, ...claims: readonly PreparedClaim[][]): ReturnType<typeof viewChangeOf>[] =>
  [0, 1, 2].map((id) => viewChangeOf(id, view, { claims: claims[id] ?? [] }));

describe("The paper (OSDI'99), §4.4, the new-view of the primary:", () => {
  it("§4.4: the primary of v+1 multicasts it with 2f valid view-changes of others, not before", () => {
    const leader = new Lone(1).request("a").timeOut("progress", VIEW_CHANGE_MS).forget().viewChanges([0], 1);
    expect(leader.said, "with one").to.deep.equal([]);
    leader.viewChanges([2], 1);
    expect(leader.saidOf("new-view"), "with two").to.deep.equal(["new-view 1"]);
  });

  it("§4.4: nobody else does", () => {
    const backup = new Lone(2).request("a").timeOut("progress", VIEW_CHANGE_MS).viewChanges([0, 1, 3], 1);
    expect(backup.saidOf("new-view")).to.deep.equal([]);
  });

  it("§4.4: V holds the valid view-changes received and the one it sent", () => {
    const leader = new Lone(1).viewChanges([2, 3], 1);
    expect(leader.newViewSaid?.viewChanges.map(({ from }) => from)).to.deep.equal([1, 2, 3]);
  });

  it("§4.4: min-s is the latest stable checkpoint in V and max-s the highest number that prepared in V", () => {
    const leader = new Lone(1).decideUpTo(K).checkpoints([0, 2], K);
    const stable = checkpointOf(K, leader.rootAt(K));
    leader.hearViewChange(viewChangeOf(2, 1, { claims: [claimOf(1, 0, batchOf("batch 1"))] }));
    leader.hearViewChange(viewChangeOf(3, 1, { stable, claims: [claimOf(K + 3, 0, b)] }));
    const newView = leader.newViewSaid!;
    expect([newView.start, newView.digests.length]).to.deep.equal([K, 3]);
  });

  it("§4.4: for each number between them O has the request that prepared with the highest view number in V", () => {
    const leader = new Lone(2).prePrepare(a).prepares([1], a);
    leader.hearViewChange(viewChangeOf(0, 2, { claims: [claimOf(1, 1, b)] }));
    leader.hearViewChange(viewChangeOf(3, 2));
    expect(leader.newViewSaid?.digests, "b of view 1, not a of view 0").to.deep.equal([b.digest]);
  });

  it("§4.4: ... and the null request where none prepared", () => {
    const leader = new Lone(1).viewChanges([2, 3], 1, { claims: [claimOf(3, 0, a)] });
    expect(leader.newViewSaid?.digests).to.deep.equal([nullDigest, nullDigest, a.digest]);
  });

  it("§4.4: it has a signature of the primary for each pre-prepare of O", () => {
    const leader = new Lone(1).viewChanges([2, 3], 1, { claims: [claimOf(2, 0, a)] });
    expect(leader.frames("new-view")[0]!.newView.prePrepareSignatures).to.have.length(2);
    const backup = new Lone(3).hear(1, leader.frames("new-view")[0]!);
    expect(backup.saidOf("prepare"), "the null request; the body of the other is asked for").to.deep.equal([
      "prepare 1/1",
    ]);
  });

  it("§4.4: it appends O to its log, and enters v+1", () => {
    const leader = new Lone(1).viewChanges([2, 3], 1);
    expect(leader.log).to.deep.equal(["view-change", "new-view"]);
    expect(leader.node.status).to.include({ view: 1, primary: 1 });
  });

  it("§4.4: if min-s is above its own latest stable checkpoint, it inserts the proof, takes the checkpoint and enters then", () => {
    const donor = new Lone(2).decideUpTo(K, 1);
    const stable = checkpointOf(K, donor.rootAt(K));
    const leader = new Lone(1).viewChanges([2, 3], 1, { stable });
    expect(leader.node.status.view, "the state is not there").to.equal(0);
    for (let seq = 1; seq <= K; seq++) leader.hear(2, { type: "committed", entry: donor.node.disk.history.get(seq)! });
    leader.hear(2, { type: "stable-checkpoint", checkpoint: stable });
    expect(leader.node.status).to.include({ view: 1, lowWatermark: K });
    expect(leader.log).to.include("stable");
  });
});

describe("The paper (OSDI'99), §4.4, the new-view at a backup:", () => {
  it("§4.4: a backup accepts a correct one: it adds it to its log and enters v+1", () => {
    const backup = new Lone(3).plainNewView(1);
    expect(backup.log).to.deep.equal(["new-view"]);
    expect(backup.node.status).to.include({ view: 1, primary: 1 });
  });

  const quorum = quorumWith(1, [claimOf(2, 0, a)]);
  const refused = [
    { name: "it is not signed by the primary of v+1", newView: newViewOf(quorum, {}, 2) },
    { name: "it holds fewer than 2f+1 view-changes", newView: newViewOf(quorum.slice(0, 2)) },
    { name: "it holds one replica's view-change twice", newView: newViewOf([quorum[0]!, quorum[0]!, quorum[1]!]) },
    {
      name: "a view-change in it is for another view",
      newView: newViewOf([...quorum.slice(0, 2), viewChangeOf(2, 5)], { view: 1 as never }, 1),
    },
    { name: "O leaves out what prepared", newView: newViewOf(quorum, { digests: [nullDigest, nullDigest] }) },
    {
      name: "O has another request where one prepared",
      newView: newViewOf(quorum, { digests: [nullDigest, b.digest] }),
    },
    { name: "O has a request where none prepared", newView: newViewOf(quorum, { digests: [b.digest, a.digest] }) },
    { name: "O ends below max-s", newView: newViewOf(quorum, { digests: [nullDigest] }) },
    { name: "O goes on above max-s", newView: newViewOf(quorum, { digests: [nullDigest, a.digest, b.digest] }) },
    {
      name: "it does not begin at min-s",
      newView: newViewOf(quorum, { start: sequenceNumber(1), digests: [a.digest] }),
    },
  ];
  for (const { name, newView } of refused)
    it(`§4.4: ... not if ${name}`, () => {
      const backup = new Lone(3).newView(newView);
      expect([backup.node.status.view, backup.saidOf("prepare")]).to.deep.equal([0, []]);
    });

  it("§4.4: it verifies O by a computation like the primary's: the lower view's request in it is a lie, and evidence", () => {
    const views = quorumWith(2, [claimOf(1, 0, a)], [claimOf(1, 1, b)]);
    const backup = new Lone(3).newView(newViewOf(views, { digests: [a.digest] }));
    expect([backup.node.status.view, backup.evidence]).to.deep.equal([0, ["unjustified-new-view"]]);
    expect(new Lone(3).newView(newViewOf(views)).node.status.view, "and the right one is accepted").to.equal(2);
  });

  it("§4.4: it multicasts a prepare for each message in O", () => {
    const backup = new Lone(3).prePrepare(a, { seq: 2 }).forget();
    backup.newView(newViewOf(quorum));
    expect(backup.saidOf("prepare"), "the null request and a").to.deep.equal(["prepare 1/1", "prepare 1/2"]);
  });

  it("§4.4: thereafter the protocol proceeds as in the normal case, in view v+1", () => {
    const backup = new Lone(3).plainNewView(1).forget().decide(a, { view: 1 });
    expect([backup.said, backup.executed]).to.deep.equal([["prepare 1/1", "commit 1/1"], [a.digest]]);
  });

  it("§4.4: replicas redo the protocol between min-s and max-s and do not execute again what they have", () => {
    const done = new Lone(3).decide(a);
    done.newView(newViewOf(quorumWith(1, [claimOf(1, 0, a), claimOf(2, 0, b)]))).prepares([0, 2], a, { view: 1 });
    done.commits([0, 1, 2], a, { view: 1 });
    expect(done.executed, "a once").to.deep.equal([a.digest]);
    const open = new Lone(3).prePrepare(a).newView(newViewOf(quorumWith(1, [claimOf(1, 0, a)])));
    open.prepares([0, 2], a, { view: 1 }).commits([0, 1, 2], a, { view: 1 });
    expect(open.executed, "for the first time").to.deep.equal([a.digest]);
  });

  it("§4.4, departure: nor does a replica vote again for what it has executed; its certificate convinces others", () => {
    const done = new Lone(3)
      .decide(a)
      .forget()
      .newView(newViewOf(quorumWith(1, [claimOf(1, 0, a)])));
    expect(done.saidOf("prepare")).to.deep.equal([]);
  });

  it("§4.4: the null request goes through the protocol like others, and its execution is a no-op", () => {
    const backup = new Lone(3).newView(newViewOf(quorumWith(1, [claimOf(2, 0, a)]))).forget();
    backup
      .prepares([0, 2], { digest: nullDigest }, { view: 1 })
      .commits([0, 1, 2], { digest: nullDigest }, { view: 1 });
    expect(backup.executed).to.deep.equal([nullDigest]);
    const executions = backup.node.effects.flatMap((effect) => (effect.type === "execute" ? [effect.batch] : []));
    expect(executions.map(({ requests }) => requests)).to.deep.equal([[]]);
  });

  it("§4.4: a request message that it misses it obtains from another replica", () => {
    const backup = new Lone(3).newView(newViewOf(quorumWith(1, [claimOf(1, 0, a)])));
    expect([backup.saidOf("prepare"), backup.said], "it asks").to.deep.equal([[], ["fetch-batch"]]);
    backup.forget().hear(2, { type: "batch-body", batch: a.batch });
    expect(backup.saidOf("prepare")).to.deep.equal(["prepare 1/1"]);
  });

  it("§4.4: ... and what prepared there it gives to others", () => {
    const holder = new Lone(2).prePrepare(a).prepares([1], a).viewChanges([0, 1], 1).forget();
    const fetch = new Lone(3).newView(newViewOf(quorumWith(1, [claimOf(1, 0, a)]))).frames("signed")[0]!;
    holder.hear(3, fetch);
    expect(holder.frames("batch-body").map(({ batch }) => batch)).to.deep.equal([a.batch]);
  });

  it("§4.4: a stable checkpoint that it misses it obtains before it enters", () => {
    const donor = new Lone(2).decideUpTo(K);
    const stable = checkpointOf(K, donor.rootAt(K));
    const backup = new Lone(3).plainNewView(1, { stable });
    expect(backup.node.status.view, "before").to.equal(0);
    for (let seq = 1; seq <= K; seq++) backup.hear(2, { type: "committed", entry: donor.node.disk.history.get(seq)! });
    backup.hear(2, { type: "stable-checkpoint", checkpoint: stable });
    expect(backup.node.status, "after").to.include({ view: 1, executed: K, lowWatermark: K });
    expect(backup.rootAt(K)).to.equal(rootOf(donor.executed));
  });

  it("§4.4: a replica that missed it gets it from one that did not", () => {
    const cluster = new Cluster();
    const isCutOff = ({ from, to }: Packet): boolean => [from, to].includes(0);
    cluster.isLost = isCutOff;
    for (const node of cluster.nodes.slice(1)) {
      node.request(requestOf("a"));
      node.nowMs += VIEW_CHANGE_MS;
      node.fire("progress");
    }
    cluster.run().isLost = () => false;
    cluster.tick(12);
    expect(cluster.nodes.map(({ status }) => status.view)).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.executed).to.deep.equal([1, 1, 1, 1]);
  });
});
