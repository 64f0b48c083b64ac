import { drawRun, SpaceTime, spaceTimeSvg } from "@quorate/test-harness";
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
    const svg = drawRun({ seed: undefined, toMs: 250 });
    for (const what of ["PRE-PREPARE", "PREPARE", "COMMIT", "VIEW-CHANGE", "NEW-VIEW", "view 1", "✕"])
      expect(svg, what).to.include(what);
  });
});
