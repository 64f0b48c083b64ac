import { TimeOut } from "@quorate/view-change";
import { expect } from "chai";
import { array, assert, integer, oneof, property } from "fast-check";

const options = { viewChangeMs: 1_000, viewChangeMaxMs: 6_000 };

describe("TimeOut (protocol rule 7.3)", () => {
  it("begins at the first time-out", () => {
    expect(new TimeOut(options).currentMs).to.equal(1_000);
  });

  it("doubles with each view that failed, up to the maximum", () => {
    const timeOut = new TimeOut(options);
    const seen = Array.from({ length: 6 }, () => {
      timeOut.onFailed();
      return timeOut.currentMs;
    });
    expect(seen).to.deep.equal([2_000, 4_000, 6_000, 6_000, 6_000, 6_000]);
  });

  it("comes down by halves, below the maximum at once however often it had failed there", () => {
    const timeOut = new TimeOut(options);
    for (let failures = 0; failures < 100; failures++) timeOut.onFailed();
    const seen = Array.from({ length: 4 }, () => {
      timeOut.onProgress(0);
      return timeOut.currentMs;
    });
    expect(seen).to.deep.equal([4_000, 2_000, 1_000, 1_000]);
  });

  it("comes down only when half of it would have been enough", () => {
    const timeOut = new TimeOut(options);
    timeOut.onFailed();
    timeOut.onProgress(1_001);
    expect(timeOut.currentMs).to.equal(2_000);
    timeOut.onProgress(1_000);
    expect(timeOut.currentMs).to.equal(1_000);
  });

  it("a maximum that is the first time-out never moves", () => {
    const timeOut = new TimeOut({ viewChangeMs: 500, viewChangeMaxMs: 500 });
    timeOut.onFailed();
    expect(timeOut.currentMs).to.equal(500);
    timeOut.onProgress(0);
    expect(timeOut.currentMs).to.equal(500);
  });

  for (const bounds of [
    { viewChangeMs: 0, viewChangeMaxMs: 1 },
    { viewChangeMs: 2, viewChangeMaxMs: 1 },
  ])
    it(`${bounds.viewChangeMs} up to ${bounds.viewChangeMaxMs} ms are no bounds`, () => {
      expect(() => new TimeOut(bounds)).to.throw("time-out.bounds");
    });

  it("never leaves its bounds, whatever fails and succeeds", () => {
    const happenings = array(oneof(integer({ min: 0, max: 8_000 }), integer({ min: -5, max: -1 })), { maxLength: 60 });
    assert(
      property(happenings, (all) => {
        const timeOut = new TimeOut(options);
        for (const happening of all) {
          if (happening < 0) timeOut.onFailed();
          else timeOut.onProgress(happening);
          expect(timeOut.currentMs).to.be.within(1_000, 6_000);
        }
      }),
      { seed: 7 },
    );
  });
});
