import type { Effect } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, type Node, requestOf } from "./builders.ts";

type Quarantine = Extract<Effect, { type: "quarantine" }>;

const quarantineOf = ({ effects }: Node): Quarantine | undefined =>
  effects.find((effect) => effect.type === "quarantine");
const accusedBy = ({ effects }: Node): number[] =>
  effects.flatMap((effect) => (effect.type === "divergence" ? [effect.divergence.from] : []));
const spoken = ({ effects }: Node): number =>
  effects.filter(({ type }) => type === "send" || type === "broadcast" || type === "persist").length;

describe("members that compare what they execute (protocol rule 9.5)", () => {
  it("nobody is accused when all execute the same", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 20; i++) cluster.request(`${i}`);
    cluster.tick(25);
    for (const node of cluster.nodes) expect([quarantineOf(node), accusedBy(node)]).to.deep.equal([undefined, []]);
    expect(cluster.executed).to.deep.equal([20, 20, 20, 20]);
  });

  it("one that puts out something else finds out by the statuses of others, and says nothing more", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 9; i++) cluster.request(`${i}`);
    cluster.at(2).wrong = "a bit flipped";
    cluster.request("9").tick(11);

    const quarantine = quarantineOf(cluster.at(2));
    expect(quarantine?.contradiction.by).to.equal("members");
    expect([quarantine?.upTo, quarantine?.target?.seq]).to.deep.equal([10, 8]);
    expect(quarantine?.statementsUpTo, "the window").to.equal(cluster.at(2).status.highWatermark);
    const before = spoken(cluster.at(2));
    cluster.request("10").tick(25);
    expect(spoken(cluster.at(2)), "silent").to.equal(before);
    expect(cluster.executed).to.deep.equal([11, 11, 10, 11]);
    for (const id of [0, 1, 3]) expect([id, accusedBy(cluster.at(id))]).to.deep.equal([id, [2]]);
  });

  it("one whose state at a checkpoint is another finds out by what the others vote", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 7; i++) cluster.request(`${i}`);
    cluster.at(2).wrong = "a bit flipped";
    cluster.request("7").tick();

    const quarantine = quarantineOf(cluster.at(2));
    expect(quarantine?.upTo).to.equal(8);
    expect(cluster.nodes.map(({ status }) => status.lowWatermark)).to.deep.equal([8, 8, 4, 8]);
  });

  it("one that knows the certificate already does not even vote for its own state", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ to }) => to === 2;
    for (let i = 0; i < 5; i++) cluster.request(`${i}`);
    cluster.at(2).wrong = "a bit flipped";
    cluster.isLost = () => false;
    cluster.tick(12);

    expect(quarantineOf(cluster.at(2))?.contradiction).to.include({ by: "certificate", seq: 4 });
    const said = cluster
      .at(2)
      .effects.flatMap((effect) =>
        effect.type === "broadcast" && effect.frame.type === "signed" ? [effect.frame.envelope.message.type] : [],
      );
    expect(said).to.include("status").and.not.include("checkpoint");
  });

  it("f liars make nobody stop, and are named", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 9; i++) cluster.request(`${i}`);
    cluster.at(3).wrong = "it lies, and stops for it; but it has lied";
    cluster.request("9").tick(11);

    for (const id of [0, 1, 2]) expect(quarantineOf(cluster.at(id)), `${id}`).to.equal(undefined);
    expect(cluster.at(0).status.divergent.map(({ from, part, seq }) => [from, part, seq])).to.deep.equal([
      [3, "outputs", 10],
    ]);
  });

  it("after a quarantine it claims nothing up to its end, also after a restart, and then goes on", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 5; i++) cluster.request(`${i}`);
    const claims = (id: number): (boolean | undefined)[] =>
      cluster.at(id).effects.flatMap((effect) => {
        if (effect.type !== "broadcast" || effect.frame.type !== "signed") return [];
        const { message } = effect.frame.envelope;
        return message.type === "status" ? [message.executionDigest !== undefined] : [];
      });
    cluster.at(1).disk.silentUpTo = 6;
    cluster.restart(1).tick(11);
    expect(claims(1), "5 is below").to.not.include(true);
    cluster.request("5").request("6").tick(11);
    expect(claims(1).at(-1), "7 is above").to.equal(true);
    expect(requestOf("5").digest).to.not.equal(requestOf("6").digest);
  });
});
