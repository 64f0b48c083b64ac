import { expect } from "chai";
import { Cluster, K, L, type Packet } from "./builders.ts";

function typeOf({ frame }: Packet): string {
  return frame.type === "signed" ? frame.envelope.message.type : frame.type;
}

/** A cluster in which one replica comes back while its state is brought to it; notes what that one sends from then on. */
function clusterWith(awaiting: number): { cluster: Cluster; sent: string[] } {
  const cluster = new Cluster().request("before");
  const sent: string[] = [];
  cluster.at(awaiting).durable().awaitsState = true;
  cluster.isLost = (packet): boolean => {
    if (packet.from === awaiting) sent.push(typeOf(packet));
    return false;
  };
  cluster.restart(awaiting).run();
  return { cluster, sent };
}

describe("a replica whose state is brought to it (protocol rule 10.2)", () => {
  it("votes: with one of the others silent there is a quorum", () => {
    const { cluster, sent } = clusterWith(3);
    const note = cluster.isLost;
    cluster.isLost = (packet): boolean => note(packet) || packet.from === 2 || packet.to === 2;

    cluster.request("without one");

    expect(cluster.executed[0]).to.equal(2);
    expect(sent).to.include.members(["prepare", "commit"]);
  });

  it("signs no CHECKPOINT, and its votes rest on those of the others", () => {
    const { cluster, sent } = clusterWith(3);

    for (let number = 0; number < 2 * K; number++) cluster.request(`${number}`);
    cluster.tick(3);

    expect(sent).to.include("commit").and.not.include("checkpoint");
    expect(cluster.at(3).status.lowWatermark).to.equal(2 * K);
  });

  it("as primary hands over at once", () => {
    const { cluster, sent } = clusterWith(0);

    cluster.tick();

    expect(sent).to.include("hand-over");
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
    cluster.request("after");
    expect(cluster.executed).to.deep.equal([2, 2, 2, 2]);
  });

  it("stays mute if its disk was lost, however far its votes could go", () => {
    const cluster = new Cluster().request("a");
    const sent: string[] = [];
    cluster.isLost = (packet): boolean => {
      if (packet.from === 3) sent.push(typeOf(packet));
      return false;
    };
    cluster.lose(3);
    cluster.at(3).durable().awaitsState = true;
    cluster.restart(3).run();

    for (let ticks = 0; ticks < 40; ticks++) cluster.request(`${ticks}`).tick();

    expect(cluster.at(3).status).to.deep.include({ lowWatermark: cluster.at(0).status.lowWatermark });
    expect(cluster.at(3).status.lowWatermark).to.be.at.least(2 * L);
    expect(cluster.at(3).status.mute, "released without its state").not.to.equal(undefined);
    expect(sent).not.to.include.members(["prepare"]);
  });
});
