import { type Digest, InvariantViolation, type QueryStable, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import {
  Cluster,
  digestOf,
  envelopeOf,
  epoch,
  K,
  L,
  type Packet,
  requestOf,
  seqOf,
  VIEW_CHANGE_MS,
} from "./builders.ts";

/** What a mute replica may send. */
const HARMLESS = new Set(["status", "fetch-batch", "fetch-committed", "hand-over", "query-stable"]);

/** A cluster that watches who sends what. */
class Watched extends Cluster {
  readonly sent: { readonly from: number; readonly type: string; readonly isMute: boolean }[] = [];

  constructor() {
    super();
    this.isLost = (packet): boolean => {
      this.#note(packet);
      return this.drops(packet);
    };
  }

  drops: (packet: Packet) => boolean = () => false;

  /** What `id` signed while it was mute. */
  saidMute(id: number): string[] {
    return this.sent.filter(({ from, isMute }) => from === id && isMute).map(({ type }) => type);
  }
  /** What it signed and others delivered. */
  saidAloud(id: number): string[] {
    return this.sent.filter(({ from, isMute }) => from === id && !isMute).map(({ type }) => type);
  }

  #note({ from, frame }: Packet): void {
    const { mute } = this.at(from).status;
    const type = frame.type === "signed" ? frame.envelope.message.type : frame.type;
    this.sent.push({ from, type, isMute: mute !== undefined });
  }
}

/** Ticks until the replica votes again. */
function untilReleased(cluster: Cluster, id: number, between: () => void = () => undefined): void {
  for (let ticks = 0; cluster.at(id).status.mute !== undefined; ticks++) {
    if (ticks > 200)
      throw new Error(`replica ${id} is mute for ever: ${JSON.stringify(cluster.nodes.map(({ status }) => status))}`);
    between();
    cluster.tick();
  }
}

describe("a replica that lost its disk (protocol rule 8.5)", () => {
  it("votes again in an idle cluster, two windows and two views above all it can have promised", () => {
    const cluster = new Cluster().request("a").request("b");
    cluster.lose(3).run();
    expect(cluster.at(3).status.mute).to.deep.include({ replies: 3, repliesNeeded: 3, checkpoint: 2 * L, view: 2 });

    untilReleased(cluster, 3);

    const { status } = cluster.at(3);
    expect(status.lowWatermark).to.equal(2 * L);
    expect(status.view).to.equal(2);
    expect(cluster.executed, "no more null batches than it needs").to.deep.equal([2 * L, 2 * L, 2 * L, 2 * L]);
  });

  it("votes for nothing while it is mute, follows what is decided, and is needed afterwards", () => {
    const cluster = new Watched();
    cluster.lose(3).run();
    let requests = 0;
    untilReleased(cluster, 3, () => cluster.request(`${requests++}`));

    const said = cluster.saidMute(3);
    expect(said).to.include("query-stable");
    expect(said.filter((type) => !HARMLESS.has(type) && type !== "request")).to.deep.equal([]);
    // One of the others fails: without its votes there is no quorum.
    cluster.drops = ({ from, to }) => from === 0 || to === 0;
    const before = cluster.at(3).status.executed;
    cluster.request("afterwards").tick(3);
    expect(cluster.at(3).status.executed).to.be.greaterThan(before);
    expect(cluster.saidAloud(3)).to.include.members(["prepare", "commit"]);
  });

  it("passes no request on: the primary of the view that it remembers would pass it back, and so on", () => {
    const cluster = new Watched();
    cluster.drops = ({ frame }) => frame.type === "reply-stable";
    cluster.lose(3).run();
    cluster.at(3).request(requestOf("of a client"));
    cluster.run();
    expect(cluster.saidMute(3)).to.include("status").and.not.include("request");
  });

  it("is relieved when it is the primary of the view that all are in", () => {
    const cluster = new Watched().request("a") as Watched;
    cluster.lose(0).run();
    untilReleased(cluster, 0);
    expect(cluster.saidMute(0)).to.include("hand-over");
    expect(cluster.saidMute(0).filter((type) => !HARMLESS.has(type))).to.deep.equal([]);
    expect(cluster.at(0).status.view).to.be.at.least(2);
  });

  it("stays mute over crashes, with the answers it has, and is released once", () => {
    const cluster = new Cluster().request("a");
    cluster.lose(2).run();
    const { mute } = cluster.at(2).status;
    cluster.isLost = ({ frame }) => frame.type === "query-stable" || frame.type === "reply-stable";
    cluster.restart(2).run();
    expect(cluster.at(2).status.mute, "the answers are in the log").to.deep.equal(mute);
    cluster.isLost = () => false;

    let crashes = 0;
    let ticks = 0;
    untilReleased(cluster, 2, () => {
      ticks += 1;
      if (ticks % 2 === 0) return;
      cluster.restart(2);
      crashes += 1;
    });
    expect(crashes, "it crashed on the way").to.be.greaterThan(0);

    cluster.restart(2).run();
    expect(cluster.at(2).status.mute).to.equal(undefined);
    for (let i = 0; i < 2 * K; i++) cluster.request(`later ${i}`);
    expect(cluster.at(2).status.lowWatermark).to.be.greaterThan(2 * L);
    cluster.restart(2).run();
    expect(cluster.at(2).status.mute, "h moved, and the log was cut").to.equal(undefined);
  });

  it("writes its release before its first vote", () => {
    const cluster = new Cluster();
    cluster.lose(3).run();
    untilReleased(cluster, 3);
    cluster.request("a");
    const effects = cluster.at(3).effects;
    const released = effects.findIndex((effect) => effect.type === "persist" && effect.record.type === "released");
    const voted = effects.findIndex(
      (effect) =>
        effect.type === "broadcast" &&
        effect.frame.type === "signed" &&
        ["prepare", "commit", "checkpoint"].includes(effect.frame.envelope.message.type),
    );
    expect(released).to.be.at.least(0);
    expect(voted).to.be.greaterThan(released);
  });

  it("writes its release before the votes for what it has taken note of", () => {
    const cluster = new Cluster();
    let isAsked = false;
    cluster.isLost = ({ frame }) => {
      if (frame.type !== "signed" || frame.envelope.message.type !== "commit") return false;
      const { seq } = frame.envelope.message;
      if (seq === 2 * L && !isAsked) {
        isAsked = true;
        for (const node of cluster.nodes) node.request(requestOf("behind it"));
      }
      // It is not decided before the view in which the replica may vote proposes it again.
      return seq > 2 * L;
    };
    cluster.lose(3).run();
    untilReleased(cluster, 3);
    const order = cluster.at(3).effects.flatMap((effect) => {
      if (effect.type === "persist") return effect.record.type;
      return effect.type === "broadcast" && effect.frame.type === "signed" ? effect.frame.envelope.message.type : [];
    });
    const released = order.indexOf("released");
    const promises = ["pre-prepared", "prepared", "prepare", "commit", "checkpoint"];
    expect(order.findIndex((type) => promises.includes(type))).to.be.greaterThan(released);
    expect(order.slice(released + 1), "votes at once").to.include("prepare");
  });

  it("believes no answer to another question, and none of itself", () => {
    const cluster = new Cluster();
    cluster.lose(3, digestOf("first loss")).run();
    const replies = cluster
      .at(0)
      .effects.flatMap((effect) =>
        effect.type === "send" && effect.frame.type === "reply-stable" ? [effect.frame] : [],
      );
    expect(replies).to.have.length.greaterThan(0);
    cluster.isLost = ({ frame }) => frame.type === "query-stable";
    cluster.lose(3, digestOf("second loss"));
    for (const frame of replies) cluster.at(3).receive({ from: 0, to: 3, frame });
    expect(cluster.at(3).status.mute?.replies).to.equal(0);
  });

  it("is not answered by one that is mute itself, so that two at once are mute for ever", () => {
    const cluster = new Cluster().request("a");
    cluster.lose(2).lose(3).run().tick(20);
    expect(cluster.at(2).status.mute).to.deep.include({ replies: 2, checkpoint: undefined });
    expect(cluster.at(3).status.mute).to.deep.include({ replies: 2, checkpoint: undefined });
    // What is decided they follow all the same.
    expect(cluster.executed).to.deep.equal([1, 1, 1, 1]);
  });
});

/** Ten status intervals in which whoever waits too long complains, with a request now and then. */
function passTime(cluster: Cluster, label?: string): void {
  for (let ticks = 0; ticks < 10; ticks++) {
    cluster.tick();
    if (ticks === 5 && label !== undefined) cluster.request(label);
    for (const id of [0, 1, 2]) for (const timer of ["progress", "view-change"] as const) cluster.at(id).fire(timer);
    cluster.run();
  }
}

/** A request at times, long enough idle in between to run out of time. */
const IDLE_BETWEEN = [
  undefined,
  undefined,
  undefined,
  "c",
  undefined,
  undefined,
  undefined,
  "d",
  undefined,
  undefined,
  "e",
];

/** How many views 0, 1 and 2 left as failed, or because others had. */
function failures(cluster: Cluster): number {
  return cluster.nodes
    .slice(0, 3)
    .reduce((sum, { status }) => sum + status.viewsLeft.failed + status.viewsLeft.joined, 0);
}

/** Member 3 says this to one of them, and is silent otherwise. */
function tell(cluster: Cluster, to: number, nonce: string, until: number, view = 0): void {
  cluster.isLost = ({ from, to: receiver }) => from === 3 || receiver === 3;
  const message = { type: "query-stable", epoch, nonce: digestOf(nonce), until: seqOf(until), view: viewNumber(view) };
  const envelope = envelopeOf(3, message as QueryStable);
  cluster.at(to).receive({ from: 3, to, frame: { type: "query-stable", envelope } });
}

describe("the others of a member that lost its disk", () => {
  for (const view of [0, 2])
    for (const [granting, others] of [
      [[1], [2]],
      [[0], [1, 2]],
      [[2], [0, 1]],
      [[0, 1], [2]],
      [[1, 2], [0]],
    ] as const)
      it(`see no view fail when it tells ${granting} of view ${view} and ${others} something else`, () => {
        const cluster = new Cluster().request("a").request("b");
        for (const id of others) tell(cluster, id, "poison", 2);
        for (const id of granting) tell(cluster, id, "real", 3 * L, view);
        cluster.run();
        for (const label of IDLE_BETWEEN) passTime(cluster, label);
        expect(failures(cluster)).to.equal(0);
        expect(cluster.executed[0], "all requests").to.be.at.least(5);
      });

  it("see no view fail when one of them forgets what it granted", () => {
    const cluster = new Cluster().request("a");
    cluster.isLost = ({ frame }) => frame.type === "pre-prepare";
    cluster.lose(3).run();
    cluster.isLost = ({ from, to }) => from === 3 || to === 3;
    cluster.restart(2).run();
    for (let i = 0; i < 8; i++) passTime(cluster, `${i}`);
    expect(failures(cluster)).to.equal(0);
    expect(cluster.executed[2]).to.be.at.least(2 * L);
  });

  it("see no view fail, whatever number it names", () => {
    for (const until of [1, K + 1, 3 * K - 1]) {
      const cluster = new Cluster().request("a");
      for (const to of [0, 1, 2]) tell(cluster, to, "odd", until, 2);
      cluster.run();
      for (let i = 0; i < 8; i++) passTime(cluster);
      expect(failures(cluster), `${until}`).to.equal(0);
      expect(cluster.views.slice(0, 3)).to.deep.equal([2, 2, 2]);
    }
  });

  it("hold the primary to what it waits for, though no request waits", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ from, frame }) => from === 0 && frame.type === "pre-prepare";
    cluster.lose(3).run().tick();
    expect(cluster.executed).to.deep.equal([0, 0, 0, 0]);
    for (const id of [1, 2]) {
      cluster.at(id).nowMs += 2 * VIEW_CHANGE_MS;
      cluster.at(id).fire("progress");
    }
    cluster.run();
    for (const { status } of cluster.nodes.slice(0, 3)) expect(status.view).to.be.at.least(1);
    untilReleased(cluster, 3);
  });

  it("pass its word on to a primary that has not heard it", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ to, frame }) => to === 0 && frame.type === "query-stable" && frame.envelope.message.until > 0;
    cluster.lose(3).run();
    expect(cluster.executed).to.deep.equal([0, 0, 0, 0]);
    cluster.isLost = ({ from, to, frame }) => from === 3 && to === 0 && frame.type === "query-stable";
    cluster.tick();
    cluster.tick();
    expect(cluster.at(1).status.executed).to.be.greaterThan(0);
    untilReleased(cluster, 3);
  });

  it("that are mute themselves count the question and answer nothing", () => {
    const cluster = new Cluster().request("a");
    cluster.lose(2);
    const node = cluster.at(2);
    node.effects.length = 0;
    tell(cluster, 2, "nonce", 0);
    const codes = node.effects.map((effect) => (effect.type === "rejected" ? effect.rejection.code : effect.type));
    expect(codes).to.deep.equal(["query-stable.not-for-this-one"]);
  });

  it("give one that only says so three windows and some views, and then nothing more", () => {
    const cluster = new Cluster();
    const say = (nonce: string, until: number, view: number): void => {
      const message = {
        type: "query-stable",
        epoch,
        nonce: digestOf(nonce),
        until: seqOf(until),
        view: viewNumber(view),
      } as const;
      for (const to of [0, 1, 2])
        cluster.emit({ from: 3, to, frame: { type: "query-stable", envelope: envelopeOf(3, message) } });
      cluster.run().tick(20);
    };
    say("first", 3 * L, 2);
    expect(cluster.executed).to.deep.equal([3 * L, 3 * L, 3 * L, 3 * L]);
    expect(cluster.nodes.map(({ status }) => status.view)).to.deep.equal([2, 2, 2, 2]);
    for (const nonce of ["first", "second", "third"]) say(nonce, 6 * L, 4);
    expect(cluster.executed).to.deep.equal([3 * L, 3 * L, 3 * L, 3 * L]);
    expect(cluster.nodes.map(({ status }) => status.view)).to.deep.equal([2, 2, 2, 2]);
  });

  it("accept no null batch for the sake of one that has said nothing", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ frame, to }) => frame.type === "query-stable" && frame.envelope.message.until > 0 && to !== 0;
    cluster.lose(3).run().tick(3);
    expect(cluster.executed).to.deep.equal([0, 0, 0, 0]);
    cluster.isLost = () => false;
    untilReleased(cluster, 3);
  });
});

describe("a member that lost its disk and does not say so (protocol rule 8.4)", () => {
  it("stops when it sees a decision with its own COMMIT that its log does not know", () => {
    const cluster = new Cluster().request("a");
    const entry = cluster.at(0).disk.history.get(1);
    const signer = entry?.certificate.signatures.find(({ from }) => from !== 0)?.from ?? 0;
    expect(() => cluster.lose(signer, undefined).run().tick(20)).to.throw(
      InvariantViolation,
      /replica\.own-commit-forgotten .*quorate init --lost-disk/,
    );
  });

  it("is not one that merely crashed, or that was not asked for its vote", () => {
    const cluster = new Cluster();
    cluster.isLost = ({ to }) => to === 3;
    cluster.request("a");
    cluster.isLost = () => false;
    for (const id of [0, 1, 2, 3]) cluster.restart(id);
    cluster.run().tick(3);
    expect(cluster.executed).to.deep.equal([1, 1, 1, 1]);
  });
});

describe("disks that are lost after a decision which one replica alone has executed", () => {
  /** What each executed after 1 and 2 lost their disks and came back with these, 0 was away, and "b" was asked for. */
  function executedBy(lossOf: (id: number) => Digest | undefined): readonly (readonly Digest[])[] {
    const cluster = new Cluster();
    // "a" is decided by 0, 1 and 2, and only 0 hears of it.
    cluster.isLost = ({ to, frame }) =>
      to === 3 || (to !== 0 && frame.type === "signed" && frame.envelope.message.type === "commit");
    cluster.request("a");
    expect(cluster.executed).to.deep.equal([1, 0, 0, 0]);

    cluster.isLost = ({ from, to }) => from === 0 || to === 0;
    for (const id of [1, 2]) cluster.lose(id, lossOf(id));
    cluster.run();
    for (const id of [1, 2, 3]) cluster.at(id).nowMs += 60_000;
    cluster.request("b").tick();
    for (let time = 1; time <= 3; time++) {
      for (const id of [1, 2, 3]) {
        cluster.at(id).nowMs += 60_000;
        cluster.at(id).fire("progress");
      }
      cluster.run().tick(3);
    }
    const executed = cluster.nodes.map(({ disk }) => [...disk.executed]);
    cluster.isLost = () => false;
    cluster.run();
    return executed;
  }

  it("make two correct replicas diverge if their replicas vote at once", () => {
    const [zero, one, two, three] = executedBy(() => undefined);
    expect(zero?.[0]).to.not.equal(undefined);
    expect(one?.[0]).to.not.equal(undefined);
    expect(one?.[0], "another batch at the same number").to.not.equal(zero?.[0]);
    expect([two?.[0], three?.[0]]).to.deep.equal([one?.[0], one?.[0]]);
  });

  it("make nobody diverge if their replicas are mute", () => {
    const [zero, ...others] = executedBy((id) => digestOf(`loss of ${id}`));
    expect(zero).to.have.length(1);
    expect(others).to.deep.equal([[], [], []]);
  });
});
