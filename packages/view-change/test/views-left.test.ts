import { expect } from "chai";
import { ViewsLeft } from "../dist/views-left.js";

describe("ViewsLeft", () => {
  it("counts by cause, and what was read of it stays as it was", () => {
    const left = new ViewsLeft();
    left.count("joined");
    const before = left.counts;
    left.count("joined");
    left.count("rotated");
    expect(before).to.deep.equal({ failed: 0, joined: 1, slow: 0, unfair: 0, "handed-over": 0, rotated: 0 });
    expect(left.counts).to.deep.equal({ ...before, joined: 2, rotated: 1 });
  });
});
