import { expect } from "chai";
import { Cluster, type Packet, requestOf, VIEW_CHANGE_MS } from "./builders.ts";

/** A cluster whose first primary keeps something back, for as long as it likes. */
class HeldBackCluster extends Cluster {
  isKeptBack: (packet: Packet) => boolean = () => false;
  readonly #kept: Packet[] = [];

  constructor(rotateEvery = 0) {
    super(rotateEvery);
    this.isLost = (packet: Packet): boolean => {
      if (!this.isKeptBack(packet)) return false;
      this.#kept.push(packet);
      return true;
    };
    // The grace period of the view.
    this.tick(VIEW_CHANGE_MS / 100);
  }
  letGo(): this {
    for (const { from, to, frame } of this.#kept.splice(0)) this.at(to).receive({ from, to, frame });
    return this.run();
  }
  askAs(client: string, label: string): this {
    for (const node of this.nodes) node.request(requestOf(label, client));
    return this.run();
  }
  override get views(): number[] {
    return this.nodes.map(({ status }) => status.view);
  }
  get causes(): string[] {
    return this.nodes.slice(1).map(({ leaveCause }) => leaveCause);
  }
}

const TICKS = 6;

describe("a backup judges its primary (protocol rule 7.4)", () => {
  it("one that proposes everything late, and never too late, loses its place", () => {
    const cluster = new HeldBackCluster();
    cluster.isKeptBack = ({ from, frame }) => from === 0 && frame.type === "pre-prepare";
    for (let i = 0; i < 2; i++) cluster.askAs("a", `late ${i}`).tick(TICKS).letGo();
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);

    cluster.askAs("a", "late 3").tick(TICKS).letGo();

    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.causes).to.include("slow");
    expect(cluster.executed).to.deep.equal([3, 3, 3, 3]);
    const [, judge] = cluster.nodes;
    expect(judge?.status.timeOutMs, "no time-out has passed").to.equal(VIEW_CHANGE_MS);
    cluster.askAs("a", "after");
    expect(cluster.executed).to.deep.equal([4, 4, 4, 4]);
  });

  it("so does it after quick turns of others: a turn that is over raises nothing that is tolerated", () => {
    const turns = 7;
    const cluster = new HeldBackCluster(60);
    for (let i = 0; i < turns * 60; i++) {
      cluster.askAs("a", `quick ${i}`);
      if (i % 5 === 0) cluster.tick();
    }
    expect(cluster.views).to.deep.equal([turns, turns, turns, turns]);
    const slow = turns % 4;
    cluster.tick(VIEW_CHANGE_MS / 100 + 2);
    cluster.isKeptBack = ({ from, frame }) => from === slow && frame.type === "pre-prepare";
    for (let i = 0; i < 10 && cluster.views[0] === turns; i++) cluster.askAs("a", `late ${i}`).tick(TICKS).letGo();
    expect(cluster.views).to.deep.equal([turns + 1, turns + 1, turns + 1, turns + 1]);
    expect(cluster.nodes.map(({ leaveCause }) => leaveCause)).to.include("slow");
  });

  it("one that lets a single client wait, and serves all others, loses its place", () => {
    const cluster = new HeldBackCluster();
    cluster.isKeptBack = ({ to, frame }) => to === 0 && frame.type === "request" && !isOther(frame.request.client);
    const isOther = (client: string): boolean => client !== requestOf("", "victim").request.client;
    for (let i = 0; i < 3; i++) {
      expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
      for (const node of cluster.nodes.slice(1)) node.request(requestOf(`victim ${i}`, "victim"));
      cluster.run();
      for (let j = 0; j < TICKS; j++) cluster.askAs("other", `other ${i} ${j}`).tick();
      cluster.letGo();
    }
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    expect(cluster.causes).to.include("unfair");
  });

  it("one that does what it can keeps its place", () => {
    const cluster = new HeldBackCluster();
    for (let i = 0; i < 40; i++) cluster.askAs("a", `in time ${i}`).tick(2);
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
  });

  it("the primary does not judge itself", () => {
    const cluster = new HeldBackCluster();
    // Its own clocks run, for the others vote late.
    cluster.isKeptBack = ({ to, frame }) =>
      to === 0 && frame.type === "signed" && frame.envelope.message.type === "commit";
    for (let i = 0; i < 5; i++) cluster.askAs("a", `late ${i}`).tick(TICKS).letGo();
    expect(cluster.views).to.deep.equal([0, 0, 0, 0]);
  });
});
