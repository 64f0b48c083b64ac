import { replicaId, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { ViewChangeSet } from "../dist/view-change-set.js";
import { Company } from "./builders.ts";

/** What a set of n members holds that heard these, `[sender, view]`, in this order. */
function setOf(heard: readonly (readonly [number, number])[], n = 4): ViewChangeSet {
  const company = new Company(n);
  const set = new ViewChangeSet(company.membership);
  for (const [id, view] of heard) set.add(company.viewChange(id, view));
  return set;
}
function sendersFor(set: ViewChangeSet, view: number): number[] {
  return set.of(viewNumber(view)).map(({ viewChange }) => viewChange.envelope.from);
}

describe("ViewChangeSet (OSDI'99 §4.4)", () => {
  it("holds of each member the one that came last, and no more of them than members", () => {
    const set = setOf([1, 2, 3, 4, 5].flatMap((view) => [0, 1, 2, 3].map((id) => [id, view] as const)));
    expect(set.fill).to.deep.equal({ of: "VIEW-CHANGEs", size: 4, max: 4 });
    expect(set.newestOf(replicaId(2))?.viewChange.envelope.message.view).to.equal(5);
    set.checkInvariants();
  });

  it("those for a view are told ascending by sender, whatever order they came in", () => {
    const set = setOf([
      [3, 2],
      [0, 2],
      [2, 1],
      [1, 2],
    ]);
    expect([sendersFor(set, 2), sendersFor(set, 1), sendersFor(set, 3)]).to.deep.equal([[0, 1, 3], [2], []]);
  });

  it("who has gone beyond a view counts for it, who has not reached it does not", () => {
    const set = setOf([
      [0, 1],
      [1, 2],
      [3, 9],
    ]);
    expect([1, 2, 3, 10].map((view) => set.countAtOrBeyond(viewNumber(view)))).to.deep.equal([3, 2, 1, 0]);
  });

  it("tells whether anyone goes to a view, and not beyond it", () => {
    const set = setOf([
      [0, 1],
      [3, 9],
    ]);
    expect([0, 1, 2, 9].map((view) => set.hasFor(viewNumber(view)))).to.deep.equal([false, true, false, true]);
  });

  it("f+1 beyond a view can be joined, at the smallest of their views (OSDI'99 §4.5.2)", () => {
    const set = setOf(
      [
        [0, 1],
        [1, 4],
        [2, 9],
        [3, 6],
      ],
      7,
    );
    expect(set.joinableBeyond(viewNumber(0))).to.equal(1);
    expect(set.joinableBeyond(viewNumber(1)), "who is at it is not beyond").to.equal(4);
    expect(set.joinableBeyond(viewNumber(4)), "of f+1 = 3 there are 2").to.equal(undefined);
  });

  it("forgets what led to a view that is entered, and keeps what leads beyond", () => {
    const set = setOf([
      [0, 1],
      [1, 2],
      [3, 3],
    ]);
    set.forget(viewNumber(2));
    expect([set.fill.size, sendersFor(set, 3)]).to.deep.equal([1, [3]]);
  });
});
