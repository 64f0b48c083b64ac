import type { CheckpointCertificate, Effect } from "@quorate/protocol";
import { timestampMs, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import {
  CHANGE,
  Cluster,
  composer,
  envelopeOf,
  epoch,
  K,
  L,
  type Packet,
  requestOf,
  STATUS_MS,
  seqOf,
  VIEW_CHANGE_MS,
} from "./builders.ts";

/** Of a change that is ordered first. */
const ACTIVATION = 12;
const NULL_DIGEST = composer.compose(timestampMs(0), []).digest;

/** A cluster in which nothing may ever be possible above the activation. */
class Ending extends Cluster {
  /** Where the change takes effect that is, or will be, ordered. */
  readonly activation: number;
  drops: (packet: Packet) => boolean = () => false;

  constructor(rotateEvery = 0, activation = ACTIVATION) {
    super(rotateEvery);
    this.activation = activation;
    this.isLost = (packet): boolean => {
      for (const { status } of this.nodes) expect(status.highWatermark).to.be.at.most(this.activation);
      return this.drops(packet);
    };
  }

  change(): this {
    for (const node of this.nodes) node.request(CHANGE);
    return this.run();
  }
  /** The change is executed, and nothing of what follows arrives. */
  stall(): this {
    this.drops = ({ frame }) => seqIn(frame) > 1 || frame.type === "view-change";
    return this.change();
  }
  heal(): this {
    this.drops = () => false;
    return this;
  }
  /** What is about numbers above `last` is lost, and what the primary says of numbers if it is stalled. */
  reachesOnly(last: number, isStalled: boolean): this {
    const primaries = this.nodes.map(({ status }) => status.primary);
    this.drops = ({ from, frame }) => {
      const seq = seqIn(frame);
      return seq > 0 && seq < 99 && (seq > last || (isStalled && from === primaries[from]));
    };
    return this;
  }
  /** Time passes at all replicas, and what waits for too long has waited for too long. */
  wait(ms: number): this {
    for (const node of this.nodes) node.nowMs += ms;
    for (const node of this.nodes) node.fire("progress");
    this.run();
    for (const node of this.nodes) node.fire("status");
    return this.run();
  }
  get links(): CheckpointCertificate[][] {
    return this.nodes.map(({ effects }) => linksIn(effects));
  }
  /** The numbers of all that was proposed. */
  get proposed(): number[] {
    const proposals = this.nodes.flatMap(({ effects }) => effects.map(proposalIn));
    return [...new Set(proposals.filter((seq) => seq !== undefined))].sort((a, b) => a - b);
  }
  get activations(): unknown[] {
    return this.nodes.map(({ status }) => status.activation);
  }
}

function linksIn(effects: readonly Effect[]): CheckpointCertificate[] {
  return effects.flatMap((effect) => (effect.type === "epoch-over" ? [effect.link] : []));
}
function proposalIn(effect: Effect): number | undefined {
  return effect.type === "broadcast" && effect.frame.type === "pre-prepare"
    ? effect.frame.envelope.message.seq
    : undefined;
}
/** The number that a message of ordering or checkpoints is about; 0 for others. */
function seqIn(frame: Packet["frame"]): number {
  if (frame.type !== "signed" && frame.type !== "pre-prepare") return frame.type === "committed" ? 99 : 0;
  const { message } = frame.envelope;
  return message.type !== "fetch-batch" && "seq" in message ? message.seq : 0;
}
function typeIn({ frame }: Packet): string {
  return frame.type === "signed" ? frame.envelope.message.type : frame.type;
}
const four = <T>(value: T): T[] => [value, value, value, value];
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

describe("the way to the activation of a change (protocol rule 11.2)", () => {
  it("is filled with null batches, and ends with the epoch", () => {
    const cluster = new Ending().change();
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    expect(cluster.proposed).to.deep.equal(upTo(ACTIVATION));
    const [first, ...others] = cluster.at(0).disk.executed;
    expect(first).not.to.equal(NULL_DIGEST);
    expect(new Set(others)).to.deep.equal(new Set([NULL_DIGEST]));
    for (const [link, ...more] of cluster.links) {
      expect(more).to.deep.equal([]);
      expect(link).to.deep.include({ epoch, seq: ACTIVATION });
      expect(link?.signatures).to.have.length(3);
    }
  });

  it("says where it ends while it lasts", () => {
    const cluster = new Ending();
    expect(cluster.activations).to.deep.equal(four(undefined));
    expect(cluster.at(0).status.epoch).to.equal(0);
    cluster.stall();
    expect(cluster.executed).to.deep.equal(four(1));
    expect(cluster.activations).to.deep.equal(four(ACTIVATION));
    expect(cluster.links).to.deep.equal(four([]));
  });

  it("is the requests' first, and a flooded primary proposes nothing above its end", () => {
    const cluster = new Ending();
    for (const node of cluster.nodes) {
      node.request(CHANGE);
      for (let i = 0; i < 60; i++) node.request(requestOf(`${i}`));
    }
    cluster.run();
    expect(cluster.proposed).to.deep.equal(upTo(ACTIVATION));
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    expect(cluster.at(0).disk.executed).not.to.include(NULL_DIGEST);
    expect(cluster.at(0).status.pendingRequests).to.be.greaterThan(0);
  });

  it("is no longer than it has to be: null batches are taken up to its end only, and not before the change", () => {
    const cluster = new Ending().stall();
    const propose = (seq: number): void => {
      const place = { epoch, view: viewNumber(0), seq: seqOf(seq), digest: NULL_DIGEST };
      const envelope = envelopeOf(0, { type: "pre-prepare", ...place });
      cluster.at(1).receive({
        from: 0,
        to: 1,
        frame: { type: "pre-prepare", envelope, batch: composer.compose(timestampMs(0), []).batch },
      });
    };
    const last = (): Effect | undefined => cluster.at(1).effects.at(-1);
    propose(8);
    expect(last()).to.deep.include({ type: "broadcast" });
    propose(ACTIVATION + 1);
    expect(last()).to.deep.equal({
      type: "rejected",
      rejection: { code: "epoch.over", from: 0, seq: ACTIVATION + 1 },
    });
    cluster.nodes.splice(0, 4, ...new Ending().nodes);
    propose(1);
    expect(last()).to.deep.include({ type: "rejected" });
  });

  it("goes on in the next view when its primary stalls, although nobody asks for anything", () => {
    const cluster = new Ending();
    cluster.drops = ({ from, frame }) => from === 0 && seqIn(frame) > 1;
    cluster.change();
    expect(cluster.executed).to.deep.equal(four(1));
    cluster.wait(VIEW_CHANGE_MS - 1);
    expect(cluster.views).to.deep.equal(four(0));
    cluster.wait(1);
    expect(cluster.views).to.deep.equal(four(1));
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
  });

  it("goes on in the next view after one that ended with half of it prepared", () => {
    const cluster = new Ending();
    cluster.drops = ({ from, frame }) =>
      (from === 0 && seqIn(frame) > 5) || (typeIn({ from, to: 0, frame }) === "commit" && seqIn(frame) > 2);
    cluster.change();
    expect(cluster.executed).to.deep.equal(four(2));
    cluster.heal();
    cluster.drops = ({ from }) => from === 0;
    cluster.wait(VIEW_CHANGE_MS);
    expect(cluster.views.slice(1)).to.deep.equal([1, 1, 1]);
    expect(cluster.executed.slice(1)).to.deep.equal([ACTIVATION, ACTIVATION, ACTIVATION]);
    expect(Math.max(...cluster.proposed)).to.equal(ACTIVATION);
  });

  it("is waited for no more once all of it is decided: no primary can hurry the checkpoint", () => {
    const cluster = new Ending();
    cluster.drops = (packet) => typeIn(packet) === "checkpoint" && seqIn(packet.frame) === ACTIVATION;
    cluster.change();
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    for (let i = 0; i < 4; i++) cluster.wait(8 * VIEW_CHANGE_MS);
    expect(cluster.views).to.deep.equal(four(0));
    expect(cluster.links).to.deep.equal(four([]));
    cluster.heal().tick();
    expect(
      cluster.links.map(({ length }) => length),
      "asked for again at the next tick, not only at the tenth",
    ).to.deep.equal(four(1));
  });

  for (const rotateEvery of [1, 3, 4])
    it(`leads through the turns of several primaries: one in ${rotateEvery}`, () => {
      const cluster = new Ending(rotateEvery).change();
      expect(cluster.executed).to.deep.equal(four(ACTIVATION));
      expect(cluster.views).to.deep.equal(four(Math.ceil(ACTIVATION / rotateEvery) - 1));
      expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
    });

  it("ends where it ends for a member that lost its disk, too, whatever it waits for", () => {
    const cluster = new Ending();
    cluster.lose(3).change();
    expect(cluster.at(0).effects.some(({ type }) => type === "epoch-over")).to.equal(true);
    cluster.tick(30);
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
    expect(cluster.nodes.map(({ status }) => status.viewsLeft.failed)).to.deep.equal(four(0));
  });

  it("is over at its end for all who waited for a member that lost its disk: no primary is left for numbers above", () => {
    const cluster = new Ending();
    cluster.drops = (packet) => typeIn(packet) === "checkpoint" && seqIn(packet.frame) === ACTIVATION;
    cluster.lose(3).change().tick(30);
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    const { mute } = cluster.at(3).status;
    expect(mute?.checkpoint, "above").to.equal(2 * L);
    for (let i = 0; i < 4; i++) cluster.wait(8 * VIEW_CHANGE_MS);
    expect(cluster.nodes.map(({ status }) => status.viewsLeft.failed)).to.deep.equal(four(0));
    cluster.heal().tick(2);
    expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
  });

  it("is gone by one that is far behind, whose window was never above its end", () => {
    const cluster = new Ending(0, 16);
    cluster.drops = ({ from, to }) => from === 3 || to === 3;
    for (let i = 0; i < 6; i++) cluster.request(`before ${i}`);
    // All but its very last number.
    cluster.drops = ({ from, to, frame }) => from === 3 || to === 3 || seqIn(frame) === 16;
    cluster.change();
    expect(cluster.executed).to.deep.equal([15, 15, 15, 0]);
    expect(cluster.activations).to.deep.equal([16, 16, 16, undefined]);
    cluster.drops = ({ frame }) => seqIn(frame) === 16;
    cluster.tick(6);
    expect(cluster.executed).to.deep.equal(four(15));
    expect(cluster.activations).to.deep.equal(four(16));
    cluster.heal().tick(6);
    expect(cluster.executed).to.deep.equal(four(16));
    expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
  });
});

describe("the end of an epoch (protocol rule 11.2)", () => {
  it("comes when the certificate meets the own state, which was there before", () => {
    const cluster = new Ending();
    cluster.drops = (packet) =>
      packet.to === 3 && typeIn(packet) === "checkpoint" && seqIn(packet.frame) === ACTIVATION;
    cluster.change();
    expect([cluster.at(3).status.executed, cluster.links[3]]).to.deep.equal([ACTIVATION, []]);
    const [checkpoint] = cluster.links[0]!;
    const certificate: Packet = { from: 0, to: 3, frame: { type: "stable-checkpoint", checkpoint: checkpoint! } };
    cluster.at(3).receive(certificate);
    cluster.at(3).receive(certificate);
    cluster.at(3).flush();
    expect(cluster.links[3]).to.deep.equal([checkpoint]);
  });

  it("comes when the own state meets the certificate, which was there before", () => {
    const cluster = new Ending();
    cluster.drops = (packet) => packet.to === 3 && typeIn(packet) === "commit" && seqIn(packet.frame) === ACTIVATION;
    cluster.change();
    expect([cluster.at(3).status.executed, cluster.links[3]]).to.deep.equal([ACTIVATION - 1, []]);
    const entry = cluster.at(0).disk.history.get(ACTIVATION)!;
    cluster.at(3).receive({ from: 0, to: 3, frame: { type: "committed", entry } });
    cluster.run();
    expect(cluster.at(3).status.executed).to.equal(ACTIVATION);
    expect(cluster.links[3]?.map(({ seq }) => seq)).to.deep.equal([ACTIVATION]);
  });

  it("is the last that is said in it, and its own vote is said before", () => {
    const cluster = new Ending().change();
    for (const { effects } of cluster.nodes) {
      expect(effects.at(-1)?.type).to.equal("epoch-over");
      const voted = effects.findIndex(
        (effect) =>
          effect.type === "broadcast" &&
          seqIn(effect.frame) === ACTIVATION &&
          typeIn({ from: 0, to: 0, frame: effect.frame }) === "checkpoint",
      );
      expect(voted).to.be.greaterThan(-1);
    }
    const before = cluster.nodes.map(({ effects }) => effects.length);
    cluster.request("afterwards").tick(12);
    cluster.wait(8 * VIEW_CHANGE_MS);
    for (const node of cluster.nodes) node.handOver();
    expect(cluster.nodes.map(({ effects }) => effects.length)).to.deep.equal(before);
  });

  it("stands behind the checkpoint in the log: it is performed when that is durable", () => {
    const cluster = new Ending().change();
    const { log } = cluster.at(2).durable();
    expect(log.some((record) => record.type === "stable" && record.checkpoint.seq === ACTIVATION)).to.equal(true);
    const { effects } = cluster.at(2);
    const written = effects.findIndex(
      (effect) =>
        effect.type === "persist" && effect.record.type === "stable" && effect.record.checkpoint.seq === ACTIVATION,
    );
    expect(written)
      .to.be.greaterThan(-1)
      .and.lessThan(effects.findIndex(({ type }) => type === "epoch-over"));
  });

  it("is reached after a restart of all on the way", () => {
    const cluster = new Ending().stall();
    for (const { id } of cluster.nodes) cluster.restart(id);
    expect(cluster.activations).to.deep.equal(four(ACTIVATION));
    cluster.heal().run().tick(2);
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
    expect(Math.max(...cluster.proposed)).to.equal(ACTIVATION);
    expect(cluster.links.map(({ length }) => length)).to.deep.equal(four(1));
  });

  it("is reached when all restart again and again, and the primary stalls in between", () => {
    const cluster = new Ending().stall();
    const isOver = (id: number): boolean => cluster.at(id).effects.some(({ type }) => type === "epoch-over");
    const restartAll = (): void => {
      for (const { id } of cluster.nodes) if (!isOver(id)) cluster.restart(id);
    };
    let steps = 0;
    for (; !cluster.nodes.every(({ id }) => isOver(id)); steps++) {
      if (steps > 100) throw new Error(JSON.stringify(cluster.nodes.map(({ status }) => status)));
      // Two numbers at a time, and every now and then nothing of the primary.
      cluster.reachesOnly(Math.max(...cluster.executed) + 2, steps % 12 === 5);
      if (steps % 12 === 5) cluster.wait(VIEW_CHANGE_MS);
      cluster.tick();
      if (steps % 4 === 3) restartAll();
    }
    expect(steps, "it took some crashes").to.be.greaterThan(4);
    expect(cluster.executed).to.deep.equal(four(ACTIVATION));
  });

  it("is said again by one that crashed before its host had done anything about it", () => {
    const cluster = new Ending().change();
    const [link] = cluster.links[1]!;
    cluster.restart(1);
    cluster.at(1).flush();
    expect(linksIn(cluster.at(1).effects)).to.deep.equal([link]);
    const before = cluster.at(1).effects.length;
    cluster.at(1).nowMs += STATUS_MS;
    cluster.at(1).fire("status");
    expect(cluster.at(1).effects.length).to.equal(before);
  });

  it("does not come to one whose state is still on its way", () => {
    const cluster = new Ending().change();
    cluster.at(1).durable().awaitsState = true;
    cluster.restart(1).run();
    expect(linksIn(cluster.at(1).effects)).to.deep.equal([]);
    expect(cluster.at(1).status).to.deep.include({ activation: undefined, highWatermark: ACTIVATION });
  });

  it("is reached with the votes of one whose state is still on its way: it takes null batches", () => {
    const cluster = new Ending().stall();
    cluster.at(1).durable().awaitsState = true;
    cluster.restart(1).heal();
    cluster.drops = ({ from, to }) => from === 2 || to === 2;
    cluster.run().tick(4);
    expect(cluster.at(0).status.executed).to.be.greaterThan(L - 1);
    expect(cluster.at(1).status.viewsLeft.failed).to.equal(0);
  });

  it("does not move, and is no nearer than a window: what says so is wrong itself", () => {
    const moved = new Ending().stall();
    moved.at(1).disk.activation = seqOf(ACTIVATION + K);
    expect(() => moved.heal().tick(4)).to.throw("replica.activation-moved");
    const near = new Cluster();
    near.at(1).disk.activation = seqOf(L);
    expect(() => near.request("a")).to.throw("replica.activation-too-near");
  });
});
