import { epochNumber, replicaId, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { Company, FIRST_MS, namesOf, Scene, statusOf } from "./builders.ts";

const epoch = epochNumber(0);

describe("a hand-over (protocol rule 7.6)", () => {
  it("of the primary is followed to the next view, and nothing failed", () => {
    const scene = new Scene().handOver(0, 0);
    expect(scene.steps).to.deep.equal(["leave for 1"]);
    expect(scene.order).to.deep.equal(["write view-change", "say view-change"]);
    expect(scene.views.timeOutMs).to.equal(FIRST_MS);
  });

  it("of anyone else is refused", () => {
    const scene = new Scene().handOver(1, 0).handOver(3, 0);
    expect(scene.steps).to.deep.equal([]);
    expect(scene.rejections).to.deep.equal(["hand-over.not-from-primary", "hand-over.not-from-primary"]);
  });

  it("spares the wait for a primary that is moved to", () => {
    const scene = new Scene().fail().others([0, 3], 1).handOver(1, 1);
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
    expect(scene.views.timeOutMs, "the first view failed, the second did not").to.equal(2 * FIRST_MS);
  });

  it("of a view that is moved to waits until a quorum moves to it (protocol rule 8.5)", () => {
    const scene = new Scene().fail().handOver(1, 1).handOver(1, 1).others([0], 1);
    expect(scene.steps).to.deep.equal(["leave for 1"]);
    scene.others([3], 1);
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
    expect(scene.views.timeOutMs, "the second did not fail").to.equal(2 * FIRST_MS);
  });

  it("is of its view only: one that is left, or not reached, moves nobody", () => {
    const scene = new Scene().handOver(1, 1).handOver(0, 4);
    scene.fail().forget().handOver(0, 0);
    expect(scene.steps).to.deep.equal([]);
    scene.hearNewView(scene.company.plainNewView(1)).forget().handOver(0, 0);
    expect(scene.steps).to.deep.equal([]);
    const { rejections } = new Scene().handOver(1, 1).handOver(0, 0).handOver(0, 0);
    expect(rejections, "too early; repeated").to.deep.equal(["hand-over.other-view", "hand-over.other-view"]);
  });

  it("is worth verifying only where it would be followed", () => {
    const { views } = new Scene();
    const isRedundant = (from: number, view: number): boolean =>
      views.isHandOverRedundant(replicaId(from), { type: "hand-over", epoch, view: viewNumber(view) });
    expect([isRedundant(0, 0), isRedundant(1, 0), isRedundant(1, 1), isRedundant(0, 4)]).to.deep.equal([
      false,
      true,
      true,
      true,
    ]);
  });

  it("of its own is said first, then followed", () => {
    const scene = new Scene({ self: 0 }).askToBeRelieved(0);
    expect(scene.steps).to.deep.equal(["leave for 1"]);
    expect(scene.order).to.deep.equal(["say hand-over", "write view-change", "say view-change"]);
    expect(scene.views.timeOutMs).to.equal(FIRST_MS);
  });

  it("of its own goes again to those who still are in that view, until the next one is entered", () => {
    const scene = new Scene({ self: 0 }).askToBeRelieved(0);
    const sentTo = (view: number, target = view): string[] =>
      namesOf(scene.views.framesFor(replicaId(2), statusOf(view, target)));
    expect(sentTo(0)).to.deep.equal(["signed", "view-change of 0 for 1"]);
    expect(sentTo(0, 1)).to.deep.equal(["view-change of 0 for 1"]);
    scene.hearNewView(scene.company.plainNewView(1));
    expect(sentTo(0)).to.deep.equal(["new-view 1"]);
  });

  it("of a view that it is not the primary of, or not in, is our own bug", () => {
    expect(() => new Scene({ self: 2 }).askToBeRelieved(2)).to.throw("view-change.hands-over-as-backup");
    expect(() => new Scene({ self: 0 }).fail().askToBeRelieved(0)).to.throw("view-change.hands-over-another-view");
  });

  it("that comes late takes back what joining the others had counted, once", () => {
    const scene = new Scene().others([1, 3], 1);
    expect(scene.views.timeOutMs).to.equal(2 * FIRST_MS);
    expect(scene.views.isHandOverRedundant(replicaId(0), { type: "hand-over", epoch, view: viewNumber(0) })).to.equal(
      false,
    );
    expect(scene.handOver(0, 0).handOver(0, 0).views.timeOutMs).to.equal(FIRST_MS);
    expect([scene.views.target, scene.rejections]).to.deep.equal([1, ["hand-over.other-view"]]);
  });

  it("that comes late says that the view had not failed, however long the time-out is by then", () => {
    const scene = new Scene();
    for (let times = 0; times < 8; times++) scene.fail();
    const longestMs = scene.views.timeOutMs;
    scene.others([1, 3], 9);
    expect([scene.views.excused, scene.views.timeOutMs]).to.deep.equal([undefined, longestMs]);
    scene.handOver(0, 8);
    expect([scene.views.excused, scene.views.timeOutMs]).to.deep.equal([8, longestMs]);
    expect(new Scene().fail().handOver(0, 0).views.excused, "an own time-out").to.equal(undefined);
  });

  it("takes back nothing of what an own time-out, or the joining of another view, had counted", () => {
    expect(new Scene().fail().handOver(0, 0).views.timeOutMs).to.equal(2 * FIRST_MS);
    expect(new Scene().others([1, 3], 1).others([0, 3], 2).handOver(0, 0).views.timeOutMs).to.equal(4 * FIRST_MS);
    const entered = new Scene().others([1, 3], 1);
    entered.hearNewView(entered.company.plainNewView(1)).views.onProgress(0);
    expect(entered.handOver(0, 0).views.timeOutMs).to.equal(FIRST_MS);
  });
});

describe("the end of a view (protocol rule 7.6)", () => {
  it("is left without a failure", () => {
    const scene = new Scene();
    scene.follow(scene.views.onTurnOver());
    expect([scene.steps, scene.views.timeOutMs]).to.deep.equal([["leave for 1"], FIRST_MS]);
  });

  it("is left once", () => {
    const scene = new Scene().fail();
    scene.follow(scene.views.onTurnOver());
    expect([scene.steps, scene.views.timeOutMs]).to.deep.equal([["leave for 1"], 2 * FIRST_MS]);
  });

  it("that is seen only after others were followed excuses their going", () => {
    const scene = new Scene().others([1, 3], 1);
    scene.follow(scene.views.onTurnOver());
    expect([scene.steps, scene.views.timeOutMs]).to.deep.equal([["leave for 1"], FIRST_MS]);
  });
});

it("each view that is left is counted by its cause", () => {
  const scene = new Scene()
    .fail()
    .others([0, 3], 1)
    .handOver(1, 1)
    .others([1, 3], 3)
    .hear(new Company().viewChange(0, 3));
  scene.hearNewView(scene.company.plainNewView(3)).follow(scene.views.onTurnOver());
  expect(scene.views.viewsLeft).to.include({ failed: 1, joined: 1, "handed-over": 1, rotated: 1 });
});
