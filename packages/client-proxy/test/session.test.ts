import { REGISTRATION_ATTEMPTS_MAX } from "@quorate/client-proxy";
import { DEFAULT_LIMITS, type Request, type ResultStatus } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig } from "./client-rig.ts";
import { type Executed, NO_SESSION, replyOf } from "./fakes.ts";

type Registration = Extract<Request, { type: "registration" }>;

function takeRegistration(rig: ClientRig): Registration {
  const sent = rig.takeSent();
  expect(sent).to.have.length(1);
  const { request } = sent[0]!;
  if (request.type !== "registration") throw new Error(`expected a registration, got ${request.type}`);
  return request;
}

/** All members answer `request` with one judgement. */
function judge(rig: ClientRig, request: Request, status: ResultStatus): void {
  const executed: Executed = { ...rig.execution.execute(request)!, results: [{ status, value: new Uint8Array(0) }] };
  const session = request.type === "operations" ? request.session : NO_SESSION;
  for (const id of rig.ids) rig.reply(replyOf(id, { ...executed, session }));
}

describe("The session", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} opens as soon as f+1 members have welcomed it`, () => {
      const rig = new ClientRig(n);

      for (const id of rig.ids.slice(0, rig.f)) rig.welcome(id);
      expect(rig.takeSent()).to.be.empty;
      rig.welcome(rig.ids[rig.f]!);

      expect(takeRegistration(rig).nonce).to.equal(rig.nonces[0]);
    });

  it("is not opened before a call waits for it, where that is wanted", () => {
    const rig = new ClientRig(4, { sessionAtOnce: false });
    for (const id of rig.ids) rig.welcome(id);
    expect(rig.takeSent()).to.be.empty;

    rig.submit(1);

    expect(takeRegistration(rig).nonce).to.equal(rig.nonces[0]);
  });

  it("is asked for with a validity that f liars cannot push up", () => {
    const rig = new ClientRig(7);
    rig.welcome(rig.ids[0]!, 0, 10 ** 9);
    rig.welcome(rig.ids[1]!, 0, 10 ** 9);

    rig.welcome(rig.ids[2]!, 0, 1000);

    expect(takeRegistration(rig).lastValid).to.be.within(1001, 1000 + DEFAULT_LIMITS.registrationValidityMax / 2);
  });

  it("stays within half of a small validity limit", () => {
    const rig = new ClientRig(4, { limits: { ...DEFAULT_LIMITS, registrationValidityMax: 16 } });
    for (const id of rig.ids.slice(0, 2)) rig.welcome(id, 0, 100);

    expect(takeRegistration(rig).lastValid).to.equal(108);
  });

  it("is opened by f+1 matching replies only; calls wait for it and go together", () => {
    const rig = new ClientRig();
    for (const id of rig.ids.slice(0, 2)) rig.welcome(id);
    const executed = rig.execution.execute(takeRegistration(rig))!;
    rig.submit(1);
    rig.submit(2);
    rig.reply(replyOf(rig.ids[3]!, { ...executed, session: "ee".repeat(32) as Executed["session"] }));
    rig.reply(replyOf(rig.ids[0]!, executed));
    expect(rig.takeSent()).to.be.empty;

    rig.reply(replyOf(rig.ids[1]!, executed));

    const { request } = rig.takeSent()[0]!;
    expect(request).to.deep.include({ type: "operations", session: executed.session, number: 1 });
    expect(request.type === "operations" && request.operations.length).to.equal(2);
  });

  it("registers again with a fresh nonce and a later validity when it was too late", () => {
    const rig = new ClientRig();
    rig.execution.skip(5000);
    for (const id of rig.ids.slice(0, 2)) rig.welcome(id, 0, 3);
    rig.submit(1);
    const late = takeRegistration(rig);

    rig.answer(late);
    const fresh = takeRegistration(rig);
    rig.answer(fresh);
    rig.answerAll();

    expect(late.lastValid).to.be.below(5000);
    expect(fresh.lastValid).to.be.above(5000);
    expect(fresh.nonce).to.not.equal(late.nonce);
    expect(rig.result(1).result.status).to.equal("ok");
  });

  it("asks for a longer validity each time it was too late, and gives its calls up after a bounded number", () => {
    const rig = new ClientRig();
    for (const id of rig.ids) rig.welcome(id);
    rig.submit(1);
    let validity = 0;
    let attempts = 0;
    for (let sent = rig.takeSent(); sent.length > 0; sent = rig.takeSent()) {
      const request = sent[0]!.request as Registration;
      const asked = request.lastValid - rig.execution.seq;
      expect(asked).to.be.above(validity);
      validity = asked;
      attempts++;
      judge(rig, request, "registration-expired");
    }

    expect(attempts).to.equal(REGISTRATION_ATTEMPTS_MAX);
    expect(rig.failure(1)).to.include({ code: "client.registration-refused", reason: "registration-expired" });
    expect(rig.failure(1).effect).to.equal("none");
    rig.submit(2);
    expect(takeRegistration(rig).lastValid - rig.execution.seq, "short again").to.be.below(validity / 2);
  });

  it("does not open by results that name another session, or by refusals that differ", () => {
    const rig = new ClientRig();
    for (const id of rig.ids.slice(0, 2)) rig.welcome(id);
    const executed = rig.execution.execute(takeRegistration(rig))!;
    const results = [{ status: "registration-expired", value: new Uint8Array(0) }] as const;

    for (const id of rig.ids) rig.reply(replyOf(id, { ...executed, session: NO_SESSION }));
    expect(rig.core.occupancy.requestsOutstanding, "still waits for an answer").to.equal(1);
    rig.reply(replyOf(rig.ids[0]!, { ...executed, results }));
    rig.reply(replyOf(rig.ids[1]!, { ...executed, results, session: NO_SESSION }));

    expect(rig.takeSent()).to.be.empty;
  });

  for (const [status, code] of [
    ["client-not-admitted", "client.not-admitted"],
    ["registration-quota", "client.registration-refused"],
  ] as const)
    it(`fails waiting calls with ${code} on ${status}, and tries again for the next call`, () => {
      const rig = new ClientRig();
      for (const id of rig.ids.slice(0, 2)) rig.welcome(id);
      rig.submit(1);

      judge(rig, takeRegistration(rig), status);

      expect(rig.failure(1)).to.include({ code, effect: "none" });
      expect(rig.takeSent()).to.be.empty;
      rig.submit(2);
      rig.answer(takeRegistration(rig));
      rig.answerAll();
      expect(rig.result(2).result.status).to.equal("ok");
    });

  it("once evicted, fails what is on the way with unknown outcome and never moves it to another session", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 2 });
    rig.submit(1, Uint8Array.of(1));
    rig.submit(2, Uint8Array.of(2));
    rig.submit(3, Uint8Array.of(3));
    const sent = rig.takeSent();
    rig.execution.evict();

    rig.answer(sent[0]!.request);

    for (const call of [1, 2])
      expect(rig.failure(call)).to.include({
        code: "client.session-evicted",
        effect: "unknown",
        reason: "session-unknown",
      });
    rig.answer(sent[1]!.request);
    rig.answerAll();
    expect(rig.result(3).result.status).to.equal("ok");
    expect(rig.execution.log).to.deep.equal(["03"]);
    expect(rig.nonces).to.have.length(2);
  });

  it("does not open a new one after an eviction until a call needs it", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    rig.execution.evict();

    rig.answerAll();
    expect(rig.nonces).to.have.length(1);
    rig.submit(2);
    rig.answerAll();

    expect(rig.nonces).to.have.length(2);
    expect(rig.result(2).result.status).to.equal("ok");
  });

  for (const reason of ["number-reused", "too-old"] as const)
    it(`is given up when a request is judged ${reason}`, () => {
      const rig = ClientRig.open();
      rig.submit(1);

      judge(rig, rig.takeSent()[0]!.request, reason);

      expect(rig.failure(1)).to.include({ code: "client.session-evicted", effect: "unknown", reason });
    });

  it("is lost with the admission of its client", () => {
    const rig = ClientRig.open();
    rig.submit(1);

    judge(rig, rig.takeSent()[0]!.request, "client-not-admitted");

    expect(rig.failure(1)).to.include({ code: "client.not-admitted", effect: "unknown" });
  });
});
