import { sequenceNumber, type VerifiedRequest } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, cast, epoch, K, L, requestOf, VIEW_CHANGE_MS } from "./builders.ts";

function orderAbove(above: number): VerifiedRequest {
  return cast.clientOf("admin").signCheckpoint({ epoch, above: sequenceNumber(above) });
}

/** Everyone hears of an order of a checkpoint. */
function order(cluster: Cluster, above: number): Cluster {
  for (const node of cluster.nodes) node.request(orderAbove(above));
  return cluster.run();
}

const marksOf = (cluster: Cluster): string[] =>
  cluster.nodes.map(({ status }) => `(${status.lowWatermark}, ${status.highWatermark}]`);

describe("an ordered checkpoint (protocol rule 9.1)", () => {
  it("moves the window of all replicas to its number, and cuts their logs there", () => {
    const cluster = new Cluster();
    for (const label of ["a", "b", "c", "d", "e"]) cluster.request(label);

    order(cluster, 5);

    const number = K + 2;
    expect(cluster.executed).to.deep.equal([number, number, number, number]);
    expect(marksOf(cluster)).to.deep.equal(Array(4).fill(`(${number}, ${number + L}]`));
    for (const { disk } of cluster.nodes) {
      const stable = disk.log.flatMap((record) => (record.type === "stable" ? [record.checkpoint.seq] : []));
      expect(stable).to.deep.equal([number]);
    }
  });

  it("is followed by those at multiples of K, and by more numbers than a window has", () => {
    const cluster = order(new Cluster().request("a"), 1);
    expect(marksOf(cluster)[0]).to.equal(`(2, ${2 + L}]`);

    for (let i = 0; i < 3 * L; i++) cluster.request(`${i}`);

    const executed = 3 * L + 2;
    const last = executed - (executed % K);
    expect(cluster.executed).to.deep.equal(Array(4).fill(executed));
    expect(marksOf(cluster)).to.deep.equal(Array(4).fill(`(${last}, ${last + L}]`));
  });

  it("is what the primary owes: a view in which it is not made is given up (rule 7.4)", () => {
    const cluster = new Cluster().request("a");
    cluster.isLost = ({ to, frame }) => to === 0 && frame.type === "request";
    for (const id of [1, 2, 3]) cluster.at(id).request(orderAbove(1));
    cluster.run();
    expect(marksOf(cluster)[1]).to.equal(`(0, ${L}]`);

    for (const id of [1, 2, 3]) {
      cluster.at(id).nowMs += VIEW_CHANGE_MS;
      cluster.at(id).fire("progress");
    }
    cluster.run().tick(3);

    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(marksOf(cluster)).to.deep.equal(Array(4).fill(`(2, ${2 + L}]`));
  });

  it("that would only be refused costs nobody a view", () => {
    const cluster = new Cluster().request("a");
    cluster.isLost = ({ to, frame }) => to === 0 && frame.type === "request";
    for (const id of [1, 2, 3]) cluster.at(id).request(orderAbove(1), { type: "refusable" });
    cluster.run();

    for (const id of [1, 2, 3]) {
      cluster.at(id).nowMs += VIEW_CHANGE_MS;
      cluster.at(id).fire("progress");
    }
    cluster.run().tick(3);

    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
  });

  it("is where the next view starts", () => {
    const cluster = order(new Cluster().request("a").request("b"), 2);
    for (const id of [1, 2, 3]) cluster.at(id).request(requestOf("that the primary does not hear of"));
    cluster.isLost = ({ from, to }) => from === 0 || to === 0;

    for (let i = 0; i < 30 && cluster.views.includes(0); i++) {
      cluster.tick();
      for (const id of [1, 2, 3]) cluster.at(id).fire("progress");
      cluster.isLost = ({ from, to }) => from === 0 || to === 0;
      cluster.run();
    }
    cluster.isLost = () => false;
    cluster.tick(15);

    expect(Math.min(...cluster.views)).to.be.greaterThan(0);
    const starts = cluster.nodes.flatMap(({ disk }) =>
      disk.log.flatMap((record) => (record.type === "new-view" ? [record.newView.envelope.message.start] : [])),
    );
    expect(new Set(starts)).to.deep.equal(new Set([3]));
    expect(new Set(cluster.executed).size).to.equal(1);
  });

  it("is where a replica stands after a restart", () => {
    const cluster = order(new Cluster().request("a"), 1);

    cluster.restart(2).run();

    expect(cluster.at(2).status.lowWatermark).to.equal(2);
    cluster.request("afterwards");
    expect(cluster.executed).to.deep.equal([3, 3, 3, 3]);
  });

  it("lets a replica whose disk was lost vote again in an idle cluster, though there is no checkpoint at H+2L (rule 8.5)", () => {
    const cluster = order(new Cluster().request("a").request("b"), 2);
    cluster.lose(3).run();
    expect(cluster.at(3).status.mute).to.deep.include({ checkpoint: 3 + 2 * L });

    for (let ticks = 0; cluster.at(3).status.mute !== undefined; ticks++) {
      expect(ticks, "mute for ever").to.be.lessThan(200);
      cluster.tick();
    }

    const next = 2 * L + K;
    expect(cluster.at(3).status.lowWatermark).to.equal(next);
    expect(cluster.executed, "no more null batches than it needs").to.deep.equal([next, next, next, next]);
  });
});
