import {
  cutLabels,
  drawRun,
  EXAMPLE_RUN,
  type Moment,
  partOf,
  type SimulationOptions,
  SpaceTime,
  spaceTimeSvg,
} from "@quorate/test-harness";
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
    // A quarter of the way from y 92 to y 154, and the right end of the lines.
    expect(svg).to.include('x1="760.0" y1="92" x2="1460.0" y2="107.5"').and.not.include("marker-end");
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

  it("has a band for what is wrong at an end, from its beginning to its end, cut at the edges", () => {
    const run = new SpaceTime();
    run.began("r0", "paused", "paused", 2);
    run.ended("paused", 4, "r0");
    run.began("c0", "cut", "cut from r0", -5);
    run.began("r0", "down", "down", 12);
    const svg = spaceTimeSvg(run, options);
    expect(svg).to.match(/<rect x="340.0" y="143" width="280.0" [^>]*fill="#d4a017"/);
    expect(svg).to.match(/<rect x="60.0" y="81" width="1400.0" [^>]*fill="#b01e3c"/);
    expect(svg)
      .to.include("r0 paused, from 2.00 ms to 4.00 ms")
      .and.include("c0 cut from r0, from -5.00 ms to the end");
    expect(svg).to.include("■ stands still").and.include("■ links cut").and.not.include("has no power");
  });

  it("ends only what it is told to end", () => {
    const run = new SpaceTime();
    const [first, second] = [run.began("r0", "cut", "a", 1), run.began("r1", "cut", "b", 1)];
    const paused = run.began("r0", "paused", "c", 1);
    run.ended("cut", 3, "r0");
    run.ended("cut", 5);
    expect([first.toMs, second.toMs, paused.toMs]).to.deep.equal([3, 5, undefined]);
  });

  it("says under its name how a replica lies, and where the run fails", () => {
    const notes = new Map([["r0", "Byzantine: equivocates"]]);
    expect(spaceTimeSvg(new SpaceTime(), { ...options, notes, failedMs: 5 }))
      .to.include("Byzantine: equivocates")
      .and.match(/<line x1="760.0"[^>]*\/><text[^>]*>fails here/);
    expect(spaceTimeSvg(new SpaceTime(), { ...options, failedMs: 11 })).not.to.include("fails here");
  });

  it("tells of a cut who hears whom no more", () => {
    const directions = [
      ["r0", "r1"],
      ["r1", "r0"],
      ["r2", "r0"],
    ] as const;
    expect([...cutLabels(directions)]).to.deep.equal([
      ["r0", "cut from r1; does not hear r2"],
      ["r1", "cut from r0"],
      ["r2", "is not heard by r0"],
    ]);
  });

  it("shows every kind of fault of a run, and whether it passes", () => {
    const faults: SimulationOptions["faults"] = [
      { type: "crash", atMs: 10, replicas: [3], downMs: 20 },
      { type: "pause", atMs: 15, replica: 2, forMs: 10 },
      {
        type: "partition",
        atMs: 40,
        groups: [
          [0, 1],
          [2, 3],
        ],
        forMs: 20,
      },
      { type: "cut", atMs: 70, replica: 1, direction: "in", forMs: 10 },
      { type: "lossy", atMs: 85, replica: 2, loss: 0.25 },
      { type: "slow-disk", atMs: 90, replica: 0, flushMs: 5, forMs: 10 },
      { type: "lose-disk", atMs: 110, replica: 3, downMs: 10 },
    ];
    const byzantine = [{ replica: 1, behaviour: "wrong-replies" }] as const;
    const { svg } = drawRun({ run: { ...EXAMPLE_RUN, faults, byzantine }, fromMs: 0, toMs: 200 });
    for (const what of [
      "seed 1: the run passes",
      "r3 down, from 10.00 ms to 30.00 ms",
      "r2 paused, from 15.00 ms to 25.00 ms",
      "r0 cut from r2, r3, from 40.00 ms to 60.00 ms",
      "r1 does not hear r0, r2, r3, from 70.00 ms to 80.00 ms",
      "r2 loses 25 % of what is sent to it",
      "r0 flushes take 5 ms more, from 90.00 ms to 100.00 ms",
      "▲ disk lost",
      "mute: does not vote",
      "Byzantine: wrong-replies",
    ])
      expect(svg, what).to.include(what);
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
