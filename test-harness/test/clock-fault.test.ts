import { SteadyClock } from "@quorate/server/host";
import { type ClockFault, EPOCH_1970_MS, EPOCH_2106_MS, wallMs } from "@quorate/test-harness";
import { expect } from "chai";

const EPOCH = 1_700_000_000_000;
const FAULTS: readonly ClockFault[] = [
  { replica: 0, type: "offset", ms: -3_600_000 },
  { replica: 0, type: "strobe", ms: 3_600_000, eachMs: 7 },
  { replica: 0, type: "strobe", ms: -1_000, eachMs: 150 },
  { replica: 0, type: "set-back", ms: 3_600_000, atMs: 500 },
  { replica: 0, type: "runs-from", epochMs: EPOCH_1970_MS },
  { replica: 0, type: "runs-from", epochMs: EPOCH_2106_MS },
];

describe("A wrong wall clock", () => {
  it("is wrong as it is meant to be", () => {
    const at = (fault: number, nowMs: number): number => wallMs(FAULTS[fault], EPOCH, nowMs) - EPOCH;

    expect(wallMs(undefined, EPOCH, 5)).to.equal(EPOCH + 5);
    expect(at(0, 5)).to.equal(5 - 3_600_000);
    expect([at(1, 6), at(1, 7), at(1, 14)]).to.deep.equal([6, 3_600_007, 14]);
    expect([at(3, 499), at(3, 500)]).to.deep.equal([3_600_499, 500]);
    expect(new Date(wallMs(FAULTS[4], EPOCH, 5)).getUTCFullYear()).to.equal(1970);
    expect(new Date(wallMs(FAULTS[5], EPOCH, 5)).getUTCFullYear()).to.equal(2106);
  });

  it("never takes the clock of a replica back", () => {
    for (const fault of FAULTS) {
      let nowMs = 0;
      const clock = new SteadyClock(
        () => wallMs(fault, EPOCH, nowMs),
        () => nowMs,
      );
      for (let before = clock.nowMs(); nowMs < 1_000; nowMs += 3) {
        const now = clock.nowMs();
        expect(now, `${fault.type} at ${nowMs}`).to.be.at.least(before);
        before = now;
      }
    }
  });
});
