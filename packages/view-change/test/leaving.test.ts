import { expect } from "chai";
import { Company, claim, digestOf, FIRST_MS, L, MAX_MS, membersOf, Scene, verifier } from "./builders.ts";

describe("leaving a view (protocol rule 7.1)", () => {
  it("is written before it is said, with what prepared and the stable checkpoint", () => {
    const scene = new Scene({ stable: 8 });
    const claims = [claim(9, 0), claim(11, 0)];
    scene.promises = scene.company.promises(8, claims);
    scene.fail();
    expect(scene.order).to.deep.equal(["write view-change", "say view-change"]);
    const [record] = scene.of("persist").map(({ record }) => record);
    const [frame] = scene.said;
    if (record?.type !== "view-change" || frame?.type !== "view-change") throw new Error("no VIEW-CHANGE");
    expect(record.at).to.equal(8);
    expect(record.viewChange).to.equal(frame.viewChange);
    const { message } = frame.viewChange.envelope;
    expect([message.view, message.stable.seq, message.prepared]).to.deep.equal([1, 8, claims]);
  });

  it("what it says verifies", () => {
    const scene = new Scene();
    scene.promises = scene.company.promises(0, [claim(1, 0), claim(3, 0)]);
    const [frame] = scene.fail().said;
    const viewChange = frame?.type === "view-change" ? verifier.verifyViewChange(frame.viewChange, membersOf()) : frame;
    expect(viewChange).not.to.equal(undefined);
  });

  it("moves to the next view, and from there to the one after", () => {
    const scene = new Scene().fail().fail();
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
    expect([scene.views.view, scene.views.target, scene.views.isSettled]).to.deep.equal([0, 2, false]);
  });

  it("never back, nor to where it is", () => {
    const scene = new Scene().fail();
    const { views, promises, effects } = scene;
    expect(() => views.leave({ type: "leave", target: views.target, cause: "failed" }, promises, effects)).to.throw(
      "view-change.moves-back",
    );
  });

  it("claims above the window are our own bug", () => {
    const scene = new Scene();
    scene.promises = scene.company.promises(0, [claim(L + 1, 0)]);
    expect(() => scene.fail()).to.throw("view-change.own-malformed");
  });

  it("a view that fails while it settles nothing costs the double", () => {
    const scene = new Scene();
    const seen = [1, 2, 3, 4].map(() => scene.fail().views.timeOutMs);
    expect(seen).to.deep.equal([2 * FIRST_MS, 4 * FIRST_MS, MAX_MS, MAX_MS]);
  });

  it("progress between two views does not shorten the time-out", () => {
    const scene = new Scene().fail();
    scene.views.onProgress(0);
    expect(scene.views.timeOutMs).to.equal(2 * FIRST_MS);
    scene.hearNewView(scene.company.plainNewView(1));
    scene.views.onProgress(0);
    expect(scene.views.timeOutMs).to.equal(FIRST_MS);
  });
});

describe("joining others (protocol rule 7.3, OSDI'99 §4.5.2)", () => {
  for (const { n, weak } of [
    { n: 4, weak: 2 },
    { n: 5, weak: 2 },
    { n: 7, weak: 3 },
  ])
    it(`n = ${n}: ${weak} others are followed, ${weak - 1} are not`, () => {
      const scene = new Scene({ n, self: 0 });
      const others = Array.from({ length: weak }, (_, at) => at + 1);
      scene.others(others.slice(1), 1);
      expect(scene.steps).to.deep.equal([]);
      scene.others(others.slice(0, 1), 1);
      expect(scene.steps).to.deep.equal(["leave for 1"]);
    });

  it("to the smallest of their views", () => {
    const scene = new Scene().hear(new Company().viewChange(1, 9));
    scene.hear(scene.company.viewChange(3, 4));
    expect(scene.steps).to.deep.equal(["leave for 4"]);
  });

  it("and on, when f+1 others are above that one, too", () => {
    const scene = new Scene().others([1], 9).others([3], 4).others([0], 7);
    expect(scene.steps).to.deep.equal(["leave for 4", "leave for 7"]);
  });

  it("one that is above alone is not followed, however often it moves", () => {
    const scene = new Scene();
    for (let view = 1; view < 20; view++) scene.others([1], view);
    expect(scene.steps).to.deep.equal([]);
  });

  it("those that move to where it moves are no reason to move on", () => {
    expect(new Scene().fail().forget().others([0], 1).steps).to.deep.equal([]);
  });

  it("lengthens the time-out as a failure of its own would", () => {
    expect(new Scene().others([1, 3], 1).views.timeOutMs).to.equal(2 * FIRST_MS);
  });

  it("of each member only the newest VIEW-CHANGE counts, and memory is bounded by n", () => {
    const scene = new Scene();
    for (let view = 1; view <= 53; view++) for (const id of [0, 1, 3]) scene.others([id], view);
    expect(scene.views.target).to.equal(53);
    expect(scene.views.viewChangesOf).to.deep.equal([0, 1, 2, 3]);
    expect(scene.views.view, "of which replica 2 is the primary").to.equal(50);
    scene.others([1], 52);
    expect(scene.views.viewChangesOf, "one of before changes nothing").to.deep.equal([0, 1, 2, 3]);
  });
});

describe("the clock of the new view (protocol rule 7.3)", () => {
  for (const { n, quorum } of [
    { n: 4, quorum: 3 },
    { n: 5, quorum: 4 },
    { n: 7, quorum: 5 },
  ])
    it(`n = ${n}: starts with the ${quorum}th VIEW-CHANGE, the own one included, and once`, () => {
      const scene = new Scene({ n, self: 0 }).fail();
      const others = Array.from({ length: n - 1 }, (_, at) => at + 1);
      scene.others(others.slice(0, quorum - 2), 1);
      expect(scene.timersMs).to.deep.equal([]);
      scene.others(others.slice(quorum - 2), 1);
      expect(scene.timersMs).to.deep.equal([2 * FIRST_MS]);
    });

  it("who has gone beyond the view counts: its VIEW-CHANGE for this one may have been lost (seed 1194)", () => {
    const scene = new Scene({ self: 0 }).fail().others([2], 1);
    expect(scene.timersMs).to.deep.equal([]);
    scene.others([3], 2);
    expect(scene.timersMs).to.deep.equal([2 * FIRST_MS]);
    expect(scene.timeout().views.target).to.equal(2);
  });

  it("its end is the failure of the view that did not come, and the next clock is longer", () => {
    const scene = new Scene({ self: 0 }).fail().others([1, 2, 3], 1).timeout();
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
    scene.others([1, 3], 2);
    expect(scene.timersMs).to.deep.equal([2 * FIRST_MS, 4 * FIRST_MS]);
  });

  it("stops when the view is entered, and when it is left for another", () => {
    const entered = new Scene({ self: 0 }).fail().others([1, 2, 3], 1);
    const token = entered.of("start-timer")[0]!.token;
    entered.hearNewView(entered.company.plainNewView(1));
    expect(entered.of("cancel-timer").map(({ timer }) => timer)).to.deep.equal(["view-change"]);
    expect(entered.views.onTimeout(token), "it had ended already").to.equal(undefined);

    const joined = new Scene({ self: 0 }).fail().others([1, 2, 3], 1).others([1, 3], 5);
    expect([joined.of("cancel-timer").length, joined.views.target]).to.deep.equal([1, 5]);
  });

  it("the end of an earlier clock is not the end of this one", () => {
    const scene = new Scene({ self: 0 }).fail().others([1, 2, 3], 1);
    const first = scene.of("start-timer")[0]!.token;
    scene.timeout().others([1, 2, 3], 2).forget();
    expect(scene.follow(scene.views.onTimeout(first)).steps).to.deep.equal([]);
  });

  it("no clock ends twice", () => {
    const scene = new Scene({ self: 0 }).fail().others([1, 2, 3], 1).timeout().forget();
    expect(scene.follow(scene.views.onTimeout(1)).steps).to.deep.equal([]);
  });
});

describe("VIEW-CHANGEs that lead nowhere", () => {
  it("of a view that was entered", () => {
    const scene = new Scene().hearNewView(new Company().plainNewView(3)).forget().others([1], 3);
    expect([scene.rejections, scene.steps]).to.deep.equal([["view-change.past"], []]);
  });

  it("with claims that no correct replica makes", () => {
    const scene = new Scene();
    const { company } = scene;
    const faults = [[claim(2, 0), claim(2, 0)], [claim(L + 1, 0)], [claim(1, 5)]].map(
      (claims) => scene.forget().hear(company.viewChange(1, 5, 0, claims)).rejections[0],
    );
    expect(faults).to.deep.equal([
      "view-change.malformed not-ascending",
      "view-change.malformed outside-window",
      "view-change.malformed view-not-below",
    ]);
    scene.others([3], 5);
    expect(scene.steps, "malformed ones count for nothing").to.deep.equal([]);
  });

  it("two different ones of one sender for one view are evidence, once, and the first counts", () => {
    const scene = new Scene();
    const { company } = scene;
    const contradicting = company.viewChange(1, 5, 0, [claim(1, 0)]);
    scene
      .others([1], 5)
      .hear(contradicting)
      .hear(contradicting)
      .hear(company.viewChange(1, 5, 8));
    expect(scene.evidence).to.deep.equal(["equivocation"]);
    expect(scene.rejections).to.deep.equal(Array.from({ length: 3 }, () => "view-change.conflicting"));
  });

  it("the same one again is nothing", () => {
    const scene = new Scene().others([1, 1], 5);
    expect([scene.rejections, scene.evidence, scene.steps]).to.deep.equal([[], [], []]);
  });

  it("what could change nothing is known before its signatures are looked at", () => {
    const scene = new Scene().hearNewView(new Company().plainNewView(3)).others([1], 7);
    const { company, views } = scene;
    const isRedundant = (...change: Parameters<Company["viewChange"]>): boolean =>
      views.isViewChangeRedundant(company.viewChange(...change).viewChange.envelope);
    expect(isRedundant(0, 3), "a view that was entered").to.equal(true);
    expect(isRedundant(1, 6), "older than the newest").to.equal(true);
    expect(isRedundant(1, 7), "the same").to.equal(true);
    expect(isRedundant(1, 7, 8), "evidence").to.equal(false);
    expect(isRedundant(1, 8), "newer").to.equal(false);
    expect(isRedundant(0, 4), "the first of its sender").to.equal(false);
    scene.hear(company.viewChange(1, 7, 8));
    expect(isRedundant(1, 7, 8), "evidence that is on record").to.equal(true);
    expect(isRedundant(1, 7, 0, [claim(1, 0)]), "more of the same").to.equal(true);
  });

  it("an own one that another holder of the key signed convicts that key", () => {
    const scene = new Scene({ self: 2 }).fail();
    scene.hear(scene.company.viewChange(2, 1, 0, [{ ...claim(1, 0), digest: digestOf("other") }]));
    expect(scene.evidence).to.deep.equal(["equivocation"]);
  });
});
