import { REPLIES_PER_MEMBER_MAX } from "@quorate/client-proxy";
import { DEFAULT_LIMITS } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { ClientRig } from "./client-rig.ts";
import { RandomWalk, WALK_LIMITS, xorshift } from "./random-walk.ts";

describe("A client core", () => {
  it("stays within its bounds over a million steps of load, loss, lies, overload, evictions and late answers", () => {
    const { waitingOperationsMax, requestsOutstandingMax, requestOperationsMax } = WALK_LIMITS;
    const walk = new RandomWalk(42);
    const { core } = walk.rig;
    const most = {
      waitingOperations: 0,
      requestsOutstanding: 0,
      sentOperations: 0,
      repliesHeld: 0,
      requestsRemembered: 0,
      bytesRemembered: 0,
    };

    for (let step = 0; step < 1_000_000; step++) {
      walk.step();
      const { occupancy } = core;
      for (const name of Object.keys(most) as (keyof typeof most)[]) most[name] = Math.max(most[name], occupancy[name]);
    }

    // Each operation of the walk has two bytes.
    expect(core.occupancy.waitingBytes).to.equal(2 * core.occupancy.waitingOperations);
    expect(most.waitingOperations).to.equal(waitingOperationsMax);
    expect(most.requestsOutstanding).to.equal(requestsOutstandingMax);
    expect(most.sentOperations).to.be.at.most(requestsOutstandingMax * requestOperationsMax);
    expect(most.repliesHeld).to.be.at.most(requestsOutstandingMax * 4 * REPLIES_PER_MEMBER_MAX);
    expect(walk.endedCalls + core.occupancy.waitingOperations + core.occupancy.sentOperations).to.equal(
      walk.submitted + walk.retried,
    );
    expect(most.requestsRemembered).to.equal(DEFAULT_LIMITS.sessionWindow);
    expect(most.bytesRemembered).to.be.above(0);
    expect(walk.ended.get("result")).to.be.above(10_000);
    expect([...walk.ended.keys()]).to.include.members([
      "client.overloaded",
      "client.no-quorum",
      "client.session-evicted",
      "client.cancelled",
      "client.forgotten",
    ]);
  }).timeout(0);

  it("gives the same effects for the same events", () => {
    const walk = (seed: number): string => {
      const rig = ClientRig.open();
      const below = xorshift(seed);
      const trace: unknown[] = [];
      for (let step = 0; step < 300; step++) {
        rig.submit(step);
        if (below(3) === 0) rig.pass(below(900));
        const sent = rig.takeSent();
        trace.push(sent.map(({ to, request }) => [to, request.signature.length, JSON.stringify(request)]));
        for (const { request } of sent) rig.answer(request, rig.ids.slice(below(3)));
      }
      return JSON.stringify([trace, [...rig.outcomes]]);
    };
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (seed) => {
        expect(walk(seed)).to.equal(walk(seed));
      }),
      { numRuns: 10 },
    );
  });

  it("waits in pieces for a deadline further away than a timer can run", () => {
    const rig = ClientRig.open();
    rig.run({ type: "submit", call: 1, operation: Uint8Array.of(1), timeoutMs: 2 ** 33 });

    expect(rig.timers.get("deadline")!.atMs - rig.nowMs).to.equal(2 ** 31 - 1);
    const { token } = rig.timers.get("deadline")!;
    rig.timers.delete("deadline");
    rig.nowMs += 2 ** 31 - 1;
    rig.run({ type: "timeout", timer: "deadline", token });

    expect(rig.outcomes.size).to.equal(0);
    expect(rig.timers.has("deadline")).to.equal(true);
  });
});
