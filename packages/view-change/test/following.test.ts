import type { VerifiedNewView, VerifiedViewChange } from "@quorate/protocol";
import { replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { Company, claim, namesOf, Scene, type SceneOptions, seqOf, statusOf } from "./builders.ts";

const company = new Company();
/** What a replica sends to peer 3, which says of itself that it stands so. */
const sentBy = ({ views }: Scene, ...stand: Parameters<typeof statusOf>): string[] =>
  namesOf(views.framesFor(replicaId(3), statusOf(...stand)));

describe("what others missed (protocol rules 4.8 and 7.3)", () => {
  it("who is in a later view sends its NEW-VIEW, to those who can still enter it", () => {
    const scene = new Scene().hearNewView(company.plainNewView(5));
    expect(sentBy(scene, 0)).to.deep.equal(["new-view 5"]);
    expect(sentBy(scene, 2, 5), "on its way to it").to.deep.equal(["new-view 5"]);
    expect(sentBy(scene, 2, 6), "on its way beyond").to.deep.equal([]);
    expect(sentBy(scene, 5), "there").to.deep.equal([]);
    expect(sentBy(scene, 6), "further").to.deep.equal([]);
  });

  it("who is on its way sends its own VIEW-CHANGE to those behind, with the NEW-VIEW that they lack", () => {
    const scene = new Scene().hearNewView(company.plainNewView(5)).fail();
    expect(sentBy(scene, 5)).to.deep.equal(["view-change of 2 for 6"]);
    expect(sentBy(scene, 0)).to.deep.equal(["new-view 5", "view-change of 2 for 6"]);
  });

  it("and to those on the same way the VIEW-CHANGEs that they do not hold, but not their own", () => {
    const scene = new Scene().fail().others([0, 3], 1);
    expect(sentBy(scene, 0, 1, [3])).to.deep.equal(["view-change of 0 for 1", "view-change of 2 for 1"]);
    expect(sentBy(scene, 0, 1, [0, 2, 3])).to.deep.equal([]);
  });

  it("to those who are further on their way it has nothing to say", () => {
    expect(sentBy(new Scene().fail(), 0, 2)).to.deep.equal([]);
    expect(sentBy(new Scene(), 0, 2)).to.deep.equal([]);
  });

  it("at rest in view 0 it sends nothing to anyone", () => {
    for (const target of [0, 1, 4]) expect(sentBy(new Scene(), 0, target), `target ${target}`).to.deep.equal([]);
  });
});

describe("views after a restart (protocol rule 8.2)", () => {
  const restart = (
    viewChange: VerifiedViewChange | undefined,
    newView?: VerifiedNewView,
    options: SceneOptions = {},
  ): Scene =>
    new Scene({ restored: { viewChange, newView }, view: newView?.newView.envelope.message.view ?? 0, ...options });

  it("it goes on to the view that it had sent a VIEW-CHANGE for, and says nothing by itself", () => {
    const scene = restart(company.viewChange(2, 3));
    const { view, target, viewChangesOf, isSettled } = scene.views;
    expect([view, target, viewChangesOf, isSettled]).to.deep.equal([0, 3, [2], false]);
    expect(scene.effects).to.deep.equal([]);
  });

  it("sends its VIEW-CHANGE again as it was", () => {
    const own = company.viewChange(2, 3, 8, [claim(9, 1)]);
    const [frame] = restart(own).views.framesFor(replicaId(3), statusOf(0));
    expect(frame).to.deep.equal({ type: "view-change", viewChange: own.viewChange });
  });

  it("enters nothing below it, and counts it in the quorum for it", () => {
    const scene = restart(company.viewChange(3, 3), undefined, { self: 3 });
    expect(scene.hearNewView(company.plainNewView(2)).rejections).to.deep.equal(["new-view.past"]);
    expect(scene.others([0, 1], 3).steps).to.deep.equal(["enter 3"]);
  });

  it("is in the view of its NEW-VIEW, and serves it", () => {
    const scene = restart(company.viewChange(2, 3), company.plainNewView(3));
    expect([scene.views.view, scene.views.target, scene.views.isSettled]).to.deep.equal([3, 3, true]);
    expect(sentBy(scene, 0)).to.deep.equal(["new-view 3"]);
  });

  it("what stands of views is the NEW-VIEW entered, and the VIEW-CHANGE while it moves", () => {
    const own = company.viewChange(2, 4);
    const newView = company.plainNewView(3);
    expect(restart(own, newView).views.standing).to.deep.equal({ viewChange: own, newView });
    const settled = restart(company.viewChange(2, 3), newView).views.standing;
    expect(settled).to.deep.equal({ viewChange: undefined, newView });
    expect(new Scene().views.standing).to.deep.equal({ viewChange: undefined, newView: undefined });
  });

  it("a NEW-VIEW that waited is not kept: nothing rests on it", () => {
    const scene = new Scene().hearNewView(company.plainNewView(1, 8));
    expect([scene.order, scene.views.standing.newView]).to.deep.equal([[], undefined]);
    expect(
      scene
        .stable(8)
        .of("persist")
        .map(({ record }) => "at" in record && record.at),
    ).to.deep.equal([seqOf(8)]);
  });

  it("a log of another view or of another replica is our own bug", () => {
    expect(() => restart(undefined, company.plainNewView(3), { view: 2 })).to.throw("view-change.base-of-another-view");
    expect(() => restart(company.viewChange(1, 3))).to.throw("view-change.restored-foreign");
  });
});

describe("a replica that was mute (protocol rule 8.5)", () => {
  const muted = (): Scene => new Scene({ self: 3, isMute: true });

  it("goes where f+1 others had gone before it could", () => {
    const scene = muted().others([0], 1).others([1], 2).unmute();
    expect([scene.steps, scene.views.viewsLeft.joined]).to.deep.equal([["leave for 1"], 1]);
  });

  it("leaves the view whose primary had asked to be relieved", () => {
    const scene = muted().handOver(0, 0).unmute();
    expect([scene.steps, scene.views.viewsLeft["handed-over"]]).to.deep.equal([["leave for 1"], 1]);
  });

  it("stays where it is when one other has left", () => {
    expect(muted().others([0], 1).unmute().steps).to.deep.equal([]);
  });
});
