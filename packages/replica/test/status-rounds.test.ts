import { expect } from "chai";
import { Cluster, requestOf, VIEW_CHANGE_MS } from "./builders.ts";

/** How many status messages replica 2 sends in so many ticks of its own; what it sends is lost. */
function statusesIn(cluster: Cluster, ticks: number): number {
  cluster.isLost = () => true;
  const node = cluster.at(2);
  node.effects.length = 0;
  for (let tick = 0; tick < ticks; tick++) {
    node.nowMs += 100;
    node.fire("status");
    cluster.run();
  }
  return node.effects.filter(
    (effect) =>
      effect.type === "broadcast" && effect.frame.type === "signed" && effect.frame.envelope.message.type === "status",
  ).length;
}

describe("when a replica says where it stands (protocol rule 4.8)", () => {
  it("at every tenth tick while it has nothing to do", () => {
    expect(statusesIn(new Cluster(), 30)).to.equal(3);
  });

  it("at every tick while a request waits", () => {
    const cluster = new Cluster();
    cluster.isLost = () => true;
    cluster.at(2).request(requestOf("waits"));
    expect(statusesIn(cluster, 5)).to.equal(5);
  });

  it("at every tick while it is between two views", () => {
    const cluster = new Cluster();
    cluster.isLost = () => true;
    cluster.at(2).request(requestOf("waits"));
    cluster.at(2).nowMs += VIEW_CHANGE_MS;
    cluster.at(2).fire("progress");
    expect(cluster.at(2).status.target).to.equal(1);
    expect(statusesIn(cluster, 5)).to.equal(5);
  });

  it("passes on again at each tick what waits, to the primary, and to nobody between two views", () => {
    const passedOn = (cluster: Cluster): number[] => {
      const node = cluster.at(2);
      node.effects.length = 0;
      node.nowMs += 100;
      node.fire("status");
      return node.effects.flatMap((effect) =>
        effect.type === "send" && effect.frame.type === "request" ? [effect.to] : [],
      );
    };
    const cluster = new Cluster();
    cluster.isLost = () => true;
    cluster.at(2).request(requestOf("waits"));
    expect([passedOn(cluster), passedOn(cluster)]).to.deep.equal([[0], [0]]);
    cluster.at(2).nowMs += VIEW_CHANGE_MS;
    cluster.at(2).fire("progress");
    expect(passedOn(cluster)).to.deep.equal([]);
  });
});
