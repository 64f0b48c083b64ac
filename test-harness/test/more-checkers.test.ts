import { type ReplicaFrame, viewNumber } from "@quorate/protocol";
import { BoundsChecker, TimeChecker, TimeOutChecker, WatermarksChecker } from "@quorate/test-harness";
import { R0, R1, seq, status, step, violation } from "./checker-facts.ts";

describe("The checker of bounds", () => {
  it("finds any queue that is beyond its bound, of replicas and clients", () => {
    const checker = new BoundsChecker({
      pendingRequestsMax: 2,
      windowSizeIn: () => 8,
      viewChangeMs: 300,
      viewChangeMaxMs: 1200,
    });

    violation(undefined, () => checker.onFills("r0", [{ of: "slots", size: 8, max: 8 }]));
    violation("bounds.queue", () =>
      checker.onFills("c0", [
        { of: "requests on the way", size: 1, max: 4 },
        { of: "replies held", size: 5, max: 4 },
      ]),
    );
  });
});

describe("The watermarks checker", () => {
  const vote = (type: "prepare" | "commit", seq: number): ReplicaFrame =>
    ({
      type: "signed",
      envelope: { from: R0, message: { type, epoch: 0, view: 0, seq, digest: "d" }, signature: new Uint8Array(64) },
    }) as unknown as ReplicaFrame;

  it("finds votes outside of the window, and lets others' votes be passed on", () => {
    const checker = new WatermarksChecker(() => 8);
    checker.onExecuted(step({ replica: R0, seq: seq(4), isCheckpoint: true }));
    checker.onStable(R0, 4);
    checker.onStatus(R0, status({ executed: 5, lowWatermark: 4 }));

    for (const type of ["prepare", "commit"] as const) {
      violation(undefined, () => checker.onSent(R0, vote(type, 5)));
      violation(undefined, () => checker.onSent(R0, vote(type, 12)));
      violation("watermarks.voted-above", () => checker.onSent(R0, vote(type, 13)));
      violation("watermarks.voted-below", () => checker.onSent(R0, vote(type, 4)));
      violation(undefined, () => checker.onSent(R1, vote(type, 13)));
    }
  });
});

describe("The checker of time", () => {
  const proposal = (view: number, seq: number, timestampMs: number): ReplicaFrame =>
    ({
      type: "pre-prepare",
      envelope: { from: R0, message: { type: "pre-prepare", epoch: 0, view, seq, digest: "d" } },
      batch: { timestampMs, requests: ["of a client"] },
    }) as unknown as ReplicaFrame;
  const newView = (view: number, start: number, count: number): ReplicaFrame =>
    ({
      type: "new-view",
      newView: { envelope: { from: R0, message: { epoch: 0, view, start, digests: Array(count).fill("d") } } },
    }) as unknown as ReplicaFrame;

  it("finds an agreed time that goes back, or differs", () => {
    const checker = new TimeChecker();
    checker.onExecuted(step({ replica: R0, seq: 1, agreedMs: 10 }));
    checker.onExecuted(step({ replica: R0, seq: 2, agreedMs: 10 }));

    violation("time.disagreed", () => checker.onExecuted(step({ replica: R1, seq: 2, agreedMs: 11 })));
    violation("time.agreed-back", () => checker.onExecuted(step({ replica: R0, seq: 3, agreedMs: 9 })));
    violation(undefined, () => checker.onExecuted(step({ replica: R1, seq: 1, agreedMs: 10 })));
  });

  it("finds a primary whose proposals go back in time, while it runs", () => {
    const checker = new TimeChecker();
    checker.onSent(R0, proposal(0, 1, 50));
    checker.onSent(R0, proposal(0, 2, 60));

    violation("time.proposed-back", () => checker.onSent(R0, proposal(0, 3, 59)));
    violation(undefined, () => checker.onSent(R0, proposal(0, 1, 50)));
    violation(undefined, () => checker.onSent(R0, proposal(0, 3, 59), 1));
    violation(undefined, () => checker.onSent(R0, proposal(0, 3, 70), 1));
    violation("time.proposed-back", () => checker.onSent(R0, proposal(0, 3, 59)));
    checker.onSent(R0, newView(4, 2, 1));
    violation(undefined, () => checker.onSent(R0, proposal(4, 3, 5)));
    violation("time.proposed-back", () => checker.onSent(R0, proposal(4, 4, 59)));
    checker.onRecovered(R0);
    violation(undefined, () => checker.onSent(R0, proposal(4, 4, 59)));
  });
});

describe("The checker of time-outs", () => {
  const operations = [{ client: 0, call: 0, seq: step({ replica: R0, seq: 1 }).seq as never, result: undefined }];
  /** Submitted 10 ms after the view was entered, executed `waitedMs` later; the time-out is 1200 and then `after`. */
  const run = (waitedMs: number, after: number, change: { requests?: number; view?: number } = {}): void => {
    let nowMs = 0;
    const checker = new TimeOutChecker(300, () => nowMs);
    const at = (timeOutMs: number, view = 1): void =>
      checker.onStatus(R0, status({ view: viewNumber(view), target: viewNumber(view), timeOutMs }));
    at(1200);
    nowMs += 10;
    checker.onSubmitted(0, 0);
    nowMs += waitedMs;
    checker.onExecuted(step({ replica: R0, seq: 1, requests: change.requests ?? 1, operations }));
    at(after, change.view);
  };

  it("finds one that stays up although a request was executed within half of it", () => {
    violation("time-outs.stay-up", () => run(500, 1200));
    violation(undefined, () => run(500, 600));
  });

  it("demands nothing of a slow request, of a batch that may hold an older one, and of a view that has failed", () => {
    violation(undefined, () => run(700, 1200));
    violation(undefined, () => run(500, 1200, { requests: 2 }));
    violation(undefined, () => run(500, 1200, { view: 2 }));
  });
});
