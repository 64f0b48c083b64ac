import { DEFAULT_LIMITS, InvariantViolation } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig } from "./client-rig.ts";
import { type Executed, ok, replyOf } from "./fakes.ts";

function sendOne(rig: ClientRig): Executed {
  rig.submit(1, Uint8Array.of(42), 1000);
  return rig.execution.execute(rig.takeSent()[0]!.request)!;
}
const saying = (executed: Executed, byte: number): Executed => ({ ...executed, results: [ok(Uint8Array.of(byte))] });

describe("A failing call", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} is divergent as soon as no f+1 can match, and not before`, () => {
      const rig = ClientRig.open(n);
      const executed = sendOne(rig);
      // With every member saying something else, one group can still grow to f+1 while f are silent.
      const last = n - rig.f;

      for (const id of rig.ids.slice(0, last)) rig.reply(replyOf(id, saying(executed, id)));
      expect(rig.outcomes.size).to.equal(0);
      rig.reply(replyOf(rig.ids[last]!, saying(executed, last)));

      const failure = rig.failure(1);
      if (failure.code !== "client.divergent") throw new Error(failure.code);
      expect(failure.effect).to.equal("unknown");
      expect(failure.replies.map(({ from }) => from)).to.deep.equal(rig.ids.slice(0, last + 1));
    });

  it("has no quorum at its deadline, with the replies and refusals that came", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    rig.reply(replyOf(rig.ids[3]!, executed));
    const { requestDigest } = executed;
    rig.run({ type: "refused", from: rig.ids[1]!, requestDigest, code: "overloaded" });

    rig.pass(999);
    expect(rig.outcomes.size).to.equal(0);
    rig.pass(1);

    const failure = rig.failure(1);
    if (failure.code !== "client.no-quorum") throw new Error(failure.code);
    expect(failure.effect).to.equal("unknown");
    expect(failure.replies.map(({ from }) => from)).to.deep.equal([3]);
    expect(failure.message).to.include("1 replies, replica 1 refused it as overloaded");
    expect(failure.refusals).to.deep.equal([{ from: 1, code: "overloaded" }]);
  });

  it("leaves its request on the way after the deadline; its late success frees the number for later calls", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1, resendAfterMs: 100, resendAfterMaxMs: 400 });
    const executed = sendOne(rig);
    rig.pass(1000);
    rig.submit(2, Uint8Array.of(7), 60_000);
    rig.takeSent();
    rig.pass(2000);
    expect(rig.takeSent(), "sent on in the background").to.not.be.empty;
    expect(rig.core.occupancy).to.include({ requestsOutstanding: 1, waitingOperations: 1, sentOperations: 0 });

    for (const id of rig.ids) rig.reply(replyOf(id, executed));
    const [next] = rig.takeSent();
    rig.answer(next!.request);

    expect(rig.failure(1).code).to.equal("client.no-quorum");
    expect(next!.request).to.include({ number: 2 });
    expect(rig.result(2).result.value).to.deep.equal(Uint8Array.of(7));
    expect(rig.execution.log).to.deep.equal(["2a", "07"]);
  });

  it("after a divergence leaves its request on the way until f+1 agree", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    for (const id of rig.ids) rig.reply(replyOf(id, saying(executed, id)));
    expect(rig.failure(1).code).to.equal("client.divergent");

    const again = rig.execution.again(executed);
    for (const id of rig.ids.slice(0, 2)) rig.reply(replyOf(id, again));

    expect(rig.core.occupancy.requestsOutstanding).to.equal(0);
  });

  it("that was never sent at its deadline certainly has no effect", () => {
    const rig = new ClientRig();
    rig.submit(1, Uint8Array.of(1), 50);
    rig.submit(2, Uint8Array.of(1), 20);
    rig.pass(20);
    expect([...rig.outcomes.keys()]).to.deep.equal([2]);
    rig.pass(30);

    for (const id of rig.ids) rig.welcome(id);
    rig.answerAll();

    for (const call of [1, 2]) expect(rig.failure(call)).to.include({ code: "client.no-quorum", effect: "none" });
    expect(rig.execution.log).to.be.empty;
  });

  it("is told that it is too large, before anything is sent", () => {
    const rig = ClientRig.open();

    rig.submit(1, new Uint8Array(DEFAULT_LIMITS.requestBytesMax + 1));
    rig.submit(2, new Uint8Array(DEFAULT_LIMITS.requestBytesMax));

    const bytesMax = DEFAULT_LIMITS.requestBytesMax;
    expect(rig.failure(1)).to.include({
      code: "client.operation-too-large",
      effect: "none",
      bytes: bytesMax + 1,
      bytesMax,
    });
    expect(rig.takeSent()).to.have.length(1);
  });

  it("is told at once that too many operations wait, and the next is taken when some have gone", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1, waitingOperationsMax: 3 });
    for (let call = 1; call <= 5; call++) rig.submit(call);
    expect(rig.failure(5)).to.include({ code: "client.overloaded", effect: "none" });
    expect(rig.outcomes.size).to.equal(1);

    rig.answer(rig.takeSent()[0]!.request);
    rig.submit(6);
    rig.answerAll();

    for (const call of [1, 2, 3, 4, 6]) expect(rig.result(call).result.status).to.equal("ok");
  });

  it("is told at once that too many bytes wait", () => {
    const limits = { ...DEFAULT_LIMITS, requestBytesMax: 1024 };
    const rig = new ClientRig(4, { limits, waitingBytesMax: 2048 });

    for (let call = 1; call <= 3; call++) rig.submit(call, new Uint8Array(1000));

    expect(rig.failure(3).code).to.equal("client.overloaded");
    expect(rig.core.occupancy.waitingBytes).to.equal(2000);
  });

  it("is cancelled without effect while it waits, with unknown effect on the way", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });
    rig.submit(1, Uint8Array.of(1));
    rig.submit(2, Uint8Array.of(2));

    rig.run({ type: "cancel", call: 1 }, { type: "cancel", call: 2 }, { type: "cancel", call: 3 });
    rig.answerAll();

    expect(rig.failure(1)).to.include({ code: "client.cancelled", effect: "unknown" });
    expect(rig.failure(2)).to.include({ code: "client.cancelled", effect: "none" });
    expect(rig.execution.log).to.deep.equal(["01"]);
  });

  it("ends with the client: every call is settled once and nothing is sent any more", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });
    const executed = sendOne(rig);
    rig.submit(2);
    rig.run({ type: "close" });
    rig.run({ type: "close" });
    rig.submit(3);
    for (const id of rig.ids) rig.reply(replyOf(id, executed));
    rig.welcome(rig.ids[0]!);
    rig.pass(100_000);

    expect(rig.failure(1)).to.include({ code: "client.closed", effect: "unknown" });
    expect(rig.failure(2)).to.include({ code: "client.closed", effect: "none" });
    expect(rig.failure(3)).to.include({ code: "client.closed", effect: "none" });
    expect(rig.takeSent()).to.be.empty;
    expect(rig.timers.size).to.equal(0);
  });

  it("always has a message that says more than its code", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    for (const id of rig.ids) rig.reply(replyOf(id, saying(executed, id)));

    expect(rig.failure(1).message).to.match(/no 2 members can agree/);
  });
});

describe("Options", () => {
  it("that contradict each other are refused", () => {
    const limits = { ...DEFAULT_LIMITS, sessionWindow: 2 };
    expect(() => new ClientRig(4, { limits, requestsOutstandingMax: 3 })).to.throw(InvariantViolation, /window/);
    expect(() => new ClientRig(4, { resendAfterMs: 9000 })).to.throw(InvariantViolation, /resend-cap/);
    expect(() => new ClientRig(4, { waitingOperationsMax: 0 })).to.throw(InvariantViolation, /option/);
    expect(() => new ClientRig(4, { waitingBytesMax: 1 })).to.throw(InvariantViolation, /waiting-below/);
  });

  it("that are left out fit a small session window", () => {
    const rig = ClientRig.open(4, { limits: { ...DEFAULT_LIMITS, sessionWindow: 1 } });
    rig.submit(1);
    rig.submit(2);

    expect(rig.takeSent()).to.have.length(1);
  });
});
