import { expect } from "chai";
import { Cluster, digestOf, K, L, requestOf } from "./builders.ts";
import { batchOf, checkpointOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

describe("The paper (OSDI'99), §4.3, garbage collection:", () => {
  it("§4.3: checkpoints are made when a request with a number divisible by K is executed", () => {
    const backup = new Lone(1).decideUpTo(2 * K + 1);
    expect(backup.saidOf("checkpoint")).to.deep.equal([`checkpoint ${K}`, `checkpoint ${2 * K}`]);
  });

  it("§4.3: a replica that makes one multicasts a checkpoint with the number and the digest of its state", () => {
    const backup = new Lone(1).decideUpTo(K);
    const votes = backup.packets.flatMap(({ to, frame }) =>
      frame.type === "signed" && frame.envelope.message.type === "checkpoint"
        ? [{ to, ...frame.envelope.message }]
        : [],
    );
    expect(votes.map(({ to, seq, stateRoot }) => [to, seq, stateRoot])).to.deep.equal(
      [0, 2, 3].map((to) => [to, K, backup.rootAt(K)]),
    );
  });

  it("§4.3: 2f+1 checkpoints of different replicas, its own possibly among them, make it stable; fewer do not", () => {
    const backup = new Lone(1).decideUpTo(K).checkpoints([0, 0, 0], K);
    expect(backup.node.status.lowWatermark, "its own and one").to.equal(0);
    backup.checkpoints([2], K);
    expect(backup.node.status.lowWatermark, "its own and two").to.equal(K);
  });

  it("§4.3: they prove it only with the same number and the same digest", () => {
    const backup = new Lone(1).decideUpTo(2 * K);
    backup
      .checkpoints([0], K)
      .checkpoints([2], 2 * K)
      .checkpoints([3], K, digestOf("another state"));
    expect(backup.node.status.lowWatermark).to.equal(0);
  });

  it("§4.3: with the proof all pre-prepares, prepares and commits at or below n are discarded; on the disk n's own go next", () => {
    const backup = new Lone(1).decideUpTo(K + 1);
    const numbers = (): number[] =>
      backup.node.disk.log.flatMap((record) => (record.type === "pre-prepared" ? [record.envelope.message.seq] : []));
    expect(numbers(), "before").to.deep.equal([1, 2, 3, 4, 5]);
    backup.checkpoints([0, 2], K).forget();
    expect(numbers(), "after").to.deep.equal([K, K + 1]);
    backup.viewChanges([2, 3], 1);
    expect(backup.viewChangeSaid?.prepared.map(({ seq }) => seq)).to.deep.equal([K + 1]);
  });

  it("§4.3: ... and all earlier checkpoints", () => {
    const backup = new Lone(1)
      .decideUpTo(2 * K)
      .checkpoints([0, 2], K)
      .checkpoints([0, 2], 2 * K);
    const stable = backup.node.disk.log.flatMap((record) => (record.type === "stable" ? [record.checkpoint.seq] : []));
    expect(stable).to.deep.equal([2 * K]);
  });

  it("§4.3: h is the number of the last stable checkpoint and H = h + k", () => {
    const backup = new Lone(1).decideUpTo(K).checkpoints([0, 2], K);
    const { lowWatermark, highWatermark } = backup.node.status;
    expect([lowWatermark, highWatermark]).to.deep.equal([K, K + L]);
  });

  it("§4.3: the primary proposes up to H and goes on when a checkpoint is stable", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ frame }) => frame.type === "signed" && frame.envelope.message.type === "checkpoint";
    for (let i = 0; i < L + 2; i++) cluster.at(0).request(requestOf(`${i}`));
    for (let i = 0; i < L + 2; i++) cluster.run();
    expect(Math.max(...cluster.executed), "H").to.be.at.most(L);
    cluster.isLost = () => false;
    cluster.tick(25);
    expect(cluster.at(0).disk.executed.length, "all requests").to.equal(cluster.at(3).disk.executed.length);
    expect(cluster.nodes.map(({ status }) => status.pendingRequests)).to.deep.equal([0, 0, 0, 0]);
  });

  it("§4.3: k is large enough that replicas do not stall waiting for a checkpoint to become stable", () => {
    const cluster = new Cluster();
    for (let i = 0; i < 4 * L; i++) cluster.request(`${i}`);
    expect(cluster.executed).to.deep.equal([4 * L, 4 * L, 4 * L, 4 * L]);
  });

  it("§4.3: the proof convinces a replica that has not heard the checkpoints themselves", () => {
    const backup = new Lone(1).decideUpTo(K);
    backup.hear(3, { type: "stable-checkpoint", checkpoint: checkpointOf(K, backup.rootAt(K)) });
    expect(backup.node.status.lowWatermark).to.equal(K);
  });

  it("§4.3: ... but not with a signature too few", () => {
    const backup = new Lone(1).decideUpTo(K);
    const { signatures, ...proof } = checkpointOf(K, backup.rootAt(K));
    backup.hear(3, { type: "stable-checkpoint", checkpoint: { ...proof, signatures: signatures.slice(1) } });
    expect(backup.node.status.lowWatermark).to.equal(0);
  });

  it("§4.3, departure: h moves only when the own state at n is there, whoever vouches for it", () => {
    const backup = new Lone(1).decideUpTo(K - 1);
    const root = [...backup.executed, batchOf(`batch ${K}`).digest];
    backup.checkpoints([0, 2, 3], K, digestOf(root.join()));
    expect(backup.node.status.lowWatermark, "before").to.equal(0);
    backup.decide(batchOf(`batch ${K}`), { seq: K });
    expect(backup.node.status.lowWatermark, "after").to.equal(K);
  });

  it("§4.3, departure: the proof is in the log before anything is discarded", () => {
    const backup = new Lone(1).decideUpTo(K).forget();
    backup.isFlushing = false;
    backup.checkpoints([0, 2], K);
    expect(backup.log, "before the flush").to.have.length(2 * K + 1);
    backup.node.flush();
    expect(backup.log, "what is of n itself stays").to.deep.equal(["pre-prepared", "prepared", "stable"]);
  });
});
