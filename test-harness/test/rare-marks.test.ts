import { REJECTION_CODES } from "@quorate/server/host";
import {
  EXPECTED_MARKS,
  expectedMarks,
  Marks,
  RARE_MARKS,
  RARE_MARKS_AFTER_SEEDS,
  reachedAllTheSame,
  UNDEMANDED_REJECTIONS,
  UNREACHABLE_REJECTIONS,
} from "@quorate/test-harness";
import { expect } from "chai";

describe("The marks that a large campaign must have", () => {
  it("are demanded of as many seeds as have them, beside those of every campaign", () => {
    expect(expectedMarks(RARE_MARKS_AFTER_SEEDS - 1)).to.deep.equal(EXPECTED_MARKS);
    expect(expectedMarks(RARE_MARKS_AFTER_SEEDS)).to.deep.equal([...EXPECTED_MARKS, ...RARE_MARKS]);
    expect(RARE_MARKS.filter((mark) => EXPECTED_MARKS.includes(mark))).to.deep.equal([]);
  });

  it("name each reason to drop an input, or why it is not demanded", () => {
    for (const code of Object.keys(REJECTION_CODES)) {
      const isDemanded = expectedMarks(RARE_MARKS_AFTER_SEEDS).includes(`rejected: ${code}`);
      const reasons = [UNREACHABLE_REJECTIONS, UNDEMANDED_REJECTIONS].filter((table) => code in table);
      expect(reasons.length, code).to.equal(isDemanded ? 0 : 1);
    }
  });

  it("have every lie of the tables", () => {
    const all = expectedMarks(RARE_MARKS_AFTER_SEEDS);
    expect(all).to.include.members([
      "byzantine: NEW-VIEW swaps batches",
      "byzantine: VIEW-CHANGE with a bad signature",
      "byzantine: equivocates three ways",
      "byzantine: votes in several views at once",
      "byzantine: answers swapped",
    ]);
    expect(all.filter((mark) => mark.startsWith("byzantine: NEW-VIEW "))).to.have.length(14);
  });

  it("tell when something happens that is said to be out of reach", () => {
    const marks = new Marks();
    marks.add("rejected: view.past");
    expect(reachedAllTheSame(marks)).to.deep.equal([]);
    marks.add("rejected: window.above");
    expect(reachedAllTheSame(marks).join()).to.match(/^rejected: window\.above, though the ingress asks/);
  });
});
