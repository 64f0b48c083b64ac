import { type ViewNumber, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { type LeftViews, LoneLeavers } from "../dist/lone-leavers.js";
import { Cluster, cast, eventOf, requestOf, STATUS_MS, signerOf, VIEW_CHANGE_MS } from "./builders.ts";
import { viewChangeOf } from "./paper-messages.ts";

const TICKS = VIEW_CHANGE_MS / STATUS_MS;
const N = 4;

/** One replica, primary again and again of views that somebody leaves, or nobody. */
class Turns implements LeftViews {
  ownViewLeftByFew: ViewNumber | undefined;
  timeOutMs = VIEW_CHANGE_MS;
  isPrimary = true;
  readonly #leavers = new LoneLeavers(
    signerOf(0),
    { membership: cast.membersOf(N), ordering: this, viewChanging: this },
    STATUS_MS,
  );
  #view = 0;
  #isHandedOver = false;

  handOverToLeavers({ message }: Parameters<LeftViews["handOverToLeavers"]>[0]): undefined {
    expect(message.view).to.equal(this.#view);
    this.#isHandedOver = true;
  }
  tick(): boolean {
    this.#isHandedOver = false;
    this.#leavers.onTick([]);
    return this.#isHandedOver;
  }
  /** In a view that nobody leaves. */
  calm(ticks: number): this {
    this.ownViewLeftByFew = undefined;
    for (let i = 0; i < ticks; i++) if (this.tick()) throw new Error("handed over for nobody's sake");
    return this;
  }
  /** In views of others. */
  reignOfOthers(ticks: number): this {
    this.isPrimary = false;
    this.calm(ticks);
    this.isPrimary = true;
    return this;
  }
  /** The next view is left by somebody: @returns after how many ticks it is handed over. */
  left(view = this.#view + N): number {
    this.#view = view;
    this.ownViewLeftByFew = viewNumber(view);
    expect(this.tick(), "somebody is away; since when?").to.equal(false);
    for (let ticks = 1; ; ticks++) if (this.tick()) return ticks;
  }
  lefts(times: number): number[] {
    return Array.from({ length: times }, () => this.left() / TICKS);
  }
}

/** Replica 3 gives its view up, for a request that only it knows and that never comes through. */
function leaveAlone(cluster: Cluster, label: string): void {
  cluster.isLost = ({ from, frame }) => from === 3 && frame.type === "request";
  const alone = cluster.at(3);
  alone.request(requestOf(label));
  alone.nowMs += 10 * VIEW_CHANGE_MS;
  alone.fire("progress");
  cluster.run();
}
const targets = ({ nodes }: Cluster): number[] => nodes.map(({ status }) => status.target);

describe("a member that left the view alone (protocol rule 7.5)", () => {
  it("is brought back by the primary, who hands over after a time-out, and nothing failed for the others", () => {
    const cluster = new Cluster().request("before");
    leaveAlone(cluster, "only here");
    cluster.tick(TICKS);
    expect([cluster.views, targets(cluster)]).to.deep.equal([
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
    cluster.tick();
    expect([cluster.views, targets(cluster)]).to.deep.equal([Array(N).fill(1), Array(N).fill(1)]);
    expect(cluster.at(1).status).to.deep.include({ timeOutMs: VIEW_CHANGE_MS });
    expect(cluster.at(1).status.viewsLeft).to.include({ "handed-over": 1, failed: 0, joined: 0 });
  });

  it("is brought back by a primary that was restarted meanwhile", () => {
    const cluster = new Cluster().request("before");
    leaveAlone(cluster, "only here");
    cluster.tick(2).restart(0);
    cluster.run().tick(TICKS + 2);
    expect(cluster.views).to.deep.equal([1, 1, 1, 1]);
  });

  it("that leaves one view after the other is brought back by each primary, and later in each one's next turn", () => {
    const cluster = new Cluster().request("before");
    const ticksUntil = (view: number): number => {
      for (let ticks = 1; ; ticks++) if (cluster.tick().views[0] === view) return ticks;
    };
    for (const view of [0, 1, 2]) {
      leaveAlone(cluster, `in ${view}`);
      expect(ticksUntil(view + 1)).to.equal(TICKS + 1);
    }
    cluster.at(3).handOver();
    expect(cluster.run().views).to.deep.equal([4, 4, 4, 4]);
    leaveAlone(cluster, "in 4");
    expect(ticksUntil(5)).to.equal(2 * TICKS + 1);
    expect(targets(cluster)).to.deep.equal([5, 5, 5, 5]);
  });

  it("is not what a liar is that names a view further away", () => {
    const cluster = new Cluster();
    const { viewChange } = viewChangeOf(3, 2);
    expect(eventOf(3, { type: "view-change", viewChange })?.type).to.equal("view-change");
    cluster.isLost = ({ from }) => from === 3;
    for (const id of [0, 1, 2]) cluster.at(id).receive({ from: 3, to: id, frame: { type: "view-change", viewChange } });
    expect(cluster.run().tick(3 * TICKS).views).to.deep.equal([0, 0, 0, 0]);
  });
});

describe("what a primary does for lone leavers", () => {
  it("comes after a time-out, then after twice as long each time, up to 256", () => {
    expect(new Turns().lefts(11)).to.deep.equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
  });

  it("goes by the time-out of the moment", () => {
    const turns = new Turns();
    turns.timeOutMs = 4 * VIEW_CHANGE_MS;
    expect(turns.lefts(2)).to.deep.equal([4, 8]);
  });

  it("counts each tick as what it was of the time-out then: one that changes ends no view, nor begins the count anew", () => {
    const turns = new Turns();
    const awayFor = (ticks: number): void => {
      for (let i = 0; i < ticks; i++) expect(turns.tick()).to.equal(false);
    };
    turns.ownViewLeftByFew = viewNumber(0);
    turns.timeOutMs = 4 * VIEW_CHANGE_MS;
    awayFor(1 + 2 * TICKS);
    turns.timeOutMs = VIEW_CHANGE_MS;
    awayFor(TICKS / 2 - 1);
    expect(turns.tick(), "half of a long time-out and half of a short one").to.equal(true);
  });

  it("begins anew in each view, and when nobody is away any more", () => {
    const turns = new Turns();
    turns.ownViewLeftByFew = viewNumber(0);
    for (let i = 0; i < TICKS; i++) expect(turns.tick()).to.equal(false);
    expect(turns.left(4), "another view").to.equal(TICKS);
    turns.ownViewLeftByFew = viewNumber(8);
    for (let i = 0; i < 2 * TICKS; i++) expect(turns.tick()).to.equal(false);
    expect(turns.calm(1).left(8), "it was back").to.equal(2 * TICKS);
  });

  it("comes as soon as before only when it was primary for 16 n times as long as it takes, and not needed", () => {
    const calmTicks = (patience: number): number => 16 * N * patience * TICKS;
    const turns = new Turns();
    expect(turns.lefts(2)).to.deep.equal([1, 2]);
    turns.calm(calmTicks(4) - 1);
    expect(new Set(turns.calm(1).lefts(1)), "halved once").to.deep.equal(new Set([2]));
    turns.calm(calmTicks(4)).calm(calmTicks(2));
    expect(turns.lefts(1)).to.deep.equal([1]);
    turns.calm(calmTicks(2) - 1 - 2 * TICKS);
    expect(turns.lefts(1), "not yet").to.deep.equal([2]);
  });

  it("comes no sooner for how long others were primary, liars among them", () => {
    const turns = new Turns();
    const calmTicks = 16 * N * 2 * TICKS;
    expect(turns.lefts(1)).to.deep.equal([1]);
    turns
      .reignOfOthers(8 * calmTicks)
      .calm(calmTicks - 1)
      .reignOfOthers(8 * calmTicks);
    expect(turns.calm(1).lefts(1), "not in vain: it adds up over its own turns").to.deep.equal([1]);
    expect(turns.reignOfOthers(8 * calmTicks).lefts(1)).to.deep.equal([2]);
  });

  it("ends at most 8 views, and one in 32 n and one in 256 time-outs of its turns, whenever its members leave", () => {
    const total = 2 ** 16;
    const halving = 16 * N;
    for (const calm of [0, 1, 8, halving, 2 * halving, 3 * halving, 4 * halving, 8 * halving, 256 * halving]) {
      const turns = new Turns();
      // A time-out a tick.
      turns.timeOutMs = STATUS_MS;
      let timeOuts = 0;
      let ended = 0;
      while (timeOuts < total) {
        timeOuts += calm + turns.calm(calm).left();
        ended += 1;
      }
      expect(ended, `${calm} time-outs between them`).to.be.at.most(8 + timeOuts / (32 * N) + timeOuts / 256);
    }
  });
});
