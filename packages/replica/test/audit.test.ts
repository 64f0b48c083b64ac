import type { Effect, ReplicaFrame } from "@quorate/protocol";
import { expect } from "chai";
import { Cluster, L, type Node, requestOf } from "./builders.ts";

type Quarantine = Extract<Effect, { type: "quarantine" }>;

const quarantineOf = ({ effects }: Node): Quarantine | undefined =>
  effects.find((effect) => effect.type === "quarantine");
const accusedBy = ({ effects }: Node): number[] =>
  effects.flatMap((effect) => (effect.type === "divergence" ? [effect.divergence.from] : []));
const spoken = ({ effects }: Node): number =>
  effects.filter(({ type }) => type === "send" || type === "broadcast" || type === "persist").length;

/** Of which numbers it says in its statuses what it has put out up to there. */
const claimsOf = ({ effects }: Node): (readonly [number, boolean])[] =>
  effects.flatMap((effect) => {
    if (effect.type !== "broadcast" || effect.frame.type !== "signed") return [];
    const { message } = effect.frame.envelope;
    return message.type === "status" ? [[message.executed, message.executionDigest !== undefined] as const] : [];
  });

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

  it("claims nothing of what it has executed above its window, for a crash may take that, and the log does not say so", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    for (let i = 0; i < 3 * L + 2; i++) cluster.request(`${i}`);
    const tellsOfStable = (frame: ReplicaFrame): boolean =>
      frame.type === "stable-checkpoint" || (frame.type === "signed" && frame.envelope.message.type === "checkpoint");
    cluster.isLost = ({ to, frame }) => to === 3 && tellsOfStable(frame);
    cluster.tick(25);
    const { executed, highWatermark } = cluster.at(3).status;
    expect(executed).to.be.greaterThan(highWatermark);
    const claims = claimsOf(cluster.at(3));
    expect(
      claims.some(([seq]) => seq > highWatermark),
      "it says how far it is",
    ).to.equal(true);
    for (const [seq, isClaimed] of claims) expect(isClaimed, `${seq}`).to.equal(seq > 0 && seq <= highWatermark);

    cluster.isLost = () => false;
    cluster.request("now it hears of the window").tick(25);
    expect(claimsOf(cluster.at(3)).at(-1)).to.deep.equal([3 * L + 3, true]);
  });

  it("after a quarantine it claims nothing up to its end, also after a restart, and then goes on", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 5; i++) cluster.request(`${i}`);
    cluster.at(1).disk.silentUpTo = 4;
    cluster.at(1).disk.outputsSilentUpTo = 6;
    cluster.restart(1).tick(11);
    expect(
      claimsOf(cluster.at(1)).filter(([, isClaimed]) => isClaimed),
      "5 is below",
    ).to.deep.equal([]);
    cluster.request("5").request("6").tick(11);
    expect(claimsOf(cluster.at(1)).at(-1), "7 is above").to.deep.equal([7, true]);
    expect(requestOf("5").digest).to.not.equal(requestOf("6").digest);
  });
});
