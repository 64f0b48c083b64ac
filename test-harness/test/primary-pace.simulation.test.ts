import {
  type ByzantineBehaviour,
  NO_CHANGES,
  optionsForSeed,
  Simulation,
  type SimulationOptions,
  type SimulationReport,
  SpaceTime,
} from "@quorate/test-harness";
import { expect } from "chai";

const T = 600;
/** Long enough for a judgement, and for as many again. */
const RUN_MS = 20 * T;

/** A network that loses nothing, fast disks, and clients that ask one thing after another all the time. */
function calmOptions(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  return {
    ...optionsForSeed(seed),
    ...NO_CHANGES,
    replicas: 4,
    clients: 3,
    faultyClients: 0,
    operations: 80,
    scheme: "fake",
    checkpointInterval: 16,
    windowSize: 64,
    rotateEveryBatches: 0,
    pipelineDepthMax: 4,
    batchRequestsMax: 16,
    requestOperationsMax: 8,
    sessionWindow: 4,
    sessionsPerClientMax: 64,
    requestsOutstandingMax: 1,
    pendingRequestsMax: 1024,
    statusIntervalMs: 50,
    clockToleranceMs: 5_000,
    viewChangeMs: T,
    viewChangeMaxMs: 8 * T,
    clockSkewMs: 0,
    clocks: [],
    resendAfterMs: T / 4,
    impatience: 0,
    network: { lossMax: 0, duplicate: 0, straggle: 0, straggleMs: 1, delayMs: [1, 4], jitterMs: 1 },
    disk: { store: "memory", flushMs: [0.5, 1], slow: 0, slowMs: 1, historyBytesMax: 1e9 },
    safetyMs: RUN_MS,
    faults: [],
    byzantine: [],
    ...change,
  };
}

/** Runs it, and says when each view was entered first. */
function run(options: SimulationOptions): { readonly report: SimulationReport; readonly enteredMs: readonly number[] } {
  const picture = new SpaceTime();
  const report = new Simulation(options, {}, picture).run();
  const first = new Map<string, number>();
  for (const { kind, label, atMs } of picture.moments) if (kind === "view" && !first.has(label)) first.set(label, atMs);
  return { report, enteredMs: [...first.values()] };
}

function withActor(seed: number, behaviour: ByzantineBehaviour): ReturnType<typeof run> {
  return run(calmOptions(seed, { byzantine: [{ replica: 0, behaviour }] }));
}

describe("A primary that keeps within the time-out, for ever, loses its place (protocol rule 7.4)", () => {
  const SEEDS = 8;

  it("when it delays everything", () => {
    let slow = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { report, enteredMs } = withActor(seed, "delays-proposals");

      expect(enteredMs, `seed ${seed}`).to.have.length(1);
      expect(enteredMs[0], `seed ${seed}`).to.be.at.most(8 * T);
      expect(report.marks.count("byzantine: delays-proposals"), `seed ${seed}`).to.be.greaterThan(0);
      if (report.marks.count("view: slow primary replaced") > 0) slow += 1;
    }
    expect(slow, "runs in which no time-out passed").to.be.at.least(SEEDS / 2);
  });

  it("when it delays one client's requests", () => {
    let unfair = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { report, enteredMs } = withActor(seed, "delays-one-client");

      expect(enteredMs, `seed ${seed}`).to.have.length(1);
      expect(enteredMs[0], `seed ${seed}`).to.be.at.most(8 * T);
      if (report.marks.count("view: unfair primary replaced") > 0) unfair += 1;
    }
    expect(unfair, "runs in which others were served meanwhile").to.be.at.least(SEEDS / 2);
  });
});

describe("A primary that is correct keeps its place (protocol rule 7.4)", () => {
  it("for good in a network that is fast", () => {
    for (let seed = 0; seed < 4; seed++) expect(run(calmOptions(seed, {})).enteredMs, `seed ${seed}`).to.deep.equal([]);
  });

  // From such that are fast, over such that are judged and such that let time-outs pass, to a multiple of the first time-out.
  for (const delayMs of [10, 40, 120, 400])
    it(`after a few judgements where every link takes up to ${delayMs} ms`, () => {
      for (let seed = 0; seed < 2; seed++) {
        const network = { ...calmOptions(seed, {}).network, delayMs: [delayMs / 2, delayMs] as const };
        const { report } = run(calmOptions(seed, { network, operations: 160, safetyMs: 100 * T }));
        const judged = ["slow", "unfair"].map((cause) => report.marks.count(`view: ${cause} primary replaced`));

        // Each of four replicas: two at each of two steps below the time-out.
        expect(judged[0]! + judged[1]!, `seed ${seed}`).to.be.at.most(4 * 4);
      }
    });
});
