import { SteadyClock } from "@quorate/server/host";
import { expect } from "chai";

describe("SteadyClock", () => {
  it("tells the time of the wall while that goes forward, and follows it ahead", () => {
    let wallMs = 1_000.7;
    const clock = new SteadyClock(
      () => wallMs,
      () => wallMs,
    );
    expect(clock.nowMs()).to.equal(1_000);
    wallMs += 3_600_000;
    expect(clock.nowMs()).to.equal(3_601_000);
  });

  it("goes on at half speed after the wall stepped back, until the wall has caught up", () => {
    let wallMs = 100_000;
    let monotonicMs = 5;
    const clock = new SteadyClock(
      () => wallMs,
      () => monotonicMs,
    );
    const pass = (ms: number): void => {
      wallMs += ms;
      monotonicMs += ms;
    };
    clock.nowMs();
    wallMs -= 1_000;

    const seen: number[] = [];
    for (let i = 0; i < 6; i++) {
      pass(500);
      seen.push(clock.nowMs());
    }

    expect(seen).to.deep.equal([100_250, 100_500, 100_750, 101_000, 101_500, 102_000]);
  });

  it("counts parts of a millisecond, however often it is asked", () => {
    let monotonicMs = 0;
    const clock = new SteadyClock(
      () => (monotonicMs === 0 ? 10_000 : 0),
      () => monotonicMs,
    );
    for (let i = 0; i < 1_000; i++) {
      monotonicMs += 0.25;
      clock.nowMs();
    }
    expect(clock.nowMs()).to.equal(10_125);
  });

  it("is never below 1970", () => {
    const clock = new SteadyClock(
      () => -5_000,
      () => 0,
    );
    expect(clock.nowMs()).to.equal(0);
  });
});
