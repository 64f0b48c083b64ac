import { type PublicKey, publicKey, timestampMs, viewNumber } from "@quorate/protocol";
import { type LeaveCause, PrimaryJudge, type Verdict } from "@quorate/view-change";
import { expect } from "chai";
import { type Arbitrary, array, assert, integer, property, record } from "fast-check";
import { digestOf, membersOf } from "./builders.ts";

const T = 1_000;
const STATUS_MS = 50;
const DELTA = 5_000;
const LEAST = T / 4;

/** A replica's judge and its clock, from the first step on. */
class Court {
  readonly judge: PrimaryJudge;
  readonly verdicts: Verdict[] = [];
  nowMs = 10_000;
  /** How far the primary's clock is behind. */
  lagMs = 0;
  timeOutMs = T;
  view = 0;
  hasWork = false;
  /** In each request. */
  operations = 1;

  constructor(n = 4) {
    const timeOuts = { viewChangeMs: T, viewChangeMaxMs: 8 * T };
    this.judge = new PrimaryJudge({ ...timeOuts, clockToleranceMs: DELTA, statusIntervalMs: STATUS_MS }, membersOf(n));
    this.#step();
  }

  /** Time passes while the replica runs. */
  pass(ms: number): this {
    for (let left = ms; left > 0; left -= STATUS_MS) {
      this.nowMs += Math.min(STATUS_MS, left);
      this.#step();
    }
    return this;
  }
  /** The grace period of the view. */
  grace(): this {
    return this.pass(T);
  }
  /** Time passes, but the replica does not run. */
  standStill(ms: number): this {
    this.nowMs += ms;
    this.#step();
    return this;
  }
  /** A batch is executed: of each client a request that had waited for so long; undefined for one that nobody had missed. */
  serve(waits: Readonly<Record<string, number | undefined>>): this {
    const clients = Object.keys(waits);
    const served = clients.flatMap((name) => {
      const waitedMs = waits[name];
      return waitedMs === undefined ? [] : [{ client: client(name), sinceMs: this.nowMs - waitedMs }];
    });
    const requests = clients.map((name) => ({
      request: { client: client(name), operations: Array.from({ length: this.operations }) },
    }));
    const batch = { timestampMs: timestampMs(this.nowMs - this.lagMs), requests };
    const verdict = this.judge.onExecuted(batch, served, this.nowMs, this.timeOutMs);
    if (verdict !== undefined) {
      this.verdicts.push(verdict);
      this.leave(verdict);
    }
    this.#step();
    return this;
  }
  /** Requests of ever new clients, one after another, each of which waits for so long. */
  serveNew(times: number, waitedMs: number | undefined, afterMs: number = waitedMs ?? 100): this {
    for (let i = 0; i < times; i++) this.pass(afterMs).serve({ [`new ${this.nowMs} ${i}`]: waitedMs });
    return this;
  }
  leave(cause: LeaveCause | "followed"): this {
    return this.giveUp(cause).enter();
  }
  /** Left, and the next one is not entered yet. */
  giveUp(cause: LeaveCause | "followed"): this {
    this.judge.onLeft(viewNumber(this.view), cause);
    this.view += 1;
    return this;
  }
  /** It turns out that the view left last had not failed. */
  excuse(view = this.view - 1): this {
    this.judge.onExcused(viewNumber(view));
    return this;
  }
  enter(): this {
    this.judge.onEntered(this.nowMs);
    return this;
  }
  #step(): void {
    this.judge.onStep(this.hasWork, this.nowMs);
  }
}

function client(name: string): PublicKey {
  return publicKey(digestOf(name));
}

describe("PrimaryJudge (protocol rule 7.4)", () => {
  describe("a slow primary", () => {
    it("is condemned when everyone's requests wait for more than a quarter of the time-out, two periods long", () => {
      expect(new Court().grace().serveNew(10, 0.6 * T).verdicts).to.deep.equal(["slow"]);
    });

    it("within eight time-outs, however close to the time-out it keeps, with a single client", () => {
      for (const waitedMs of [LEAST + 1, 0.6 * T, 0.95 * T]) {
        const court = new Court().grace();
        const beganMs = court.nowMs;
        while (court.verdicts.length === 0) court.pass(waitedMs).serve({ only: waitedMs });
        expect(court.nowMs - beganMs, `${waitedMs} ms`).to.be.at.most(7 * T);
        expect(court.verdicts).to.deep.equal(["slow"]);
      }
    });

    it("keeps its place while half of the requests and one more are served in time", () => {
      const court = new Court().grace();
      for (let i = 0; i < 100; i++) court.serveNew(2, 0.6 * T, 200).serveNew(3, undefined);
      expect(court.verdicts).to.deep.equal([]);
    });

    it("keeps its place with waits of just what is tolerated, and while nothing waits", () => {
      expect(new Court().grace().serveNew(100, LEAST).verdicts).to.deep.equal([]);
      expect(new Court().grace().serveNew(100, undefined).verdicts).to.deep.equal([]);
      expect(new Court().pass(100 * T).verdicts).to.deep.equal([]);
    });

    it("keeps its place over a single standstill, however many requests it held up", () => {
      const court = new Court()
        .grace()
        .serveNew(30, undefined)
        .pass(0.9 * T);
      for (let i = 0; i < 50; i++) court.serve({ one: 0.9 * T - i, [`another ${i}`]: 0.9 * T });
      expect(court.serveNew(100, undefined).verdicts).to.deep.equal([]);
    });

    it("is not judged by what began before the grace period ended", () => {
      const court = new Court();
      for (let i = 0; i < 18; i++) court.pass(50).serve({ only: 0.9 * T });
      court.pass(100);
      for (let i = 0; i < 4; i++) court.serve({ only: 0.9 * T, [`other ${i}`]: 0.9 * T }).pass(200);
      expect(court.verdicts).to.deep.equal([]);
    });

    it("is not judged by waits in which this replica itself stood still", () => {
      const court = new Court().grace();
      for (let i = 0; i < 50; i++) court.standStill(0.9 * T).serve({ only: 0.9 * T, [`other ${i}`]: 0.9 * T });
      expect(court.verdicts).to.deep.equal([]);
    });
  });

  describe("an unfair primary", () => {
    const others = { a: undefined, b: undefined, c: undefined };

    it("is condemned when one client waits again and again while others are served", () => {
      const court = new Court().grace();
      for (let i = 0; i < 3; i++) {
        expect(court.verdicts).to.deep.equal([]);
        for (let j = 0; j < 8; j++) court.pass(100).serve(others);
        court.serve({ ...others, victim: 0.8 * T });
      }
      expect(court.verdicts).to.deep.equal(["unfair"]);
    });

    it("keeps its place when the client is served in time as often", () => {
      const court = new Court().grace();
      for (let i = 0; i < 100; i++)
        court
          .pass(0.8 * T)
          .serve({ ...others, victim: 0.8 * T })
          .pass(100)
          .serve({ ...others, victim: i % 2 === 0 ? undefined : 50 });
      expect(court.verdicts).to.deep.equal([]);
    });

    it("keeps its place when many requests of one client waited at one time", () => {
      const court = new Court().grace().pass(0.8 * T);
      for (let i = 0; i < 20; i++) court.pass(1).serve({ ...others, victim: 0.8 * T });
      expect(court.verdicts).to.deep.equal([]);
    });

    it("keeps its place when it is another client each time", () => {
      const court = new Court().grace();
      for (let i = 0; i < 100; i++) court.pass(0.8 * T).serve({ ...others, [`victim ${i}`]: 0.8 * T });
      expect(court.verdicts).to.deep.equal([]);
    });
  });

  describe("timestamps that lag", () => {
    it("by more than δ and what is tolerated count as waiting (4.7)", () => {
      const court = new Court().grace();
      court.lagMs = DELTA + LEAST + 1;
      expect(court.serveNew(50, undefined).verdicts[0]).to.equal("slow");
    });

    it("by less are nobody's business", () => {
      const court = new Court().grace();
      court.lagMs = DELTA + LEAST;
      expect(court.serveNew(50, undefined).verdicts).to.deep.equal([]);
    });
  });

  describe("what is tolerated", () => {
    it("doubles when f+1 primaries were left, not before: faulty ones alone do not raise it", () => {
      const court = new Court(7);
      const seen = ["slow", "unfair", "slow", "slow"].map((cause) => {
        court.leave(cause as LeaveCause);
        return court.judge.toleratedMs;
      });
      expect(seen).to.deep.equal([LEAST, LEAST, 2 * LEAST, 2 * LEAST]);
    });

    it("does not double for one primary that is left again and again", () => {
      const court = new Court();
      for (let turn = 0; turn < 10; turn++) court.judge.onLeft(viewNumber(2 + 4 * turn), "slow");
      expect(court.judge.toleratedMs).to.equal(LEAST);
    });

    for (const cause of ["rotated", "handed-over", "followed"] as const)
      it(`does not double for views that are left without a failure: ${cause}`, () => {
        const court = new Court();
        for (let views = 0; views < 10; views++) court.leave(cause);
        expect(court.judge.toleratedMs).to.equal(LEAST);
        // Nor is what did fail forgotten.
        expect(court.leave("failed").leave("rotated").leave("failed").judge.toleratedMs).to.equal(2 * LEAST);
      });

    it("doubles for views that others were followed out of, unless they turn out not to have failed", () => {
      expect(new Court().leave("joined").leave("joined").judge.toleratedMs).to.equal(2 * LEAST);
      const excused = new Court();
      for (let views = 0; views < 10; views++) excused.giveUp("joined").excuse().enter();
      expect(excused.judge.toleratedMs).to.equal(LEAST);
      const other = new Court().leave("failed").giveUp("joined").excuse(0).enter();
      expect(other.judge.toleratedMs, "another view").to.equal(2 * LEAST);
      const late = new Court().leave("failed").leave("joined").excuse();
      expect(late.judge.toleratedMs, "too late").to.equal(2 * LEAST);
    });

    it("ends at the longest time-out", () => {
      const court = new Court();
      for (let views = 0; views < 40; views++) court.leave("failed");
      expect(court.judge.toleratedMs).to.equal(8 * T);
    });

    it("comes down after calm periods, more of them after each judgement", () => {
      const court = new Court().leave("slow").leave("slow").grace();
      expect(court.judge.toleratedMs).to.equal(2 * LEAST);
      // Two judgements: four periods. A request that had to wait for more than half of it breaks the calm.
      court
        .serveNew(35, undefined, 100)
        .serve({ a: LEAST + 1 })
        .serveNew(35, undefined, 100);
      expect(court.judge.toleratedMs).to.equal(2 * LEAST);
      court.serveNew(15, undefined, 100);
      expect(court.judge.toleratedMs).to.equal(LEAST);
    });
  });

  describe("throughput", () => {
    /** A view without waits, in which a request is executed every 20 ms. */
    const good = (court: Court): Court => court.grace().serveNew(200, undefined, 20).leave("failed").grace();

    it("far below the best of the last views condemns a primary that has work all the time", () => {
      const court = good(new Court());
      court.hasWork = true;
      expect(court.serveNew(60, LEAST, 100).verdicts).to.deep.equal(["slow"]);
    });

    it("so does it when long waits are tolerated", () => {
      const court = good(new Court());
      for (let views = 0; views < 8; views++) court.leave("failed");
      expect(court.judge.toleratedMs).to.be.at.least(2 * T);
      court.grace().hasWork = true;
      expect(court.serveNew(12, 0.9 * T).verdicts).to.deep.equal(["slow"]);
    });

    it("is not expected of a primary without work, nor of the first", () => {
      expect(good(new Court()).serveNew(60, LEAST, 100).verdicts, "idle").to.deep.equal([]);
      const first = new Court().grace();
      first.hasWork = true;
      expect(first.serveNew(20, undefined, 20).serveNew(60, LEAST, 500).verdicts, "the first").to.deep.equal([]);
    });

    it("is expected a quarter of, half as much after each judgement, and forgotten after n views", () => {
      const enough = good(new Court());
      enough.hasWork = true;
      expect(enough.serveNew(60, LEAST, 79).verdicts).to.deep.equal([]);
      const lowered = good(new Court()).leave("slow").grace();
      lowered.hasWork = true;
      expect(lowered.serveNew(60, LEAST, 150).verdicts).to.deep.equal([]);
      const long = good(new Court());
      for (let views = 0; views < 4; views++) long.grace().serveNew(20, undefined, 500).leave("failed");
      long.grace().hasWork = true;
      expect(long.serveNew(60, LEAST, 500).verdicts).to.deep.equal([]);
    });

    it("is not expected when half of the requests wait for less than an eighth of the time-out", () => {
      const served = (waitedMs: number): Verdict[] => {
        const court = good(new Court());
        court.hasWork = true;
        for (let i = 0; i < 30; i++) court.serveNew(1, LEAST, 100).serveNew(1, waitedMs, 100);
        return court.verdicts;
      };
      expect(served(T / 8)).to.deep.equal(["slow"]);
      const court = good(new Court());
      court.hasWork = true;
      for (let i = 0; i < 30; i++) court.serveNew(1, LEAST, 100).serveNew(2, T / 8, 100);
      expect(court.verdicts).to.deep.equal([]);
    });

    it("is that of operations, however they are packed", () => {
      const court = good(new Court());
      court.hasWork = true;
      court.operations = 10;
      expect(court.serveNew(60, LEAST, 200).verdicts).to.deep.equal([]);
    });
  });

  describe("ends its judgements by itself", () => {
    /** f+1 at each step from a quarter of the time-out to the longest, and n whose throughput is compared. */
    const VERDICTS_MAX = 2 * 5 + 4;
    const networks = record({
      waits: array(integer({ min: 0, max: 3 * T }), { minLength: 1, maxLength: 8 }),
      clients: integer({ min: 1, max: 5 }),
      timeOutMs: integer({ min: T, max: 8 * T }),
      everyMs: integer({ min: 20, max: T }),
    });
    const serveUntil = (
      court: Court,
      endMs: number,
      network: typeof networks extends Arbitrary<infer N> ? N : never,
    ) => {
      const { waits, clients, everyMs } = network;
      court.timeOutMs = network.timeOutMs;
      court.hasWork = true;
      for (let i = 0; court.nowMs < endMs; i++)
        court.pass(everyMs).serve({ [`client ${i % clients}`]: waits[Math.floor(i / clients) % waits.length] });
      return court.verdicts.length;
    };

    it("in a network that stays what it is, whatever that is", () => {
      assert(
        property(networks, (network) => {
          expect(serveUntil(new Court(), 300 * T, network)).to.be.at.most(VERDICTS_MAX);
        }),
        { seed: 7, numRuns: 60 },
      );
    });

    it("when a client asks much, then so little that something waits all the time, in each view", () => {
      const court = new Court();
      court.hasWork = true;
      const ask = (operations: number, times: number): void => {
        const { view } = court;
        court.operations = operations;
        for (let i = 0; i < times && court.view === view; i++) court.pass(20).serve({ only: 20 });
      };
      for (let views = 0; views < 100; views++) {
        court.grace();
        ask(64, 60);
        ask(1, 200);
        // However it ended, another one follows.
        court.leave("failed");
      }
      expect(court.verdicts.length).to.be.at.most(VERDICTS_MAX);
    });

    it("for good, when all waits are alike", () => {
      assert(
        property(networks, integer({ min: 0, max: 3 * T }), (network, waitMs) => {
          const court = new Court();
          const alike = { ...network, waits: [waitMs] };
          const first = serveUntil(court, 150 * T, alike);
          expect(serveUntil(court, 300 * T, alike)).to.equal(first);
        }),
        { seed: 7, numRuns: 60 },
      );
    });
  });
});
