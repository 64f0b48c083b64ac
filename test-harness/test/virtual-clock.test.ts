import { Prng, VirtualClock } from "@quorate/test-harness";
import { expect } from "chai";

describe("The virtual clock", () => {
  it("runs tasks in the order of their times, and those of one time as they were scheduled", () => {
    const clock = new VirtualClock();
    const prng = new Prng("clock");
    const ran: { atMs: number; order: number }[] = [];
    for (let order = 0; order < 500; order++) {
      const atMs = prng.integer(0, 40);
      clock.after(atMs, () => ran.push({ atMs, order }));
    }

    while (clock.runNext(100));

    const sorted = [...ran].sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    expect(ran).to.have.length(500);
    expect(ran).to.deep.equal(sorted);
  });

  it("stands at the time of the task that runs, and at the end of the wait when none is left", () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    clock.after(5, () => clock.after(2.5, () => seen.push(clock.nowMs)));

    while (clock.runNext(20));

    expect(seen).to.deep.equal([7.5]);
    expect(clock.nowMs).to.equal(20);
    expect(clock.ran).to.equal(2);
  });

  it("leaves later tasks for later", () => {
    const clock = new VirtualClock();
    let ran = false;
    clock.after(10, () => {
      ran = true;
    });

    expect(clock.runNext(9)).to.equal(false);
    expect(ran).to.equal(false);
    expect(clock.runNext(10)).to.equal(true);
    expect(ran).to.equal(true);
  });

  it("does not run what was cancelled, and never goes back for a negative delay", () => {
    const clock = new VirtualClock();
    const ran: string[] = [];
    clock.after(1, () => ran.push("cancelled")).cancel();
    clock.after(3, () => clock.after(-5, () => ran.push(`at ${clock.nowMs}`)));

    while (clock.runNext(10));

    expect(ran).to.deep.equal(["at 3"]);
  });
});
