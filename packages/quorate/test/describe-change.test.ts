import { type Member, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { describeChange } from "../dist/cli/members/describe-change.js";

function leaving(n: number, mayLowerFaultThreshold: boolean): string {
  const members = Array.from({ length: n }, (_, id) => ({ id: replicaId(id) }) as Member);
  return describeChange({ type: "leave", id: replicaId(3), mayLowerFaultThreshold }, { members });
}

describe("What a change does, in one line", () => {
  it("says of a leaver that fewer members may be faulty only where that is so", () => {
    const lowered = "replica 3 leaves, and fewer members may be faulty then";
    expect([5, 6, 7, 8].map((n) => leaving(n, true))).to.deep.equal([
      "replica 3 leaves",
      "replica 3 leaves",
      lowered,
      "replica 3 leaves",
    ]);
    expect(leaving(7, false), "it is refused").to.equal("replica 3 leaves");
  });
});
