import type { Effect } from "@quorate/protocol";
import { expect } from "chai";
import { NewViewTimer } from "../dist/new-view-timer.js";

/** What became of the clock, in order: for how long it was started, or "cancel". */
function told(out: readonly Effect[]): (number | string)[] {
  return out.map((effect) => (effect.type === "start-timer" ? effect.afterMs : effect.type));
}

describe("NewViewTimer (protocol rule 7.3)", () => {
  it("one that runs goes on, and is cancelled once", () => {
    const timer = new NewViewTimer();
    const out: Effect[] = [];
    timer.start(10, out);
    timer.start(20, out);
    timer.stop(out);
    timer.stop(out);
    expect(told(out)).to.deep.equal([10, "cancel-timer"]);
  });

  it("runs out once, and an earlier clock is not this one", () => {
    const timer = new NewViewTimer();
    const out: Effect[] = [];
    timer.start(10, out);
    timer.stop(out);
    timer.start(20, out);
    const tokens = out.flatMap((effect) => (effect.type === "start-timer" ? [effect.token] : []));
    expect(tokens.map((token) => timer.onTimeout(token))).to.deep.equal([false, true]);
    expect(timer.onTimeout(tokens[1]!), "again").to.equal(false);
  });
});
