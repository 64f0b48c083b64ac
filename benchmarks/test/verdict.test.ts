import { expect } from "chai";
import { measureUntilReached } from "../dist/attempts.js";
import { HELP } from "../dist/options.js";
import { type Report, type RunReport, verdictOf } from "../dist/report.js";

const QUIET = { p50: 100, p95: 150 };
const DISTURBED = { p50: 100, p95: 150.1 };

interface Figures {
  readonly latencyMedianMs?: number;
  readonly operationsPerSecond?: number;
  readonly failed?: number;
  readonly before?: typeof QUIET;
  readonly after?: typeof QUIET;
}

/** Good figures of a quiet machine, but for what is given. */
function report(figures: Figures = {}): Report {
  const { latencyMedianMs = 2.9, operationsPerSecond = 10_000, failed = 0, before = QUIET, after = QUIET } = figures;
  const run = (scenario: RunReport["scenario"]): RunReport => ({
    scenario,
    operation: "put",
    valueBytes: 64,
    clients: 1,
    outstanding: 1,
    operations: 1_000,
    failed: scenario === "latency" ? failed : 0,
    seconds: 5,
    operationsPerSecond: scenario === "throughput" ? operationsPerSecond : 300,
    latencyMs: { mean: 3, p50: scenario === "latency" ? latencyMedianMs : 8, p95: 9, p99: 10, max: 20 },
    meanBatch: 1,
    cpuSeconds: undefined,
    cpuSecondsPer1000: undefined,
    loadAverage: 2,
  });
  const calibration = (verificationUs: typeof QUIET) => ({ verificationUs, syncedWriteUs: QUIET, loadAverage: 0 });
  return {
    machine: { node: "v20", system: "Linux", cpu: "a processor", cores: 2 },
    cluster: { n: 4, f: 1, durability: "sync", signatures: "node", pipeline: "default", checkpointInterval: 128 },
    calibration: { before: calibration(before), after: calibration(after) },
    runs: [run("throughput"), run("latency")],
  };
}

const SLOW = "latency: the median is 3 ms, expected less than 3 ms";
const FEW = "throughput: 9999 operations a second, expected at least 10000";
const FAILED = "latency: 2 operations failed";

describe("The verdict on a report", () => {
  it("is good when the minimums are reached, whatever else the machine did", () => {
    for (const calibration of [{}, { before: DISTURBED }, { after: DISTURBED }])
      expect(verdictOf(report(calibration), true)).to.deep.equal({ exitCode: 0, complaints: [], isSlow: false });
  });

  it("is bad when one is missed while the machine did nothing else", () => {
    expect(verdictOf(report({ latencyMedianMs: 3 }), true)).to.deep.equal({
      exitCode: 1,
      complaints: [SLOW],
      isSlow: true,
    });
    expect(verdictOf(report({ operationsPerSecond: 9_999, latencyMedianMs: 3 }), true)).to.deep.equal({
      exitCode: 1,
      complaints: [FEW, SLOW],
      isSlow: true,
    });
  });

  for (const when of ["before", "after"] as const)
    it(`is none when one is missed and somebody else was at work ${when} the benchmark, which one line says`, () => {
      const figures = { operationsPerSecond: 9_999, latencyMedianMs: 3, [when]: DISTURBED };

      const { exitCode, complaints, isSlow } = verdictOf(report(figures), true);

      expect([exitCode, isSlow]).to.deep.equal([3, true]);
      expect(complaints).to.deep.equal([
        `no verdict: somebody else was at work ${when} it (a verification took 100 µs, the p95 is 150.1 µs); measure again on a machine that does nothing else; ${FEW}; ${SLOW}`,
      ]);
    });

  it("is bad when operations failed, on any machine, asked for or not", () => {
    for (const isChecked of [true, false])
      expect(verdictOf(report({ failed: 2, before: DISTURBED }), isChecked)).to.deep.equal({
        exitCode: 1,
        complaints: [FAILED],
        isSlow: false,
      });
    expect(verdictOf(report({ failed: 2, latencyMedianMs: 3, before: DISTURBED }), true)).to.deep.equal({
      exitCode: 1,
      complaints: [FAILED, SLOW],
      isSlow: false,
    });
  });

  it("is good when nobody asks for the minimums", () => {
    for (const calibration of [{}, { after: DISTURBED }])
      expect(verdictOf(report({ latencyMedianMs: 30, ...calibration }), false)).to.deep.equal({
        exitCode: 0,
        complaints: [],
        isSlow: false,
      });
  });

  it("is looked for in three runs, as long as all that is wrong is that a minimum was missed", async () => {
    const slow = report({ latencyMedianMs: 3 });
    const disturbed = report({ latencyMedianMs: 3, before: DISTURBED });
    const failed = report({ failed: 2, latencyMedianMs: 3 });
    const good = report();
    for (const [reports, exitCode] of [
      [[good], 0],
      [[slow, good], 0],
      [[disturbed, slow, good], 0],
      [[slow, slow, slow], 1],
      [[disturbed, disturbed, disturbed], 3],
      [[disturbed, disturbed, slow], 1],
      [[slow, disturbed, disturbed], 1],
      [[slow, failed], 1],
    ] as const) {
      const missed: Report[] = [];
      let runs = 0;
      const measure = async (): Promise<Report> => reports[runs++] ?? expect.fail("one run too many");

      const ended = await measureUntilReached(measure, (_, of) => missed.push(of));

      expect(runs).to.equal(reports.length);
      expect(ended.report).to.equal(reports.at(-1));
      expect(ended.verdict.exitCode).to.equal(exitCode);
      expect(missed).to.deep.equal(reports.slice(0, -1));
    }
  });

  it("has its exit codes in the help", () => {
    const [, text = ""] = /--check +([\s\S]*?) {2}--json/.exec(HELP) ?? [];
    expect(text)
      .to.match(/\b1\b/)
      .and.match(/\b3\b/)
      .and.match(/somebody else/);
  });
});
