import type { Decision } from "@quorate/pbft-core";
import { type Effect, FETCH_COMMITTED_MAX, timestampMs, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { Deliveries } from "../dist/deliveries.js";
import { composer, epoch, L, seqOf } from "./builders.ts";

function decisionOf(seq: number): Decision {
  const batch = composer.compose(timestampMs(seq), []);
  const certificate = { epoch, view: viewNumber(0), seq: seqOf(seq), digest: batch.digest, signatures: [] };
  return { seq: seqOf(seq), batch, certificate };
}
/** What is to be executed, in order. */
function executionsOf(out: readonly Effect[]): string[] {
  return out.map((effect) => (effect.type === "execute" ? `${effect.seq}` : effect.type));
}

describe("Deliveries", () => {
  it("hands out what is decided in order", () => {
    const deliveries = new Deliveries(seqOf(2));
    const out: Effect[] = [];
    deliveries.deliver([decisionOf(3), decisionOf(4)], out);
    deliveries.deliver([decisionOf(5)], out);
    expect(executionsOf(out)).to.deep.equal(["3", "4", "5"]);
    expect(deliveries.executed, "nothing has come back").to.equal(2);
    expect(deliveries.fill(L)).to.include({ size: 3, max: L + FETCH_COMMITTED_MAX });
  });

  it("what comes back is the decision that was handed out, and counts as executed", () => {
    const deliveries = new Deliveries(seqOf(0));
    const decision = decisionOf(1);
    deliveries.deliver([decision, decisionOf(2)], []);
    expect(deliveries.onExecuted(seqOf(1))).to.equal(decision);
    expect([deliveries.executed, deliveries.fill(L).size]).to.deep.equal([1, 1]);
    deliveries.checkInvariants(seqOf(1), seqOf(2));
  });

  it("a gap, an execution out of order and one that nobody asked for are our own bugs", () => {
    const deliveries = new Deliveries(seqOf(0));
    expect(() => deliveries.deliver([decisionOf(2)], [])).to.throw("replica.delivered-out-of-order");
    expect(() => deliveries.onExecuted(seqOf(1))).to.throw("replica.executed-unasked");
    deliveries.deliver([decisionOf(1), decisionOf(2)], []);
    expect(() => deliveries.onExecuted(seqOf(2))).to.throw("replica.executed-out-of-order");
  });

  it("h is never above what is executed, nor that above what is delivered", () => {
    const deliveries = new Deliveries(seqOf(4));
    expect(() => deliveries.checkInvariants(seqOf(8), seqOf(4))).to.throw("replica.stable-above-executed");
    expect(() => deliveries.checkInvariants(seqOf(4), seqOf(3))).to.throw("replica.executed-above-delivered");
    expect(() => deliveries.checkInvariants(seqOf(4), seqOf(5))).to.throw("replica.executing");
  });
});
