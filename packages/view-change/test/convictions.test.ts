import type { Effect } from "@quorate/protocol";
import { expect } from "chai";
import { Convictions } from "../dist/convictions.js";
import { Company } from "./builders.ts";

const company = new Company();
const viewChangeOf = (id: number, view: number, stable = 0) => company.viewChange(id, view, stable).viewChange.envelope;
const newViewOf = (view: number, stable = 0) => company.plainNewView(view, stable).newView.envelope;

/** "evidence", or the code of a rejection, in order. */
function namesOf(effects: readonly Effect[]): string[] {
  return effects.map((effect) => (effect.type === "rejected" ? effect.rejection.code : effect.type));
}

describe("Convictions (protocol rule 13.2)", () => {
  it("each contradiction is rejected, and is evidence once for a view", () => {
    const convictions = new Convictions();
    const out: Effect[] = [];
    for (const stable of [8, 8, 16]) convictions.onContradiction(viewChangeOf(1, 5), viewChangeOf(1, 5, stable), out);
    convictions.onContradiction(viewChangeOf(1, 6), viewChangeOf(1, 6, 8), out);
    const code = "view-change.conflicting";
    expect(namesOf(out)).to.deep.equal([code, "evidence", code, code, code, "evidence"]);
    expect(convictions.has(viewChangeOf(1, 6))).to.equal(true);
    expect(convictions.has(viewChangeOf(1, 7)), "of another view").to.equal(false);
    expect(convictions.has(viewChangeOf(2, 6)), "of another sender").to.equal(false);
  });

  it("who contradicted itself in one kind of message is not convicted in the other", () => {
    const convictions = new Convictions();
    const out: Effect[] = [];
    convictions.onContradiction(viewChangeOf(1, 1), viewChangeOf(1, 1, 8), out);
    expect(convictions.has(newViewOf(1))).to.equal(false);
    convictions.onContradiction(newViewOf(1), newViewOf(1, 8), out);
    expect(namesOf(out).slice(2)).to.deep.equal(["new-view.conflicting", "evidence"]);
    expect([convictions.has(newViewOf(1)), convictions.has(viewChangeOf(1, 1))]).to.deep.equal([true, true]);
  });

  it("an unjustified NEW-VIEW is evidence once, and then two of them are no news", () => {
    const convictions = new Convictions();
    const out: Effect[] = [];
    const { envelope, viewChanges } = company.plainNewView(1).newView;
    for (let i = 0; i < 2; i++) convictions.onUnjustified(envelope, viewChanges, out);
    convictions.onContradiction(envelope, newViewOf(1, 8), out);
    expect(namesOf(out)).to.deep.equal(["evidence", "new-view.conflicting"]);
  });

  it("holds one view of each member and kind, however often it lies", () => {
    const convictions = new Convictions();
    for (let view = 1; view <= 20; view++) {
      for (const id of [0, 1, 2, 3]) convictions.onContradiction(viewChangeOf(id, view), viewChangeOf(id, view, 8), []);
      convictions.onContradiction(newViewOf(view), newViewOf(view, 8), []);
    }
    expect(convictions.fill(4)).to.deep.equal({ of: "convictions in view changes", size: 8, max: 8 });
  });
});
