import { invariant, type VerifiedViewChange } from "@quorate/protocol";
import { expect } from "chai";
import { type Company, claim, digestOf, membersOf, nullDigest, Scene, verifier } from "./builders.ts";

/** The primary of view 1, on its way there, hears these. */
function composed(viewChanges: (company: Company) => readonly VerifiedViewChange[], stable = 0): Scene {
  const scene = new Scene({ self: 1, stable }).fail();
  for (const viewChange of viewChanges(scene.company)) scene.hear(viewChange);
  return scene;
}

describe("composing a NEW-VIEW (OSDI'99 §4.4)", () => {
  for (const { n, quorum } of [
    { n: 4, quorum: 3 },
    { n: 5, quorum: 4 },
    { n: 7, quorum: 5 },
  ])
    it(`n = ${n}: its primary makes it of ${quorum} VIEW-CHANGEs and enters, and writes it before it says it`, () => {
      const scene = new Scene({ n, self: 1 }).fail().forget();
      const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== 1);
      scene.others(others.slice(0, quorum - 2), 1);
      expect(scene.order).to.deep.equal([]);
      scene.others(others.slice(quorum - 2), 1);
      expect([scene.steps, scene.order]).to.deep.equal([["enter 1"], ["write new-view", "say new-view"]]);
      expect(scene.newViewSaid?.viewChanges).to.have.length(quorum);
    });

  it("nobody but the primary of the view makes one", () => {
    expect(new Scene({ self: 2 }).fail().others([0, 1, 3], 1).steps).to.deep.equal(["leave for 1"]);
  });

  it("starts at the highest stable checkpoint and proposes the highest view's claim for each number", () => {
    const scene = new Scene({ self: 1, stable: 8 }).others([2, 3], 5).forget();
    const { company } = scene;
    const again = new Scene({ self: 1, stable: 8 }).hear(company.viewChange(0, 5, 8, [claim(9, 1), claim(11, 3)]));
    again.hear(company.viewChange(3, 5, 0, [claim(7, 0), claim(9, 2, "later")]));
    const message = again.newViewSaid?.envelope.message;
    expect(message?.start).to.equal(8);
    expect(message?.digests).to.deep.equal([digestOf("later"), nullDigest, digestOf("batch 11")]);
    expect(again.newViewSaid?.certificates.map(({ prePrepare }) => prePrepare.message.view)).to.deep.equal([2, 3]);
  });

  it("proposes nothing when nothing is claimed above the start", () => {
    const scene = composed((company) => [company.viewChange(0, 1), company.viewChange(2, 1)]);
    expect(scene.newViewSaid?.envelope.message.digests).to.deep.equal([]);
  });

  it("what it makes verifies, and others enter by it", () => {
    const scene = composed((company) => [company.viewChange(0, 1, 0, [claim(2, 0)]), company.viewChange(3, 1)]);
    const newView = scene.newViewSaid && verifier.verifyNewView(scene.newViewSaid, membersOf());
    invariant(newView !== undefined, "test.does-not-verify");
    expect(new Scene().hearNewView(newView).steps).to.deep.equal(["enter 1"]);
  });

  it("two proven claims that contradict each other stop it: more than f are faulty", () => {
    const contradicting = (company: Company): VerifiedViewChange[] => [
      company.viewChange(0, 1, 0, [claim(1, 0, "a")]),
      company.viewChange(2, 1, 0, [claim(1, 0, "b")]),
    ];
    expect(() => composed(contradicting)).to.throw("new-view.proven-claims-contradict");
  });

  it("is made once, though it waits and more VIEW-CHANGEs come", () => {
    const scene = composed((company) => [0, 2, 3].map((id) => company.viewChange(id, 1, 8)));
    expect([scene.steps, scene.order]).to.deep.equal([["leave for 1"], ["write view-change", "say view-change"]]);
    scene.stable(8);
    expect(scene.order.slice(2), "at 8 it waits no more").to.deep.equal(["write new-view", "say new-view"]);
  });
});

describe("entering by a NEW-VIEW (protocol rule 7.2)", () => {
  it("is written, and not said again by those who did not make it", () => {
    const scene = new Scene().hearNewView(new Scene().company.plainNewView(1));
    expect([scene.steps, scene.order]).to.deep.equal([["enter 1"], ["write new-view"]]);
    expect([scene.views.view, scene.views.target]).to.deep.equal([1, 1]);
  });

  it("needs no VIEW-CHANGE of its own, and forgets those that led to the view", () => {
    const scene = new Scene().others([0], 1).others([3], 4).hearNewView(new Scene().company.plainNewView(3));
    expect(scene.views.isSettled).to.equal(true);
    scene.fail();
    expect(scene.views.viewChangesOf, "of those for 4 the one that was held is").to.deep.equal([2, 3]);
  });

  it("waits until h has reached its start, and no less", () => {
    const scene = new Scene().hearNewView(new Scene().company.plainNewView(1, 8));
    expect(scene.steps).to.deep.equal([]);
    expect(scene.stable(7).steps).to.deep.equal([]);
    expect(scene.stable(8).steps).to.deep.equal(["enter 1"]);
    expect(scene.stable(16).steps, "once").to.deep.equal(["enter 1"]);
  });

  it("one that starts below h is entered", () => {
    const scene = new Scene({ stable: 16 });
    expect(scene.hearNewView(scene.company.plainNewView(1, 8)).steps).to.deep.equal(["enter 1"]);
  });

  it("one that waits is given up when its view is left", () => {
    const scene = new Scene().hearNewView(new Scene().company.plainNewView(1, 8)).fail().fail().stable(8);
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
  });

  it("of those that wait the one of the highest view does, whoever repeats an older one", () => {
    const scene = new Scene();
    const { company } = scene;
    scene.hearNewView(company.plainNewView(3, 16)).hearNewView(company.plainNewView(2, 8));
    scene.hearNewView(company.plainNewView(1)).stable(8);
    expect(scene.steps, "an older view is entered meanwhile").to.deep.equal(["enter 1"]);
    expect(scene.stable(16).steps).to.deep.equal(["enter 1", "enter 3"]);
  });

  it("none below a view that a VIEW-CHANGE was sent for, nor below the one it is in", () => {
    const scene = new Scene().fail().fail();
    const { company } = scene;
    expect(scene.hearNewView(company.plainNewView(1)).rejections).to.deep.equal(["new-view.past"]);
    scene.hearNewView(company.plainNewView(4)).forget();
    expect(scene.hearNewView(company.plainNewView(3)).rejections).to.deep.equal(["new-view.past"]);
  });

  it("of less than a quorum, of another's hand, or without proof of what it chose: refused, and no evidence", () => {
    const scene = new Scene({ n: 5 });
    const { company } = scene;
    const viewChanges = [0, 1, 2, 3].map((id) => company.viewChange(id, 1, 0, id === 0 ? [claim(1, 0)] : []));
    const good = company.newView(viewChanges);
    const unproven = { ...good, newView: { ...good.newView, certificates: [] } } as typeof good;
    scene.hearNewView(company.newView(viewChanges.slice(0, 3)));
    scene.hearNewView(company.newView(viewChanges, {}, 2));
    scene.hearNewView(unproven);
    const unstarted = { ...good, newView: { ...good.newView, checkpoint: company.checkpoint(8) } } as typeof good;
    scene.hearNewView(unstarted);
    expect(scene.rejections).to.deep.equal([
      "new-view.malformed not-a-quorum",
      "new-view.malformed not-from-primary",
      "new-view.malformed unproven-choice",
      "new-view.malformed unproven-start",
    ]);
    expect([scene.steps, scene.evidence]).to.deep.equal([[], []]);
    expect(scene.hearNewView(good).steps, "the good one still is taken").to.deep.equal(["enter 1"]);
  });

  it("one whose conclusion does not follow is evidence, and who moves to its view moves on", () => {
    const scene = new Scene().fail().forget();
    scene.hearNewView(liarsNewView(scene.company, 1));
    expect([scene.steps, scene.evidence, scene.rejections]).to.deep.equal([
      ["leave for 2"],
      ["unjustified-new-view"],
      ["new-view.malformed unjustified"],
    ]);
  });

  it("who does not move to its view stays, and keeps the evidence once", () => {
    const scene = new Scene();
    const lie = liarsNewView(scene.company, 1);
    scene.hearNewView(lie).hearNewView(lie);
    expect([scene.steps, scene.evidence]).to.deep.equal([[], ["unjustified-new-view"]]);
    expect(scene.views.isNewViewRedundant(lie.newView.envelope)).to.equal(true);
  });

  it("two of one primary for one view are evidence, once, whether the first was entered or waits", () => {
    for (const stable of [0, 8]) {
      const scene = new Scene();
      const { company } = scene;
      const first = company.plainNewView(1, stable);
      const second = company.newView([0, 2, 3].map((id) => company.viewChange(id, 1, stable)));
      scene.hearNewView(first).hearNewView(first).hearNewView(second).hearNewView(second);
      expect([scene.evidence, scene.rejections], `start ${stable}`).to.deep.equal([
        ["equivocation"],
        ["new-view.conflicting", "new-view.conflicting"],
      ]);
    }
  });

  it("who contradicts itself in VIEW-CHANGEs for a view that it is the primary of is heard, and convicted, as its primary", () => {
    const scene = new Scene().fail();
    const { company, views } = scene;
    scene
      .hear(company.viewChange(1, 1))
      .hear(company.viewChange(1, 1, 8))
      .forget();
    const lie = liarsNewView(company, 1);
    expect(views.isNewViewRedundant(company.plainNewView(1).newView.envelope), "it may be justified").to.equal(false);
    expect(views.isNewViewRedundant(lie.newView.envelope), "or a lie of another kind").to.equal(false);
    expect(scene.hearNewView(lie).evidence).to.deep.equal(["unjustified-new-view"]);
  });

  it("what could change nothing is known before its signatures are looked at", () => {
    const scene = new Scene().hearNewView(new Scene().company.plainNewView(3));
    const { company, views } = scene;
    const isRedundant = (...change: Parameters<Company["plainNewView"]>): boolean =>
      views.isNewViewRedundant(company.plainNewView(...change).newView.envelope);
    expect(isRedundant(3), "the same").to.equal(true);
    expect(isRedundant(2), "of the past").to.equal(true);
    expect(isRedundant(4), "of the next view").to.equal(false);
    const second = company.newView([0, 2, 3].map((id) => company.viewChange(id, 3)));
    expect(views.isNewViewRedundant(second.newView.envelope), "evidence").to.equal(false);
    scene.hearNewView(second);
    expect(views.isNewViewRedundant(second.newView.envelope), "on record").to.equal(true);
    const foreign = company.newView(
      [0, 1, 2].map((id) => company.viewChange(id, 4)),
      {},
      1,
    );
    expect(views.isNewViewRedundant(foreign.newView.envelope), "not of its primary").to.equal(true);
    scene.fail().fail();
    expect(isRedundant(4), "of a view that a VIEW-CHANGE has left").to.equal(true);
  });

  it("view 0 has no NEW-VIEW", () => {
    const { views, company } = new Scene();
    const zero = company.plainNewView(4).newView.envelope;
    const envelope = { ...zero, message: { ...zero.message, view: views.view } };
    expect(views.isNewViewRedundant(envelope)).to.equal(true);
  });
});

/** A NEW-VIEW of the right primary that leaves out what prepared. */
function liarsNewView(company: Company, view: number): ReturnType<Company["newView"]> {
  const quorum = [0, 1, 2].map((id) => company.viewChange(id, view, 0, [claim(1, 0)]));
  return company.newView(quorum, { digests: [nullDigest] });
}
