import type { ReplicaFrame } from "@quorate/protocol";
import { recover } from "@quorate/replica";
import { expect } from "chai";
import {
  Cluster,
  genesisBase,
  membership,
  type Node,
  newReplica,
  type Packet,
  requestOf,
  STATUS_MS,
  seqOf,
  VIEW_CHANGE_MS,
  verifier,
} from "./builders.ts";

const isSigned = (frame: ReplicaFrame, type: string): boolean =>
  frame.type === "signed" && frame.envelope.message.type === type;
const leftOf = ({ status: { viewsLeft } }: Node): string =>
  Object.entries(viewsLeft)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => `${count} ${cause}`)
    .join();
const requestsIn = ({ disk }: Node): number[] =>
  disk.executed.map((_, at) => disk.history.get(at + 1)!.batch.requests.length);

describe("a hand-over on request (protocol rule 7.6)", () => {
  it("makes the next replica primary without a time-out, a failure or lost work", () => {
    const cluster = new Cluster().request("before");
    cluster.at(0).handOver();
    cluster.at(1).request(requestOf("meanwhile"));
    cluster.run().request("after");
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.nodes.map(({ status }) => status.timeOutMs)).to.deep.equal(Array(4).fill(VIEW_CHANGE_MS));
    expect(cluster.executed).to.deep.equal([3, 3, 3, 3]);
    expect(requestsIn(cluster.at(2))).to.deep.equal([1, 1, 1]);
    expect(cluster.nodes.map(leftOf)).to.deep.equal(Array(4).fill("1 handed-over"));
  });

  it("what was under way is finished by the next primary", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ frame }) => isSigned(frame, "commit");
    cluster.request("a");
    cluster.isLost = () => false;
    cluster.at(0).handOver();
    cluster.run().tick(2);
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.executed).to.deep.equal([1, 1, 1, 1]);
  });

  it("brings back one that had left the view alone, before the primary does so by itself (protocol rule 7.5)", () => {
    const cluster = new Cluster().request("before");
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    const alone = cluster.at(3);
    alone.request(requestOf("only here"));
    alone.nowMs += 2 * VIEW_CHANGE_MS;
    alone.fire("progress");
    cluster.isLost = () => false;
    cluster.tick(3);
    expect([cluster.views, cluster.nodes.map(({ status }) => status.target)]).to.deep.equal([
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
    // What it had asked for has come through as well.
    expect(cluster.request("meanwhile").tick(3).executed, "it follows").to.deep.equal([3, 3, 3, 3]);
    expect(cluster.views, "nothing brings it back so soon").to.deep.equal([0, 0, 0, 0]);

    cluster.at(0).handOver();

    expect(cluster.run().views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.nodes.map(({ status }) => status.target)).to.deep.equal([1, 1, 1, 1]);
  });

  it("is nothing that a backup, or a primary between two views, can do", () => {
    const cluster = new Cluster();
    cluster.at(1).handOver();
    cluster.at(0).handOver();
    cluster.at(0).handOver();
    const rejections = (id: number): string[] =>
      cluster.at(id).effects.flatMap((effect) => (effect.type === "rejected" ? [effect.rejection.code] : []));
    expect([rejections(1), rejections(0)]).to.deep.equal([["hand-over.not-primary"], ["hand-over.not-primary"]]);
    expect(cluster.run().views).to.deep.equal([1, 1, 1, 1]);
  });

  it("is nothing that a replica can do before it starts, when its log says that it is between two views", () => {
    const cluster = new Cluster();
    cluster.isLost = () => true;
    cluster.at(0).handOver();
    const record = cluster
      .run()
      .at(0)
      .durable()
      .log.find(({ type }) => type === "view-change");
    const viewChange = record?.type === "view-change" && verifier.verifyViewChange(record.viewChange, membership);
    if (!viewChange) throw new Error("it has sent no VIEW-CHANGE");
    const disk = { records: [{ type: "view-change", viewChange }], executed: seqOf(0), committed: [] } as const;
    const { base, recovery } = recover(genesisBase, disk);
    const effects = newReplica(0, base, recovery).step({ type: "hand-over-asked" }, 2_000);
    expect(effects.map(({ type }) => type)).to.deep.equal(["rejected"]);
  });

  it("that is lost on the way is said again with the status exchange, even when nothing waits", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, frame }) => from === 0 && frame.type !== "request" && !isSigned(frame, "status");
    cluster.at(0).handOver();
    cluster.run();
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
    cluster.isLost = () => false;
    for (let ticks = 0; ticks < 11; ticks++) cluster.tick();
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
  });

  it("that comes after f+1 others have gone makes good that their going was counted as a failure", () => {
    const cluster = new Cluster();
    const withheld: Packet[] = [];
    cluster.isLost = (packet) => {
      const isLate = packet.to === 3 && isSigned(packet.frame, "hand-over");
      // Nor does it get a NEW-VIEW before.
      if (isLate) withheld.push(packet);
      return isLate || packet.frame.type === "new-view";
    };
    cluster.at(0).handOver();
    cluster.run();
    expect([leftOf(cluster.at(3)), cluster.at(3).status.timeOutMs]).to.deep.equal(["1 joined", 2 * VIEW_CHANGE_MS]);
    cluster.at(3).receive(withheld[0]!);
    cluster.at(3).receive(withheld[0]!);
    expect(cluster.at(3).status.timeOutMs).to.equal(VIEW_CHANGE_MS);
  });
});

describe("rotation every k batches (protocol rule 7.6)", () => {
  it("gives each primary k batches, executes each of them once, and counts no failure", () => {
    const cluster = new Cluster(3);
    for (let i = 0; i < 14; i++) cluster.request(`${i}`);
    expect(cluster.views).to.deep.equal([4, 4, 4, 4]);
    expect(cluster.executed).to.deep.equal([14, 14, 14, 14]);
    expect(requestsIn(cluster.at(1)), "no null batch").to.deep.equal(Array(14).fill(1));
    expect(cluster.nodes.map(({ status }) => status.timeOutMs)).to.deep.equal(Array(4).fill(VIEW_CHANGE_MS));
    expect(cluster.nodes.map(leftOf)).to.deep.equal(Array(4).fill("4 rotated"));
  });

  it("comes at each batch if genesis says so", () => {
    const cluster = new Cluster(1);
    for (let i = 0; i < 9; i++) cluster.request(`${i}`);
    expect([cluster.views, cluster.executed]).to.deep.equal([Array(4).fill(9), Array(4).fill(9)]);
  });

  it("never comes by itself: an idle cluster stays in its view", () => {
    const cluster = new Cluster(1).request("a");
    cluster.tick(30);
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
  });

  it("does not come unless genesis says so", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 14; i++) cluster.request(`${i}`);
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
  });

  it("goes on after a restart at that very moment: with the last batch executed and no VIEW-CHANGE on disk", () => {
    const cluster = new Cluster(2).request("a");
    // The flush of the VIEW-CHANGE does not come any more: cut the power as soon as the batch is executed.
    cluster.at(2).request(requestOf("b"));
    for (const id of [0, 1, 3]) cluster.at(id).request(requestOf("b"));
    while (cluster.at(2).disk.executed.length < 2) {
      for (const node of cluster.nodes) node.flush();
      const packet = cluster.packets.shift()!;
      cluster.at(packet.to).receive(packet);
    }
    expect(cluster.at(2).status.target).to.equal(1);
    cluster.restart(2);
    expect(cluster.at(2).status, "it says so again").to.include({ view: 0, target: 1, executed: 2 });
    cluster.run().request("c").tick(2);
    expect([cluster.views, cluster.executed]).to.deep.equal([Array(4).fill(1), Array(4).fill(3)]);
  });

  it("counts on from where the view began after a restart in a later one", () => {
    const cluster = new Cluster(2).request("a").request("b").request("c");
    for (const { id } of cluster.nodes) cluster.restart(id);
    cluster.run();
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    cluster.request("d").tick(2);
    expect([cluster.views, cluster.executed]).to.deep.equal([Array(4).fill(2), Array(4).fill(4)]);
    cluster.request("e");
    expect(cluster.views).to.deep.equal([2, 2, 2, 2]);
  });

  it("takes a replica along that was cut off for some turns", () => {
    const cluster = new Cluster(2);
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    for (let i = 0; i < 5; i++) cluster.request(`${i}`);
    cluster.isLost = () => false;
    cluster.at(3).nowMs += 4 * STATUS_MS;
    cluster.tick(12);
    expect([cluster.views, cluster.executed]).to.deep.equal([Array(4).fill(2), Array(4).fill(5)]);
  });

  it("a primary whose view ends proposes no more, and what waits goes to the next one", () => {
    const cluster = new Cluster(1);
    // All at once: the first batch takes one of them, and is the last of its view.
    for (const node of cluster.nodes) for (const label of ["a", "b", "c"]) node.request(requestOf(label));
    cluster.run();
    expect(cluster.executed).to.deep.equal([2, 2, 2, 2]);
    expect(requestsIn(cluster.at(1))).to.deep.equal([1, 2]);
  });
});
