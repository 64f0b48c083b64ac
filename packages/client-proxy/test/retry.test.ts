import { DEFAULT_LIMITS, type Request, type ResultStatus } from "@quorate/protocol";
import { expect } from "chai";
import { UNCLAIMED_BYTES_MAX, UnclaimedEnds } from "../dist/unclaimed-ends.js";
import { ClientRig } from "./client-rig.ts";
import { type Executed, ok, replyOf } from "./fakes.ts";

/** One call on the way. */
function sendOne(rig: ClientRig, call = 1, byte = 42): Request {
  rig.submit(call, Uint8Array.of(byte), 1000);
  return rig.takeSent()[0]!.request;
}
/** A call that failed with unknown effect at its deadline. */
function failOne(rig: ClientRig): Request {
  const request = sendOne(rig);
  rig.pass(1000);
  expect(rig.failure(1)).to.include({ code: "client.no-quorum", effect: "unknown" });
  rig.takeSent();
  return request;
}
const saying = (executed: Executed, byte: number): Executed => ({ ...executed, results: [ok(Uint8Array.of(byte))] });
const judged = (executed: Executed, status: ResultStatus): Executed => ({
  ...executed,
  results: [{ status, value: new Uint8Array(0) }],
});

describe("A retry", () => {
  it("sends the same request at once, to all, and is given its result", () => {
    const rig = ClientRig.open();
    const request = failOne(rig);

    rig.retry(1);
    const sent = rig.takeSent();
    rig.answer(request);

    expect(sent.map(({ to }) => to)).to.deep.equal(rig.ids);
    for (const again of sent) expect(again.request, "the same object").to.equal(request);
    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
    expect(rig.execution.log).to.deep.equal(["2a"]);
  });

  it("after the request was answered behind the caller's back is given what it was answered, and nothing is sent", () => {
    const rig = ClientRig.open();
    rig.answer(failOne(rig));
    rig.takeSent();
    expect(rig.core.occupancy).to.include({ requestsRemembered: 1, bytesRemembered: 1 });

    rig.retry(1);

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
    expect(rig.result(1).receipt?.results[rig.result(1).index]).to.deep.equal(rig.result(1).result);
    expect(rig.takeSent()).to.be.empty;
    expect(rig.core.occupancy).to.include({ requestsRemembered: 0, bytesRemembered: 0 });
  });

  it("fails again at its own deadline, and may be retried again", () => {
    const rig = ClientRig.open();
    const request = failOne(rig);

    rig.retry(1, 50);
    rig.pass(49);
    expect(rig.outcomes.has(1)).to.equal(false);
    rig.pass(1);
    expect(rig.failure(1).code).to.equal("client.no-quorum");
    rig.retry(1);
    rig.answer(request);

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
    expect(rig.execution.log).to.have.length(1);
  });

  it("of a divergence asks the members anew, and does not fail by what they said before", () => {
    const rig = ClientRig.open();
    const executed = rig.execution.execute(sendOne(rig))!;
    for (const id of rig.ids) rig.reply(replyOf(id, saying(executed, id)));
    expect(rig.failure(1).code).to.equal("client.divergent");

    rig.retry(1);
    rig.reply(replyOf(rig.ids[0]!, executed));
    expect(rig.outcomes.has(1)).to.equal(false);
    rig.reply(replyOf(rig.ids[1]!, executed));

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
  });

  it("of a divergence diverges again when the members do", () => {
    const rig = ClientRig.open();
    const executed = rig.execution.execute(sendOne(rig))!;
    for (const id of rig.ids) rig.reply(replyOf(id, saying(executed, id)));
    rig.retry(1);

    for (const id of rig.ids) rig.reply(replyOf(id, saying(executed, id)));

    expect(rig.failure(1).code).to.equal("client.divergent");
  });

  it("is each caller's own where several calls travel in one request", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });
    const hold = sendOne(rig, 9, 9);
    for (const call of [1, 2, 3]) rig.submit(call, Uint8Array.of(call), 500);
    rig.answer(hold);
    const { request } = rig.takeSent()[0]!;
    expect(request.type === "operations" && request.operations.length).to.equal(3);
    rig.pass(500);

    rig.retry(2);
    rig.answer(request);
    rig.retry(1);

    expect(rig.result(2).result.value).to.deep.equal(Uint8Array.of(2));
    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(1));
    expect(rig.failure(3).code, "who does not come back is told nothing").to.equal("client.no-quorum");
    expect(rig.result(1).index).to.equal(0);
    expect(rig.result(2).index).to.equal(1);
  });

  it("of a cancelled call is given its result", () => {
    const rig = ClientRig.open();
    const request = sendOne(rig);
    rig.run({ type: "cancel", call: 1 });

    rig.retry(1);
    rig.answer(request);

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
  });

  it("of a call that the reply had no room for submits it, with a deadline of its own", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });
    const hold = sendOne(rig, 9, 9);
    for (const call of [1, 2]) rig.submit(call, Uint8Array.of(call), 500);
    rig.answer(hold);
    const { request } = rig.takeSent()[0]!;
    rig.pass(500);
    const executed = rig.execution.execute(request)!;
    const results = [executed.results[0]!, { status: "postponed", value: new Uint8Array(0) }] as const;
    for (const id of rig.ids) rig.reply(replyOf(id, { ...executed, results }));
    rig.takeSent();

    rig.retry(2, 50);
    const [next] = rig.takeSent();
    expect(next!.request).to.deep.include({ type: "operations", operations: [Uint8Array.of(2)] });
    expect(next!.request).to.not.equal(request);
    rig.pass(50);

    expect(rig.failure(2)).to.include({ code: "client.no-quorum", effect: "unknown" });
  });

  it("that waits again and is postponed keeps its own deadline", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });
    const hold = sendOne(rig, 9, 9);
    for (const call of [1, 2]) rig.submit(call, Uint8Array.of(call), 500);
    rig.answer(hold);
    const { request } = rig.takeSent()[0]!;
    rig.pass(500);
    rig.retry(2, 10_000);
    const executed = rig.execution.execute(request)!;
    const results = [executed.results[0]!, { status: "postponed", value: new Uint8Array(0) }] as const;
    for (const id of rig.ids) rig.reply(replyOf(id, { ...executed, results }));

    rig.submit(3, Uint8Array.of(3), 5_000);
    rig.pass(9_999);
    expect([...rig.outcomes.keys()], "the alarm has rung meanwhile").to.include(3);
    expect(rig.outcomes.has(2), "not by the deadline of before").to.equal(false);
    rig.pass(1);
    expect(rig.failure(2).code).to.equal("client.no-quorum");
  });

  it("is never moved to another session", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 2 });
    const request = failOne(rig);
    const lost = judged(rig.execution.execute(request)!, "session-unknown");
    for (const id of rig.ids) rig.reply(replyOf(id, lost));
    rig.submit(2, Uint8Array.of(2));
    rig.takeSent();

    rig.retry(1);

    expect(rig.failure(1)).to.include({
      code: "client.session-evicted",
      effect: "unknown",
      reason: "session-unknown",
    });
    expect(rig.takeSent()).to.be.empty;
  });

  it("when the client is closed says that the outcome stays unknown", () => {
    const rig = ClientRig.open();
    failOne(rig);
    rig.run({ type: "close" });

    rig.retry(1);

    expect(rig.failure(1)).to.include({ code: "client.closed", effect: "unknown" });
    expect(rig.takeSent()).to.be.empty;
  });

  it("while it waits ends with the client", () => {
    const rig = ClientRig.open();
    failOne(rig);
    rig.retry(1);

    rig.run({ type: "close" });

    expect(rig.failure(1)).to.include({ code: "client.closed", effect: "unknown" });
  });

  it("comes too late when as many requests were answered for others who gave up as the window has places", () => {
    const sessionWindow = 2;
    const rig = ClientRig.open(4, { limits: { ...DEFAULT_LIMITS, sessionWindow } });
    for (let call = 1; call <= sessionWindow + 1; call++) {
      rig.submit(call, Uint8Array.of(call), 10);
      const { request } = rig.takeSent()[0]!;
      rig.pass(10);
      rig.answer(request);
    }

    expect(rig.core.occupancy.requestsRemembered).to.equal(sessionWindow);
    for (let call = 1; call <= sessionWindow + 1; call++) rig.retry(call);

    expect(rig.failure(1)).to.include({ code: "client.forgotten", effect: "unknown" });
    for (const call of [2, 3]) expect(rig.result(call).result.value).to.deep.equal(Uint8Array.of(call));
    expect(rig.takeSent()).to.be.empty;
  });

  it("comes too late when more bytes of results than are remembered came after it", () => {
    const ends = new UnclaimedEnds(16);
    const end = { type: "postponed", operation: new Uint8Array(0) } as const;
    const half = [ok(new Uint8Array(UNCLAIMED_BYTES_MAX / 2))];

    for (const call of [1, 2]) ends.add(new Map([[call, end]]), half);
    expect(ends.bytes).to.equal(UNCLAIMED_BYTES_MAX);
    ends.add(new Map([[3, end]]), [ok(new Uint8Array(1))]);

    expect(ends.bytes).to.equal(UNCLAIMED_BYTES_MAX / 2 + 1);
    expect([1, 2, 3].map((call) => ends.take(call))).to.deep.equal([undefined, end, end]);
    expect(ends.bytes).to.equal(0);
  });
});
