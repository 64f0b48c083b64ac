import { replicaId } from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import { expect } from "chai";
import { array, assert, integer, property } from "fast-check";

const peer = replicaId(2);

describe("ServingBudget", () => {
  it("serves a burst and then no more", () => {
    const budget = new ServingBudget({ burst: 3, refillMs: 10 });
    expect([1, 2, 3, 4].map(() => budget.take(peer, 0))).to.deep.equal([true, true, true, false]);
  });

  it("serves one more for each interval", () => {
    const budget = new ServingBudget({ burst: 1, refillMs: 10 });
    expect([0, 9, 10, 15, 20].map((atMs) => budget.take(peer, atMs))).to.deep.equal([true, false, true, false, true]);
  });

  it("never saves up more than a burst", () => {
    const budget = new ServingBudget({ burst: 2, refillMs: 10 });
    budget.take(peer, 0);
    expect([1, 2, 3].map(() => budget.take(peer, 1_000_000))).to.deep.equal([true, true, false]);
  });

  it("gives back what was granted, never more than a burst", () => {
    const budget = new ServingBudget({ burst: 3, refillMs: 10 });
    const served = (): boolean[] => [1, 2, 3, 4].map(() => budget.take(peer, 0));
    served();
    budget.grant(2);
    expect(served()).to.deep.equal([true, true, false, false]);
    budget.grant(100);
    expect(served()).to.deep.equal([true, true, true, false]);
  });

  it("takes what an answer costs", () => {
    const budget = new ServingBudget({ burst: 10, refillMs: 1 });
    expect([0, 0, 0, 2].map((atMs) => budget.take(peer, atMs, 4))).to.deep.equal([true, true, false, true]);
  });

  it("one peer does not use up another's", () => {
    const budget = new ServingBudget({ burst: 1, refillMs: 10 });
    budget.take(peer, 0);
    expect([budget.take(peer, 0), budget.take(replicaId(3), 0)]).to.deep.equal([false, true]);
  });

  it("a peer that asks at any times gets at most its burst and one per interval", () => {
    assert(
      property(array(integer({ min: 0, max: 7 }), { maxLength: 200 }), (gaps) => {
        const budget = new ServingBudget({ burst: 4, refillMs: 10 });
        let atMs = 0;
        let served = 0;
        for (const gap of gaps) {
          atMs += gap;
          if (budget.take(peer, atMs)) served += 1;
          expect(served).to.be.at.most(4 + Math.floor(atMs / 10));
        }
      }),
      { numRuns: 100, seed: 3 },
    );
  });
});
