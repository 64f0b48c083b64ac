import type { Decision } from "@quorate/pbft-core";
import { type Effect, type ServedRequest, timestampMs, type ViewNumber, viewNumber } from "@quorate/protocol";
import type { LeaveCause, ViewChangeStep } from "@quorate/view-change";
import { expect } from "chai";
import { PrimarySupervision } from "../dist/primary-supervision.js";
import { composer, epoch, membership, requestOf, STATUS_MS, seqOf, VIEW_CHANGE_MS } from "./builders.ts";

const QUARTER_MS = VIEW_CHANGE_MS / 4;
const CLIENT = requestOf("").request.client;

interface Standing {
  readonly isPrimary?: boolean;
  readonly isSettled?: boolean;
  readonly isMute?: boolean;
}
const PRIMARY: Standing = { isPrimary: true };
const BETWEEN_VIEWS: Standing = { isSettled: false };
const MUTE: Standing = { isMute: true };

/** What the other parts say, as the test sets it: at first a backup in view 0, where nothing waits. */
class Scene {
  isPrimary = false;
  isSettled = true;
  isMute = false;
  target: ViewNumber = viewNumber(0);
  oldestWaitAtMs: number | undefined;
  lostDiskSinceMs: number | undefined;
  readonly #out: Effect[] = [];
  readonly supervision: PrimarySupervision;
  nowMs = 10_000;

  constructor() {
    const scene = this;
    const leave = (cause: LeaveCause): ViewChangeStep => ({
      type: "leave",
      target: viewNumber(this.target + 1),
      cause,
    });
    const ordering = {
      clockedCount: 0,
      get isPrimary() {
        return scene.isPrimary;
      },
      get oldestWaitAtMs() {
        return scene.oldestWaitAtMs;
      },
    };
    const viewChanging = {
      timeOutMs: VIEW_CHANGE_MS,
      excused: undefined,
      onFailed: () => leave("failed"),
      onJudged: (verdict: LeaveCause) => leave(verdict),
      get target() {
        return scene.target;
      },
      get isSettled() {
        return scene.isSettled;
      },
    };
    const muteness = {
      get isMute() {
        return scene.isMute;
      },
    };
    this.supervision = new PrimarySupervision(
      {
        viewChangeMs: VIEW_CHANGE_MS,
        viewChangeMaxMs: 8 * VIEW_CHANGE_MS,
        clockToleranceMs: 100,
        statusIntervalMs: STATUS_MS,
      },
      { membership, ordering, viewChanging },
      muteness,
      { waitsSinceMs: () => this.lostDiskSinceMs },
    );
  }

  become({ isPrimary = false, isSettled = true, isMute = false }: Standing): this {
    this.isPrimary = isPrimary;
    this.isSettled = isSettled;
    this.isMute = isMute;
    return this;
  }
  /** @returns what became of the timer: when it ends, "cancelled", or nothing. */
  step(
    act: (supervision: PrimarySupervision, out: Effect[]) => void = (at, out) => at.onStep(this.nowMs, out),
  ): unknown {
    this.#out.length = 0;
    act(this.supervision, this.#out);
    const [effect, ...more] = this.#out;
    expect(more).to.deep.equal([]);
    if (effect?.type === "start-timer") return this.nowMs + effect.afterMs;
    return effect?.type === "cancel-timer" ? "cancelled" : effect;
  }
  /** The one timer ends, the `nth` that was started. */
  timeOut(nth = 1): ViewChangeStep | undefined {
    return this.supervision.onTimeout(nth, this.nowMs);
  }
  /** Time passes, in which the replica takes its steps. */
  pass(ms: number): this {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += STATUS_MS) this.step();
    return this;
  }
  /** A request is executed that the client had waited for, longer than is tolerated. */
  executeLate(label: string): ViewChangeStep | undefined {
    const sinceMs = this.nowMs;
    this.pass(QUARTER_MS + 2 * STATUS_MS);
    const batch = composer.compose(timestampMs(this.nowMs), [requestOf(label)]);
    const certificate = { epoch, view: viewNumber(0), seq: seqOf(1), digest: batch.digest, signatures: [] };
    const decision: Decision = { seq: seqOf(1), batch, certificate };
    const served: ServedRequest[] = [{ client: CLIENT, sinceMs }];
    return this.supervision.onExecuted(decision, served, this.nowMs);
  }
  /** Three times in a row: a habit. */
  executeLateAgain(): (string | undefined)[] {
    return [1, 2, 3].map((i) => {
      const step = this.executeLate(`late ${i}`);
      return step?.type === "leave" ? step.cause : undefined;
    });
  }
}

describe("What waits", () => {
  it("is held against the primary by one timer, which ends when the oldest has waited for the time-out", () => {
    const scene = new Scene();
    expect(scene.step(), "nothing waits").to.equal(undefined);
    scene.oldestWaitAtMs = 9_900;
    expect(scene.step()).to.equal(9_900 + VIEW_CHANGE_MS);
    expect(scene.step(), "it runs").to.equal(undefined);
  });

  it("may be a member that lost its disk, as well as requests: the older one counts", () => {
    const [both, one] = [new Scene(), new Scene()];
    both.oldestWaitAtMs = 9_900;
    both.lostDiskSinceMs = 9_800;
    one.lostDiskSinceMs = 9_950;

    expect([both.step(), one.step()]).to.deep.equal([9_800 + VIEW_CHANGE_MS, 9_950 + VIEW_CHANGE_MS]);
  });

  for (const [whom, standing] of [
    ["the primary itself", PRIMARY],
    ["one between two views", BETWEEN_VIEWS],
    ["one that is mute", MUTE],
  ] as const)
    it(`starts no clock at ${whom}`, () => {
      const scene = new Scene().become(standing);
      scene.oldestWaitAtMs = 9_900;

      expect(scene.step()).to.equal(undefined);
    });

  it("for as long as the time-out makes a backup leave the view", () => {
    const scene = new Scene();
    scene.oldestWaitAtMs = scene.nowMs;
    scene.step();
    scene.nowMs += VIEW_CHANGE_MS;

    expect(scene.timeOut()).to.include({ type: "leave", target: 1, cause: "failed" });
  });

  it("does not, when the oldest was served meanwhile, nor by a timer that was another one's", () => {
    const scene = new Scene();
    scene.oldestWaitAtMs = scene.nowMs;
    scene.step();
    scene.nowMs += VIEW_CHANGE_MS;
    expect(scene.timeOut(7)).to.equal(undefined);
    scene.oldestWaitAtMs = scene.nowMs - 1;

    expect(scene.timeOut()).to.equal(undefined);
    expect(scene.step(), "and what waits now has its own").to.equal(scene.oldestWaitAtMs + VIEW_CHANGE_MS);
  });

  for (const [what, standing] of [
    ["the primary", PRIMARY],
    ["between two views", BETWEEN_VIEWS],
  ] as const)
    it(`does not, when the replica is ${what} by then`, () => {
      const scene = new Scene();
      scene.oldestWaitAtMs = scene.nowMs;
      scene.step();
      scene.nowMs += VIEW_CHANGE_MS;

      expect(scene.become(standing).timeOut()).to.equal(undefined);
    });

  it("is judged afresh in another view: the timer stops when one is left, and when one is entered", () => {
    const scene = new Scene();
    scene.oldestWaitAtMs = scene.nowMs;
    scene.step();
    expect(scene.step((supervision, out) => supervision.onLeft(viewNumber(1), "failed", out))).to.equal("cancelled");
    scene.step();
    expect(scene.step((supervision, out) => supervision.onEntered(scene.nowMs, out))).to.equal("cancelled");
    scene.nowMs += VIEW_CHANGE_MS;

    expect(scene.timeOut(2)).to.equal(undefined);
  });
});

describe("A primary that lets a client wait again and again, never for a time-out", () => {
  /** After the grace period of a view. */
  function settled(standing: Standing = {}): Scene {
    return new Scene().become(standing).pass(VIEW_CHANGE_MS + STATUS_MS);
  }

  it("is left by judgement", () => {
    expect(settled().executeLateAgain()).to.deep.equal([undefined, undefined, "slow"]);
  });

  it("does not leave itself, and nobody is judged between two views", () => {
    for (const standing of [PRIMARY, BETWEEN_VIEWS])
      expect(settled(standing).executeLateAgain()).to.deep.equal([undefined, undefined, undefined]);
  });

  it("is not judged in the first time-out after the view was entered", () => {
    const scene = settled();
    scene.executeLate("late 1");
    scene.executeLate("late 2");
    scene.step((supervision, out) => supervision.onEntered(scene.nowMs, out));

    expect(scene.executeLateAgain()).to.deep.equal([undefined, undefined, undefined]);
  });
});

describe("Why a view was left last", () => {
  it("is that others had gone on, until it is known better", () => {
    expect(new Scene().supervision.leaveCause).to.equal("followed");
  });

  it("is remembered when the view that it was left for is entered", () => {
    const scene = new Scene();
    scene.step((supervision, out) => supervision.onLeft(viewNumber(1), "failed", out));
    scene.target = viewNumber(1);
    scene.step((supervision, out) => supervision.onEntered(scene.nowMs, out));

    expect(scene.supervision.leaveCause).to.equal("failed");
  });

  it("is that others had gone on, when a later one is entered than it was left for", () => {
    const scene = new Scene();
    scene.step((supervision, out) => supervision.onLeft(viewNumber(1), "failed", out));
    scene.target = viewNumber(4);
    scene.step((supervision, out) => supervision.onEntered(scene.nowMs, out));

    expect(scene.supervision.leaveCause).to.equal("followed");
  });
});
