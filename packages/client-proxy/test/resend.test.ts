import { CLIENT_DEFAULTS, decideResendAfterMs } from "@quorate/client-proxy";
import { type Digest, type RefusalCode, type ReplicaId, sequenceNumber, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig } from "./client-rig.ts";
import { type Executed, replyOf, requestDigestOf } from "./fakes.ts";

const targets = (rig: ClientRig): readonly ReplicaId[] => rig.takeSent().map(({ to }) => to);

function sendOne(rig: ClientRig): { readonly executed: Executed; readonly requestDigest: Digest } {
  rig.submit(1);
  const { request } = rig.takeSent()[0]!;
  return { executed: rig.execution.execute(request)!, requestDigest: requestDigestOf(request) };
}

describe("Sending", () => {
  it("goes to the primary only, and after silence to all, in the same bytes, at doubling intervals up to a cap", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100, resendAfterMaxMs: 400, defaultTimeoutMs: 100_000 });

    rig.submit(1);
    const [first, ...others] = rig.takeSent();
    const times: number[] = [];
    const start = rig.nowMs;
    for (let i = 0; i < 150; i++) {
      rig.pass(10);
      const sent = rig.takeSent();
      if (sent.length === 0) continue;
      times.push(rig.nowMs - start);
      expect(sent.map(({ to }) => to)).to.deep.equal(rig.ids);
      for (const { request } of sent) expect(request).to.equal(first!.request);
    }

    expect(first!.to).to.equal(0);
    expect(others).to.be.empty;
    expect(times).to.deep.equal([100, 300, 700, 1100, 1500]);
  });

  it("is silent for a quarter of the cluster's time-out at most, and never for longer than the default", () => {
    const silences = [20, 201, 999, 1_000, 2_000, 3_600_000].map((viewChangeMs) =>
      decideResendAfterMs({ viewChangeMs }),
    );

    expect(silences).to.deep.equal([5, 51, 250, 250, 500, 500]);
    expect(CLIENT_DEFAULTS.resendAfterMs).to.equal(500);
  });

  it("starts no timer for a request while those of the one before run", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    rig.answerAll();
    expect([...rig.timers.keys()]).to.have.members(["resend", "deadline"]);
    rig.nowMs += 5;

    const effects = rig.run({ type: "submit", call: 2, operation: Uint8Array.of(2) });

    expect(effects.map(({ type }) => type)).to.deep.equal(["send"]);
  });

  it("lets its timers run out once, and sends nothing, when nothing is open", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100, defaultTimeoutMs: 1_000 });
    rig.submit(1);
    rig.answerAll();

    rig.pass(1_000);

    expect(rig.takeSent()).to.be.empty;
    expect(rig.timers.size).to.equal(0);
  });

  it("sends a request again in its own time when the timer of an answered one rings earlier", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100 });
    rig.submit(1);
    rig.answerAll();
    rig.pass(60);
    rig.submit(2);
    rig.takeSent();

    rig.pass(99);
    expect(rig.takeSent()).to.be.empty;
    rig.pass(1);

    expect(targets(rig)).to.deep.equal(rig.ids);
  });

  it("stops its timers when it is closed", () => {
    const rig = ClientRig.open();
    rig.submit(1);

    rig.run({ type: "close" });

    expect(rig.timers.size).to.equal(0);
  });

  it("does not set a timer again that rings early enough", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    rig.nowMs += 5;

    const effects = rig.run({ type: "submit", call: 2, operation: Uint8Array.of(2) });

    expect(effects.map(({ type }) => type)).to.deep.equal(["send"]);
  });

  it("ignores a time-out of a timer that rang already or never was", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    const { token } = rig.timers.get("resend")!;
    rig.answerAll();
    rig.nowMs += 10_000;

    rig.run({ type: "timeout", timer: "resend", token });
    rig.submit(2);
    rig.takeSent();
    const effects = rig.run(
      { type: "timeout", timer: "resend", token },
      { type: "timeout", timer: "deadline", token: token + 99 },
    );

    expect(effects).to.be.empty;
    expect(rig.takeSent()).to.be.empty;
  });

  it("sends what is open to a replica whose link comes up again", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 2 });
    rig.submit(1);
    rig.submit(2);
    const open = rig.takeSent().map(({ request }) => request);
    rig.run({ type: "link-down", replica: rig.ids[1]! });

    rig.run({ type: "link-up", replica: rig.ids[1]! });

    expect(rig.takeSent()).to.deep.equal(open.map((request) => ({ to: rig.ids[1], request })));
  });

  it("goes to the others at once when the link to the primary breaks, so that their clocks start", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 2 });
    rig.submit(1);
    rig.submit(2);
    const open = rig.takeSent().map(({ request }) => request);

    rig.run({ type: "link-down", replica: rig.ids[0]! });

    const others = rig.ids.slice(1);
    expect(rig.takeSent()).to.deep.equal(open.flatMap((request) => others.map((to) => ({ to, request }))));
  });

  it("goes nowhere else when the link to a backup breaks", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    rig.takeSent();

    rig.run({ type: "link-down", replica: rig.ids[2]! });

    expect(rig.takeSent()).to.be.empty;
  });

  it("goes to the others once a view, however often the primary breaks its link", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 10_000, resendAfterMaxMs: 10_000 });
    rig.submit(1);
    const flap = (primary: ReplicaId): readonly ReplicaId[] => {
      rig.run({ type: "link-down", replica: primary });
      rig.run({ type: "link-up", replica: primary });
      return targets(rig).filter((to) => to !== primary);
    };
    rig.takeSent();
    expect(flap(rig.ids[0]!)).to.deep.equal([1, 2, 3]);
    for (let i = 0; i < 9; i++) expect(flap(rig.ids[0]!), `break ${i}`).to.be.empty;

    rig.welcome(rig.ids[2]!, 1);
    rig.welcome(rig.ids[3]!, 1);

    expect(targets(rig)).to.deep.equal([1]);
    expect(flap(rig.ids[1]!)).to.deep.equal([0, 2, 3]);
    for (let i = 0; i < 9; i++) expect(flap(rig.ids[1]!), `break ${i} in the new view`).to.be.empty;
  });

  it("keeps its own time after the link to the primary broke", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100 });
    rig.submit(1);
    rig.pass(60);
    rig.run({ type: "link-down", replica: rig.ids[0]! });
    rig.takeSent();

    rig.pass(39);
    expect(rig.takeSent()).to.be.empty;
    rig.pass(1);

    expect(targets(rig)).to.deep.equal([1, 2, 3]);
  });

  it("goes to all that can be reached while the primary cannot", () => {
    const rig = ClientRig.open();
    rig.run({ type: "link-down", replica: rig.ids[0]! });

    rig.submit(1);

    expect(targets(rig)).to.deep.equal([1, 2, 3]);
  });

  it("keeps operations unsent while no replica can be reached, so that their failure has no effect", () => {
    const rig = ClientRig.open();
    for (const replica of rig.ids) rig.run({ type: "link-down", replica });
    rig.submit(1);
    rig.submit(2);
    rig.pass(29_000);
    expect(rig.takeSent()).to.be.empty;

    rig.run({ type: "cancel", call: 1 });
    rig.welcome(rig.ids[3]!);
    rig.answerAll();

    expect(rig.failure(1)).to.include({ code: "client.cancelled", effect: "none" });
    expect(rig.result(2).result.status).to.equal("ok");
  });

  it("follows the view that f+1 replies or welcomes report, also with what is open", () => {
    const rig = ClientRig.open(7);
    const { executed } = sendOne(rig);
    rig.reply(replyOf(rig.ids[4]!, executed, { view: 3 }));
    rig.welcome(rig.ids[5]!, 2);
    expect(targets(rig)).to.be.empty;

    rig.welcome(rig.ids[6]!, 3);

    expect(rig.core.standing.primary).to.equal(2);
    expect(targets(rig)).to.deep.equal([2]);
    rig.submit(2);
    expect(targets(rig)).to.deep.equal([2]);
  });

  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} is not moved by the views of f liars`, () => {
      const rig = ClientRig.open(n);
      for (const liar of rig.ids.slice(-rig.f)) for (let i = 1; i < 9; i++) rig.welcome(liar, i * 1001);

      expect(rig.core.standing.primary).to.equal(0);
      rig.submit(1);
      expect(targets(rig)).to.deep.equal([0]);
    });

  it("does not send again for ever when a liar's view goes up and down", () => {
    const rig = ClientRig.open();
    rig.welcome(rig.ids[1]!, 1);
    rig.submit(1);
    rig.takeSent();
    let sends = 0;

    for (let i = 0; i < 100; i++) {
      rig.welcome(rig.ids[3]!, i % 2);
      sends += rig.takeSent().length;
    }

    expect(sends).to.equal(1);
  });

  it("ignores welcomes of another epoch and of strangers", () => {
    const rig = ClientRig.open();
    for (const id of rig.ids) rig.welcome(id, 3, 9, 1);
    rig.run({
      type: "welcome",
      from: 77 as ReplicaId,
      epoch: 0 as never,
      view: viewNumber(3),
      executed: sequenceNumber(1),
    });

    rig.submit(1);

    expect(targets(rig)).to.deep.equal([0]);
  });

  it("backs off when told `overloaded`, at most by one interval however often it is told, and does not fail", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100 });
    const { executed, requestDigest } = sendOne(rig);
    const refuse = (code: RefusalCode): void => {
      for (const from of rig.ids) rig.run({ type: "refused", from, requestDigest, code });
    };

    for (let i = 0; i < 19; i++) {
      rig.pass(10);
      refuse("overloaded");
      expect(rig.takeSent(), `after ${i}`).to.be.empty;
    }
    rig.pass(10);
    expect(targets(rig)).to.deep.equal(rig.ids);
    for (const id of rig.ids) rig.reply(replyOf(id, executed));

    expect(rig.result(1).result.status).to.equal("ok");
  });
});
