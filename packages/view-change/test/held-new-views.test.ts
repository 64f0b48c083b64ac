import { type VerifiedNewView, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { HeldNewViews } from "../dist/held-new-views.js";
import { Company } from "./builders.ts";

const company = new Company();
const [one, two, three] = [1, 2, 3].map((view) => company.plainNewView(view)) as [
  VerifiedNewView,
  VerifiedNewView,
  VerifiedNewView,
];

describe("HeldNewViews (protocol rule 7.2)", () => {
  it("finds the one entered, and the one that waits, by their views", () => {
    const held = new HeldNewViews(one);
    held.wait(three);
    expect([1, 2, 3].map((view) => held.of(viewNumber(view)))).to.deep.equal([one, undefined, three]);
  });

  it("of those that wait the one of the highest view does", () => {
    const held = new HeldNewViews(undefined);
    for (const newView of [two, one]) held.wait(newView);
    expect(held.waiting).to.equal(two);
    held.wait(three);
    expect(held.waiting).to.equal(three);
  });

  it("one that waits is given up for a later view, and kept for its own", () => {
    const held = new HeldNewViews(undefined);
    held.wait(two);
    held.leaveFor(viewNumber(2));
    expect(held.waiting).to.equal(two);
    held.leaveFor(viewNumber(3));
    expect(held.waiting).to.equal(undefined);
  });

  it("waits no more once its view, or a later one, is entered", () => {
    for (const [entered, waiting] of [
      [one, two],
      [two, undefined],
      [three, undefined],
    ] as const) {
      const held = new HeldNewViews(undefined);
      held.wait(two);
      held.enter(entered);
      expect([held.entered, held.waiting]).to.deep.equal([entered, waiting]);
    }
  });
});
