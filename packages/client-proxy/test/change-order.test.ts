import { type ChangeOrderOptions, createChangeOrder } from "@quorate/client-proxy";
import {
  acceptedChangeToBytes,
  bytesToAcceptedChange,
  digest,
  epochNumber,
  type OperationResult,
  publicKey,
  REFUSAL_CODES,
  type ReconfigurationChange,
  type ReconfigurationRefusal,
  type ReconfigurationRequest,
  refusalToBytes,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { FakeSigner } from "./fakes.ts";
import { OrderRig } from "./order-rig.ts";

type ChangeRig = OrderRig<ReconfigurationRequest>;

const SMALLER: ReconfigurationChange = { type: "parameters", checkpointInterval: 8, windowSize: 64 };
const ADMIT: ReconfigurationChange = { type: "admit", client: publicKey("ab".repeat(32)) };

interface Setting {
  readonly n?: number;
  readonly epoch?: number;
  readonly epochs?: ScriptedEpochs;
  readonly options?: Partial<ChangeOrderOptions>;
}

function rigOf(
  change: ReconfigurationChange = SMALLER,
  { n = 4, epoch = 0, epochs, options }: Setting = {},
): ChangeRig {
  const request = new FakeSigner().signReconfiguration({
    epoch: epochNumber(epoch),
    nonce: digest("11".repeat(32)),
    change,
    approvals: [],
    possession: new Uint8Array(0),
  });
  return new OrderRig(
    (chain) => createChangeOrder({ request, chain, ...options }),
    epochs ?? new ScriptedEpochs({ n }),
  );
}

const accepted = (epoch: number, activation: number): OperationResult => ({
  status: "ok",
  value: acceptedChangeToBytes({ epoch: epochNumber(epoch), activation: sequenceNumber(activation) }),
});
const refused = (refusal: ReconfigurationRefusal): OperationResult => ({
  status: "reconfiguration-refused",
  value: refusalToBytes(refusal),
});
const told = ({ result: { result } }: ChangeRig): unknown => bytesToAcceptedChange(result.value);

describe("An order of a change", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} goes out when f+1 members have said where they are, and is accepted when f+1 say so`, () => {
      const rig = rigOf(SMALLER, { n });
      const f = Math.floor((n - 1) / 3);
      rig.run({ type: "order" });
      for (const id of rig.ids.slice(0, f)) rig.welcome(id, 40);
      expect(rig.takeSent()).to.deep.equal([]);
      rig.welcome(rig.ids[f]!, 40);
      const sent = rig.takeSent();
      expect(sent.map(({ to }) => to)).to.deep.equal([0]);
      const request = sent[0]!.request;

      rig.answer(request, 41, accepted(1, 112), rig.ids.slice(0, f));
      expect(rig.outcomes).to.deep.equal([]);
      rig.answer(request, 41, accepted(1, 112), rig.ids.slice(f, f + 1));

      expect(told(rig)).to.deep.equal({ epoch: 1, activation: 112 });
      expect([rig.result.seq, rig.result.receipt?.signatures.length]).to.deep.equal([41, f + 1]);
      expect([rig.timers.size, [...rig.core.openDigests]]).to.deep.equal([0, []]);
    });

  for (const refusal of Object.keys(REFUSAL_CODES) as ReconfigurationRefusal[])
    if (refusal !== "epoch-other")
      it(`that is refused as ${refusal} says so, and what to do`, () => {
        const rig = rigOf().begin(40);
        const request = rig.request();

        rig.answer(request, 41, refused(refusal));

        const effect = refusal === "nonce-used" ? "unknown" : "none";
        expect(rig.failure).to.include({ code: "client.change-refused", reason: refusal, effect });
        expect(rig.failure.message).to.match(
          new RegExp(`^the cluster refused the change \\(${refusal}\\): [a-z].{20,}`),
        );
        expect(rig.failure.message).not.to.match(/undefined|\n/);
      });

  it("says how many signatures it has, of how many", () => {
    const rig = rigOf().begin(40);

    rig.answer(rig.request(), 41, refused("approvals-too-few"));

    expect(rig.failure.message).to.contain("it has the signatures of 0 admins, expected 1 of 1");
  });

  it("believes no f liars, whatever they say first", () => {
    const rig = rigOf(SMALLER, { n: 7 }).begin(40);
    const request = rig.request();

    rig.answer(request, 41, refused("in-flight"), rig.ids.slice(0, 2));
    rig.answer(request, 41, accepted(1, 999), rig.ids.slice(2, 3));
    rig.answer(request, 41, accepted(1, 112), rig.ids.slice(3, 5));
    expect(rig.outcomes).to.deep.equal([]);
    rig.answer(request, 41, accepted(1, 112), rig.ids.slice(5, 6));

    expect(told(rig)).to.deep.equal({ epoch: 1, activation: 112 });
  });

  it("counts no reply that cannot answer it", () => {
    const rig = rigOf().begin(40);
    const request = rig.request();
    const nothing = new Uint8Array(0);
    const results: OperationResult[] = [
      { status: "ok", value: nothing },
      { status: "reconfiguration-refused", value: nothing },
      { status: "reconfiguration-refused", value: Uint8Array.of(255) },
      { status: "checkpoint-too-soon", value: nothing },
    ];

    for (const result of results) rig.answer(request, 41, result);

    expect(rig.outcomes).to.deep.equal([]);
    rig.answer(request, 42, accepted(1, 112));
    expect(told(rig)).to.deep.equal({ epoch: 1, activation: 112 });
  });

  it("goes to all after silence and when the primary is gone, in the same bytes, and never with another nonce", () => {
    const rig = rigOf(SMALLER, { options: { resendAfterMs: 100 } }).begin(40);
    const request = rig.request();

    rig.pass(100);
    const again = rig.takeSent();
    rig.run({ type: "link-down", replica: rig.ids[0]! });
    rig.pass(5_000);
    const later = rig.takeSent();

    expect(again.map(({ to }) => to)).to.deep.equal(rig.ids);
    expect(new Set(later.map(({ to }) => to))).to.deep.equal(new Set(rig.ids.slice(1)));
    for (const sent of [...again, ...later]) expect(sent.request).to.equal(request);
  });

  it("fails when members contradict each other beyond all doubt, are others', or turn it away", () => {
    const divided = rigOf().begin(40);
    const request = divided.request();
    for (const [i, id] of divided.ids.entries()) divided.answer(request, 41, accepted(1, 100 + i), [id]);
    const foreign = rigOf();
    const stranger = rigOf();
    for (const [rig, reason] of [
      [foreign, "wrong-cluster"],
      [stranger, "not-admitted"],
    ] as const) {
      rig.run({ type: "order" });
      for (const replica of rig.ids) rig.run({ type: "turned-away", replica, reason });
    }

    expect(divided.failure.code).to.equal("client.divergent");
    expect(foreign.failure.code).to.equal("client.wrong-cluster");
    expect(stranger.failure.code).to.equal("client.not-admitted");
  });

  it("fails at its deadline, as never sent when nobody was there, else with an outcome that nobody knows", () => {
    const alone = rigOf();
    alone.run({ type: "order", timeoutMs: 500 });
    const unanswered = rigOf(SMALLER, { options: { defaultTimeoutMs: 500 } }).begin(40);

    for (const rig of [alone, unanswered]) rig.pass(500);

    expect(alone.failure).to.include({ code: "client.no-quorum", effect: "none" });
    expect(unanswered.failure).to.include({ code: "client.no-quorum", effect: "unknown" });
  });

  it("that is closed says and hears nothing any more", () => {
    const rig = rigOf().begin(40);
    const request = rig.request();

    rig.run({ type: "close" });
    rig.answer(request, 41, accepted(1, 112));
    rig.pass(100_000);

    expect(rig.failure.code).to.equal("client.closed");
    expect([rig.outcomes.length, rig.takeSent()]).to.deep.equal([1, []]);
  });
});

describe("An order of a change whose epoch ends without an answer", () => {
  it("is in force when the next epoch shows it, from its beginning on", () => {
    const rig = rigOf().begin(40);
    const request = rig.request();
    rig.answer(request, 41, accepted(1, 112), rig.ids.slice(0, 1));
    rig.epochs.change({ checkpointInterval: 8 });

    rig.links(undefined);

    const start = rig.epochs.membershipAt(1).start?.seq;
    expect(told(rig)).to.deep.equal({ epoch: 1, activation: start });
    expect([rig.result.seq, rig.result.receipt, rig.takeSent()]).to.deep.equal([undefined, undefined, []]);
  });

  it("was lost when the next epoch does not show it, and is not sent any more", () => {
    const rig = rigOf().begin(40);
    rig.request();
    rig.epochs.rotateKey(rig.ids[3]!);

    rig.links(undefined);
    rig.pass(100_000);

    expect(rig.failure).to.include({ code: "client.change-lost", epoch: 0, effect: "none" });
    expect(rig.failure.message).to.contain("sign it anew");
    expect(rig.takeSent()).to.deep.equal([]);
  });

  it("goes to the new members, the same bytes, if no link shows such a change", () => {
    const rig = rigOf(ADMIT).begin(40);
    const request = rig.request();
    rig.epochs.join();

    rig.links(undefined);
    const again = rig.takeSent();
    rig.answer(request, 41, accepted(0, 41), rig.ids.slice(0, 2));

    expect(again.map(({ to }) => to)).to.deep.equal(rig.ids);
    for (const sent of again) expect(sent.request).to.equal(request);
    expect(told(rig), "it was executed before").to.deep.equal({ epoch: 0, activation: 41 });
  });

  it("may have been executed for all that anyone knows, if the new members refuse it for its epoch", () => {
    const rig = rigOf(ADMIT).begin(40);
    const request = rig.request();
    rig.epochs.join();
    rig.links(undefined);

    rig.answer(request, 130, refused("epoch-other"), rig.ids, 1);

    expect(rig.failure).to.include({ code: "client.change-lost", effect: "unknown" });
    expect(rig.failure.message).to.contain("which is refused if it is so already");
  });

  it("is not settled by replies of members of two epochs together", () => {
    const rig = rigOf(ADMIT).begin(40);
    const request = rig.request();
    rig.answer(request, 41, accepted(0, 41), rig.ids.slice(0, 1));
    rig.epochs.idle(1);
    rig.links(undefined);

    rig.answer(request, 130, accepted(0, 41), rig.ids.slice(1, 2), 1);

    expect(rig.outcomes).to.deep.equal([]);
  });
});

describe("An order of a change that was signed for another epoch than that of genesis", () => {
  it("asks until that epoch is there, and is sent then", () => {
    const epochs = new ScriptedEpochs();
    epochs.idle(2);
    const rig = rigOf(SMALLER, { epochs, epoch: 2, options: { resendAfterMs: 100 } }).begin(40, 2);
    const asked = rig.takeAsked();
    rig.pass(100);
    expect(rig.takeSent()).to.deep.equal([]);
    expect(asked.map(({ to }) => to)).to.deep.equal(rig.ids);
    expect(
      rig.takeAsked().map(({ to }) => to),
      "though the answers are lost",
    ).to.deep.equal(rig.ids);

    rig.links(rig.ids[1]!);

    expect(rig.request()).to.include({ epoch: 2 });
  });

  it("believes nobody of an epoch before it, whoever has the keys of that one now", () => {
    const epochs = new ScriptedEpochs();
    epochs.idle(1);
    const rig = rigOf(SMALLER, { epochs, epoch: 1 }).begin(40, 1);
    rig.links(undefined);
    const request = rig.request();

    rig.answer(request, 41, accepted(2, 112), rig.ids, 0);
    expect(rig.outcomes).to.deep.equal([]);
    rig.answer(request, 41, accepted(2, 112), rig.ids, 1);

    expect(told(rig)).to.deep.equal({ epoch: 2, activation: 112 });
  });

  it("is never sent when nobody shows that epoch", () => {
    const rig = rigOf(SMALLER, { epoch: 9, options: { defaultTimeoutMs: 500 } }).begin(40);

    rig.pass(500);

    expect(rig.takeSent()).to.deep.equal([]);
    expect(rig.failure).to.include({ code: "client.no-quorum", effect: "none" });
    expect(rig.failure.message).to.contain("for epoch 9").and.to.contain("epoch 0");
  });

  for (const [change, type, outcome] of [
    [SMALLER, "in force", "in force"],
    [{ type: "leave", id: replicaId(3), mayLowerFaultThreshold: false }, "no more members", "lost"],
    [ADMIT, "shown by no link", "unknown"],
  ] as const)
    it(`that is over is not sent; of what is ${type} it is known: ${outcome}`, () => {
      const epochs = new ScriptedEpochs();
      epochs.change({ checkpointInterval: 8 });
      epochs.idle(3);
      const rig = rigOf(change, { epochs });
      rig.run({ type: "order" });

      rig.links(undefined);

      expect(rig.takeSent()).to.deep.equal([]);
      if (outcome === "in force") expect(told(rig)).to.include({ epoch: 1 });
      else
        expect(rig.failure).to.include({
          code: "client.change-lost",
          effect: outcome === "lost" ? "none" : "unknown",
        });
    });
});
