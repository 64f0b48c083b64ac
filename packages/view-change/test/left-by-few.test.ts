import { expect } from "chai";
import { Scene } from "./builders.ts";

describe("the own view, left by few (protocol rule 7.5)", () => {
  it("is known to its primary once somebody goes to the next one", () => {
    const scene = new Scene({ self: 0 });
    expect(scene.views.ownViewLeftByFew).to.equal(undefined);
    expect(scene.others([3], 1).views.ownViewLeftByFew).to.equal(0);
  });

  it("is nothing that a backup, or a mute primary, can help with", () => {
    expect(new Scene({ self: 2 }).others([3], 1).views.ownViewLeftByFew).to.equal(undefined);
    expect(new Scene({ self: 0, isMute: true }).others([3], 1).views.ownViewLeftByFew).to.equal(undefined);
  });

  it("is not left by one that says to be further away: no correct one is, without f+1 others behind it", () => {
    const scene = new Scene({ self: 0 }).others([3], 2);
    expect(scene.views.ownViewLeftByFew).to.equal(undefined);
    expect(scene.others([3], 2 ** 40).views.ownViewLeftByFew).to.equal(undefined);
    expect(scene.steps).to.deep.equal([]);
  });

  it("is handed over like any other", () => {
    const scene = new Scene({ self: 0 }).others([3], 1).handOverToLeavers(0, 0);
    expect(scene.steps).to.deep.equal(["leave for 1"]);
    expect(scene.order).to.deep.equal(["say hand-over", "write view-change", "say view-change"]);
    expect(scene.views.ownViewLeftByFew, "once").to.equal(undefined);
  });

  it("may have been left by its primary too, which f liars took along: it tells those that stayed, once, and stays away", () => {
    const scene = new Scene({ self: 0, n: 7 }).others([4, 5, 6], 1);
    expect([scene.steps, scene.views.ownViewLeftByFew]).to.deep.equal([["leave for 1"], 0]);
    scene.forget().handOverToLeavers(0, 0);
    expect([scene.steps, scene.order, scene.views.ownViewLeftByFew]).to.deep.equal([[], ["say hand-over"], undefined]);
    expect(() => scene.handOverToLeavers(0, 0)).to.throw("view-change.hands-over-another-view");
  });

  it("is no concern when a quorum goes to the next one: its clock runs", () => {
    const scene = new Scene({ self: 0, n: 7 }).others([3, 4, 5, 6], 1);
    expect(scene.views.ownViewLeftByFew, "it is the last of a quorum").to.equal(undefined);
  });

  it("is no concern in another primary's view, however it is left", () => {
    const scene = new Scene({ self: 0 }).hearNewView(new Scene().company.plainNewView(1)).others([3], 2);
    expect(scene.views.ownViewLeftByFew).to.equal(undefined);
  });
});
