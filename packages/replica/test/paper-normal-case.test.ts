import { epochNumber, quorumSize, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, eventOf, K, L, membership, type Packet, requestOf } from "./builders.ts";
import { batchOf, claimOf, preparedOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const a = batchOf("a");
const b = batchOf("b");
const isSigned = ({ frame }: Packet, type: string): boolean =>
  frame.type === "signed" && frame.envelope.message.type === type;

describe("The paper (OSDI'99), §4.1, what replicas owe the client:", () => {
  it("§4.1: a backup relays a request that it has not processed to the primary", () => {
    const backup = new Lone(2).request("a");
    expect(backup.packets.map(({ to, frame }) => [to, frame.type])).to.deep.equal([[0, "request"]]);
  });

  it("§4.1: a request that was processed is not ordered again, whoever sends it how often", () => {
    const cluster = new Cluster().request("a");
    for (const node of cluster.nodes) node.request(requestOf("a"), { type: "answered" });
    expect(cluster.run().executed).to.deep.equal([1, 1, 1, 1]);
  });
});

describe("The paper (OSDI'99), §4.2, normal-case operation:", () => {
  it("§4.2: the primary starts the three-phase protocol when it receives a request", () => {
    expect(new Lone(0).request("a").said).to.deep.equal(["pre-prepare 0/1"]);
  });

  it("§4.2: it assigns the sequence numbers one by one", () => {
    const leader = new Lone(0).request("a").request("b").request("c");
    expect(leader.said).to.deep.equal(["pre-prepare 0/1", "pre-prepare 0/2", "pre-prepare 0/3"]);
  });

  it("§4.2: ... and none to a request that it has one for", () => {
    expect(new Lone(0).request("a").request("a").said).to.deep.equal(["pre-prepare 0/1"]);
  });

  it("§4.2: it multicasts the pre-prepare with the request to all backups", () => {
    const leader = new Lone(0).request("a");
    expect(leader.packets.map(({ to }) => to)).to.deep.equal([1, 2, 3]);
    const [proposal] = leader.frames("pre-prepare");
    expect(proposal?.batch.requests).to.deep.equal([requestOf("a").request]);
  });

  it("§4.2: with too many numbers in progress it buffers requests, and multicasts them later as a group", () => {
    const leader = new Lone(0);
    for (const label of ["1", "2", "3", "4", "5", "6"]) leader.request(label);
    expect(leader.said, "while four are in progress").to.have.length(4);
    const { batch, envelope } = leader.frames("pre-prepare")[0]!;
    const { digest } = envelope.message;
    leader.forget().prepares([1, 2], { digest }).commits([1, 2], { digest });
    expect(batch.requests).to.have.length(1);
    expect(leader.frames("pre-prepare").map((proposal) => proposal.batch.requests.length)).to.deep.equal([2]);
  });

  it("§4.2: a backup accepts a pre-prepare only if the signature of the primary is correct", () => {
    const backup = new Lone(1);
    const { envelope } = new Lone(0).request("a").frames("pre-prepare")[0]!;
    const forged = { ...envelope, signature: envelope.signature.map((byte) => byte ^ 1) };
    backup.hear(0, { type: "pre-prepare", envelope: forged, batch: a.batch });
    expect([backup.said, backup.log]).to.deep.equal([[], []]);
  });

  it("§4.2: ... only if the signature of the request is correct", () => {
    const [request] = a.batch.requests;
    const forged = { ...request!, signature: request!.signature.map((byte) => byte ^ 1) };
    const { prePrepare: envelope } = preparedOf(claimOf(1, 0, a));
    const backup = new Lone(1).hear(0, { type: "pre-prepare", envelope, batch: { ...a.batch, requests: [forged] } });
    expect([backup.said, backup.log], "it asks others for the request").to.deep.equal([["fetch-batch"], []]);
  });

  it("§4.2: ... only if d is the digest of m", () => {
    const { prePrepare: envelope } = preparedOf(claimOf(1, 0, a));
    const backup = new Lone(1).hear(0, { type: "pre-prepare", envelope, batch: b.batch });
    expect([backup.said, backup.log]).to.deep.equal([["fetch-batch"], []]);
  });

  it("§4.2: ... only if it is in view v", () => {
    const backup = new Lone(2).prePrepare(a, { view: 1 });
    expect([backup.said, backup.log], "of a later view").to.deep.equal([[], []]);
    const moved = new Lone(3).viewChanges([0, 1], 1).plainNewView(1).forget().prePrepare(a, { view: 0 });
    expect([moved.said, moved.rejections], "of an earlier one").to.deep.equal([[], ["view.past"]]);
  });

  it("§4.2: ... only from the primary of v", () => {
    const backup = new Lone(1).prePrepare(a, { from: 2 });
    expect([backup.said, backup.rejections]).to.deep.equal([[], ["pre-prepare.not-from-primary"]]);
  });

  it("§4.2: ... only if it has not accepted one for view v and number n with another digest", () => {
    const backup = new Lone(1).prePrepare(a).forget().prePrepare(b);
    expect([backup.said, backup.log, backup.evidence]).to.deep.equal([[], ["pre-prepared"], ["equivocation"]]);
  });

  it("§4.2: ... only if n is between a low water mark h and a high water mark H", () => {
    const backup = new Lone(1);
    for (const seq of [L + 1, 2 * L, 2 * L + 1]) backup.prePrepare(a, { seq });
    expect(backup.said, "above H").to.deep.equal([]);
    backup.prePrepare(a, { seq: L });
    expect(backup.said, "H itself").to.deep.equal([`prepare 0/${L}`]);
    backup.decideUpTo(K).checkpoints([0, 2, 3], K).forget().prePrepare(b, { seq: K });
    expect([backup.said, backup.rejections], "h itself").to.deep.equal([[], ["window.below"]]);
  });

  it("§4.2: a backup that accepts it multicasts a prepare and adds both messages to its log", () => {
    const backup = new Lone(1).prePrepare(a);
    expect([backup.said, backup.log], "the prepare follows from the record").to.deep.equal([
      ["prepare 0/1"],
      ["pre-prepared"],
    ]);
    expect(backup.packets.map(({ to }) => to)).to.deep.equal([0, 2, 3]);
  });

  it("§4.2: otherwise it does nothing: without a pre-prepare no vote of others makes it speak", () => {
    const backup = new Lone(1).prepares([2, 3], a).commits([0, 2, 3], a);
    expect([backup.said, backup.log, backup.executed]).to.deep.equal([[], [], []]);
  });

  it("§4.2: prepares count only if their signatures are correct", () => {
    const { prepares } = preparedOf(claimOf(1, 0, a));
    const backup = new Lone(1).prePrepare(a).forget();
    const message = { ...preparedOf(claimOf(1, 0, a)).prePrepare.message, type: "prepare" } as const;
    for (const from of [2, 3])
      backup.hear(from, {
        type: "signed",
        envelope: { from: replicaId(from), message, signature: prepares[0]!.signature },
      });
    expect(backup.said).to.deep.equal([]);
  });

  it("§4.2: prepares count only if their view is the replica's view, and their number lies between h and H", () => {
    const backup = new Lone(1).prePrepare(a).forget();
    backup
      .prepares([2, 3], a, { view: 1 })
      .prepares([2, 3], a, { seq: 0 })
      .prepares([2, 3], a, { seq: L + 1 });
    expect(backup.said).to.deep.equal([]);
  });

  it("§4.2: prepared(m,v,n,i) needs the pre-prepare and 2f prepares of different backups that match it", () => {
    const backup = new Lone(1).prePrepare(a).forget();
    backup.prepares([0], a).prepares([2, 3], b);
    expect(backup.said, "one of the primary, and two of another digest").to.deep.equal([]);
    const other = new Lone(1).prePrepare(a).forget().prepares([2], a);
    expect(other.said, "its own and one").to.deep.equal(["commit 0/1"]);
  });

  it("§4.2: one backup counts once, however often it sends its prepare", () => {
    const leader = new Lone(0).request("a").forget();
    const { digest } = leader
      .request("a")
      .node.disk.log.flatMap((record) => (record.type === "pre-prepared" ? [record.envelope.message] : []))[0]!;
    leader.prepares([2, 2, 2, 2], { digest });
    expect(leader.saidOf("commit")).to.deep.equal([]);
    leader.prepares([3], { digest });
    expect(leader.saidOf("commit")).to.deep.equal(["commit 0/1"]);
  });

  it("§4.2: the pre-prepare and prepare phases order totally within a view: two replicas never prepare different requests", () => {
    // The primary is faulty: it proposes a to 1 and b to 2 and 3, and everyone hears all that the others say.
    const first = new Lone(1).prePrepare(a);
    const others = [2, 3].map((id) => new Lone(id).prePrepare(b));
    first.prepares([2, 3], b);
    for (const [i, other] of others.entries()) other.prepares([1], a).prepares([i === 0 ? 3 : 2], b);
    expect([first, ...others].map((replica) => replica.saidOf("commit"))).to.deep.equal([
      [],
      ["commit 0/1"],
      ["commit 0/1"],
    ]);
  });

  it("§4.2: a replica multicasts a commit when prepared becomes true, not before, and once", () => {
    const backup = new Lone(1).prePrepare(a);
    expect(backup.saidOf("commit"), "before").to.deep.equal([]);
    backup.prepares([2, 3], a).prePrepare(a);
    expect(backup.saidOf("commit")).to.deep.equal(["commit 0/1"]);
    expect(backup.packets.filter((packet) => isSigned(packet, "commit"))).to.have.length(3);
  });

  it("§4.2, here with a disk: the prepared certificate is in the log before the commit leaves", () => {
    const backup = new Lone(1).prePrepare(a).forget();
    backup.isFlushing = false;
    backup.prepares([2], a);
    expect([backup.log, backup.said]).to.deep.equal([["pre-prepared", "prepared"], []]);
    backup.node.flush();
    expect(backup.said).to.deep.equal(["commit 0/1"]);
  });

  it("§4.2: committed-local(m,v,n,i) needs prepared and 2f+1 commits that match, the own one included", () => {
    const backup = new Lone(1).prePrepare(a).prepares([2], a).commits([0], a);
    expect(backup.executed, "with one of others").to.deep.equal([]);
    backup.commits([3], b);
    expect(backup.executed, "with one of another digest").to.deep.equal([]);
    backup.commits([2], a);
    expect(backup.executed, "with two of others").to.deep.equal([a.digest]);
  });

  it("§4.2: commits count only in the replica's view and between h and H", () => {
    const backup = new Lone(1).prePrepare(a).prepares([2], a);
    backup.commits([0, 2, 3], a, { view: 1 }).commits([0, 2, 3], a, { seq: L + 1 });
    expect(backup.executed).to.deep.equal([]);
  });

  it("§4.2: if committed-local is true for a correct replica, prepared is true for at least f+1 correct ones", () => {
    const cluster = new Cluster();
    cluster.at(0).request(requestOf("a"));
    let isExecuted = false;
    while (!isExecuted) {
      for (const node of cluster.nodes) node.flush();
      const packet = cluster.packets.shift()!;
      cluster.at(packet.to).receive(packet);
      isExecuted = cluster.executed.some((executed) => executed > 0);
    }
    const prepared = cluster.nodes.filter((node) => node.durable().log.some(({ type }) => type === "prepared"));
    expect(prepared.length).to.be.at.least(quorumSize(membership) - 1);
  });

  it("§4.2: messages of the phases count in whatever order they arrive", () => {
    const backup = new Lone(1).commits([0, 2], a).prepares([2], a).prePrepare(a);
    expect([backup.said, backup.executed]).to.deep.equal([["prepare 0/1", "commit 0/1"], [a.digest]]);
  });

  it("§4.2: a replica executes when all requests with lower numbers are executed, though they commit in another order", () => {
    const backup = new Lone(1).decide(b, { seq: 2 });
    expect(backup.executed, "the first is missing").to.deep.equal([]);
    backup.decide(a, { seq: 1 });
    expect(backup.executed).to.deep.equal([a.digest, b.digest]);
  });

  it("§4.2: all correct replicas execute requests in the same order", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 12; i++) cluster.at(i % 4).request(requestOf(`${i}`));
    cluster.run();
    for (const { id, disk } of cluster.nodes)
      expect(disk.executed, `replica ${id}`).to.deep.equal(cluster.at(0).disk.executed);
    expect(cluster.at(0).disk.executed.length).to.be.greaterThan(1);
  });

  it("§4.2: it discards what it cannot use: what a stranger signed, and what is of another epoch", () => {
    const { prePrepare } = preparedOf(claimOf(1, 0, a));
    const strange = { ...prePrepare, from: replicaId(9) };
    const other = { ...prePrepare, message: { ...prePrepare.message, epoch: epochNumber(1) } };
    const events = [prePrepare, strange, other].map((envelope) =>
      eventOf(0, { type: "pre-prepare", envelope, batch: a.batch }),
    );
    expect(events.map((event) => event?.type)).to.deep.equal(["message", undefined, undefined]);
  });
});
