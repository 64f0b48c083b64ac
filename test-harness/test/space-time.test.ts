import { drawRun, type Moment, partOf, SpaceTime, spaceTimeSvg } from "@quorate/test-harness";
import { expect } from "chai";

const options = { title: "a < b", ends: ["c0", "r0"], fromMs: 0, toMs: 10 };

describe("the picture of a run", () => {
  it("has an arrow for each frame in its part, dashed and without a head when the frame was lost", () => {
    const run = new SpaceTime();
    run.sent("c0", "r0", "request", "request 1", 1).arrivedMs = 2;
    run.sent("r0", "c0", "reply", "reply 1", 3);
    run.sent("c0", "r0", "request", "later", 11).arrivedMs = 12;
    const svg = spaceTimeSvg(run, options);
    expect(svg.match(/marker-end/g)).to.have.length(1);
    expect(svg.match(/stroke-dasharray/g)).to.have.length(1);
    expect(svg).to.include("reply 1, lost").and.not.include("later");
  });

  it("ends at its edge what arrives later, without a head", () => {
    const run = new SpaceTime();
    run.sent("c0", "r0", "request", "request 1", 5).arrivedMs = 25;
    const svg = spaceTimeSvg(run, options);
    // A quarter of the way from y 64 to y 120, and the right end of the lines.
    expect(svg).to.include('x1="760.0" y1="64" x2="1460.0" y2="78.0"').and.not.include("marker-end");
  });

  it("leaves out what only keeps things going, unless it is asked for", () => {
    const run = new SpaceTime();
    run.sent("r0", "c0", "status", "status v0", 1).arrivedMs = 2;
    expect(spaceTimeSvg(run, options)).not.to.include("status v0");
    expect(spaceTimeSvg(run, { ...options, isComplete: true })).to.include("status v0");
  });

  it("is well-formed whatever labels say", () => {
    expect(spaceTimeSvg(new SpaceTime(), options)).to.include("a &lt; b");
  });

  it("shows the three phases, the crash of the primary and the view change of the example", () => {
    const { svg } = drawRun({ run: undefined, toMs: 250 });
    for (const what of ["PRE-PREPARE", "PREPARE", "COMMIT", "VIEW-CHANGE", "NEW-VIEW", "view 1", "✕"])
      expect(svg, what).to.include(what);
  });

  describe("of a whole run", () => {
    const longRun = (moments: readonly Moment[]): SpaceTime => {
      const run = new SpaceTime();
      for (const moment of moments) run.happened(moment);
      return run;
    };
    const entered = (end: string, atMs: number): Moment => ({ end, atMs, kind: "view", label: "view 1" });
    const unasked = { fromMs: undefined, toMs: undefined };

    it("is the part around the first view that is entered", () => {
      const run = longRun([{ end: "r0", atMs: 0, kind: "up", label: "up" }, entered("r2", 900.7), entered("r1", 905)]);
      expect(partOf(run, unasked)).to.deep.equal({
        fromMs: 760,
        toMs: 960,
        reason: "around the entrance of r2 into view 1",
      });
      expect(partOf(longRun([entered("r1", 50)]), unasked)).to.include({ fromMs: 0, toMs: 200 });
    });

    it("is the beginning when no view is entered", () => {
      expect(partOf(new SpaceTime(), unasked)).to.deep.equal({ fromMs: 0, toMs: 200, reason: "the beginning" });
    });

    it("is what was asked for", () => {
      const run = longRun([entered("r1", 900)]);
      expect(partOf(run, { fromMs: 10, toMs: 5_000 })).to.include({ fromMs: 10, toMs: 5_000 });
      expect(partOf(run, { fromMs: 10, toMs: undefined })).to.include({ fromMs: 10, toMs: 210 });
      expect(partOf(run, { fromMs: undefined, toMs: 70 })).to.include({ fromMs: 0, toMs: 70 });
    });
  });
});
