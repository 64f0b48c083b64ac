import {
  type CheckpointOrderOptions,
  type ClientEpochs,
  createCheckpointOrder,
  type SessionlessCore,
} from "@quorate/client-proxy";
import {
  bytesToCheckpointNumber,
  type CheckpointRequest,
  checkpointNumberToBytes,
  epochNumber,
  type OperationResult,
  sequenceNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { FakeSigner } from "./fakes.ts";
import { OrderRig } from "./order-rig.ts";

type CheckpointRig = OrderRig<CheckpointRequest>;

function rigOf(n = 4, options: Partial<CheckpointOrderOptions> = {}): CheckpointRig {
  const make = (chain: ClientEpochs): SessionlessCore =>
    createCheckpointOrder({ signer: new FakeSigner(), chain, ...options });
  return new OrderRig(make, new ScriptedEpochs({ n }));
}

/** One that was ordered, and of which all members say that they have executed this number. */
function rigAt(executed: number, n = 4, options: Partial<CheckpointOrderOptions> = {}): CheckpointRig {
  return rigOf(n, options).begin(executed);
}

/** The number of the checkpoint, and how its request ended. */
function madeOf({ result: { result } }: CheckpointRig): string {
  return `${result.status} ${bytesToCheckpointNumber(result.value)}`;
}

const told = (status: OperationResult["status"], number: number): OperationResult => ({
  status,
  value: checkpointNumberToBytes(sequenceNumber(number)),
});
const bare = (status: OperationResult["status"]): OperationResult => ({ status, value: new Uint8Array(0) });

describe("An order of a checkpoint", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} asks above what f+1 members have executed, as soon as they have said so`, () => {
      const rig = rigOf(n);
      const f = Math.floor((n - 1) / 3);
      rig.run({ type: "order" });
      for (const [i, id] of rig.ids.slice(0, f).entries()) rig.welcome(id, 1_000 + i);
      expect(rig.takeSent()).to.deep.equal([]);

      rig.welcome(rig.ids[f]!, 40);

      const sent = rig.takeSent();
      expect(sent.map(({ to }) => to)).to.deep.equal([0]);
      expect(sent[0]!.request).to.include({ type: "checkpoint", epoch: 0, above: 40 });
    });

  it("is there when f+1 members say so, with a receipt", () => {
    const rig = rigAt(40);
    const request = rig.request();

    rig.answer(request, 41, told("ok", 41), rig.ids.slice(0, 1));
    expect(rig.outcomes).to.deep.equal([]);
    rig.answer(request, 41, told("ok", 41), rig.ids.slice(1, 2));

    expect(madeOf(rig)).to.equal("ok 41");
    expect(rig.outcomes[0]).to.include({ seq: 41 }).and.to.have.property("receipt").that.is.not.equal(undefined);
    expect([rig.timers.size, [...rig.core.openDigests]]).to.deep.equal([0, []]);
  });

  it("is content with a checkpoint that was made meanwhile", () => {
    const rig = rigAt(40);
    const request = rig.request();

    rig.answer(request, 49, told("checkpoint-superseded", 48));

    expect(madeOf(rig)).to.equal("checkpoint-superseded 48");
  });

  it("is not content with one that may be older than it, and asks once more above that", () => {
    const rig = rigOf();
    rig.run({ type: "order" });
    // A liar among the first f+1 says that nothing was executed.
    rig.welcome(rig.ids[0]!, 0);
    rig.welcome(rig.ids[1]!, 60);
    const request = rig.request();
    expect(request.above).to.equal(0);

    rig.answer(request, 61, told("checkpoint-superseded", 48));
    expect(rig.outcomes).to.deep.equal([]);
    const again = rig.request();
    expect(again.above).to.be.at.least(48);
    rig.answer(again, 62, told("ok", 62));

    expect(madeOf(rig)).to.equal("ok 62");
  });

  for (const status of ["ok", "checkpoint-superseded"] as const)
    it(`takes the second answer, ${status}, as it is`, () => {
      const rig = rigOf();
      rig.run({ type: "order" });
      for (const [i, id] of rig.ids.entries()) rig.welcome(id, i === 0 ? 1_000 : 40);
      const request = rig.request();
      rig.answer(request, 49, told("checkpoint-superseded", 48));
      const again = rig.request();

      rig.answer(again, 70, told(status, 64));

      expect(madeOf(rig)).to.equal(`${status} 64`);
    });

  it("fails when the last one is too near, and says from where on the next may be ordered", () => {
    const rig = rigAt(40);
    const request = rig.request();

    rig.answer(request, 41, told("checkpoint-too-soon", 39));

    expect(rig.failure).to.include({
      code: "client.checkpoint-refused",
      effect: "none",
      reason: "checkpoint-too-soon",
      lastCheckpoint: 39,
    });
    expect(rig.failure.message).to.contain("39").and.to.contain("43").and.to.contain("one for each batch of requests");
  });

  for (const status of ["checkpoint-not-permitted", "checkpoint-too-far"] as const)
    it(`fails when it is ${status}`, () => {
      const rig = rigAt(40);
      const request = rig.request();

      rig.answer(request, 41, bare(status));

      expect(rig.failure).to.include({ code: "client.checkpoint-refused", reason: status, lastCheckpoint: undefined });
    });

  it("counts no reply that cannot answer it", () => {
    const rig = rigAt(40);
    const request = rig.request();

    for (const result of [bare("ok"), bare("failed"), { ...told("ok", 41), value: new Uint8Array(8).fill(0xff) }])
      rig.answer(request, 41, result);

    expect(rig.outcomes).to.deep.equal([]);
    rig.answer(request, 42, told("ok", 42));
    expect(madeOf(rig)).to.equal("ok 42");
  });

  it("goes to all after silence, and to the next primary, in the same bytes", () => {
    const rig = rigAt(40, 4, { resendAfterMs: 100 });
    const request = rig.request();

    rig.pass(100);
    const again = rig.takeSent();
    for (const id of rig.ids.slice(0, 2)) rig.welcome(id, 40, 1);

    expect(again.map(({ to }) => to)).to.deep.equal(rig.ids);
    expect(rig.takeSent().map(({ to }) => to)).to.deep.equal([1]);
    for (const sent of again) expect(sent.request).to.equal(request);
  });

  it("goes to all when the link to the primary breaks, and to a member whose link is made again", () => {
    const rig = rigAt(40);
    rig.takeSent();

    rig.run({ type: "link-down", replica: rig.ids[0]! });
    expect(rig.takeSent().map(({ to }) => to)).to.deep.equal([1, 2, 3]);
    rig.run({ type: "link-up", replica: rig.ids[0]! });

    expect(rig.takeSent().map(({ to }) => to)).to.deep.equal([0]);
  });

  it("fails at its deadline, as never sent when nobody was there, else with an outcome that nobody knows", () => {
    const alone = rigOf();
    alone.run({ type: "order", timeoutMs: 500 });
    const unanswered = rigAt(40, 4, { defaultTimeoutMs: 500 });

    for (const rig of [alone, unanswered]) rig.pass(500);

    expect(alone.failure).to.include({ code: "client.no-quorum", effect: "none" });
    expect(unanswered.failure).to.include({ code: "client.no-quorum", effect: "unknown" });
  });

  it("fails when members contradict each other beyond all doubt, are others', or turn it away", () => {
    const divided = rigAt(40);
    const request = divided.request();
    for (const [i, id] of divided.ids.entries()) divided.answer(request, 41, told("ok", 50 + i), [id]);
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

  it("is signed again in a new epoch, above the same number, for it has no effect in another", () => {
    const rig = rigAt(40);
    const request = rig.request();
    rig.answer(request, 41, told("ok", 41), rig.ids.slice(0, 1));
    rig.epochs.rotateKey(rig.ids[3]!);

    rig.run({ type: "epoch-links", from: undefined, links: rig.epochs.links });
    const again = rig.takeSent();

    expect(
      again.map(({ to }) => to),
      "the one with a new key is not linked",
    ).to.deep.equal(rig.ids.slice(0, 3));
    expect(again[0]!.request).to.include({ epoch: 1, above: 40 });
    rig.answer(request, 41, told("ok", 41), rig.ids.slice(1, 2));
    expect(rig.outcomes, "nobody waits for the first any more").to.deep.equal([]);
    rig.answer(again[0]!.request, 44, told("checkpoint-superseded", 41));
    expect(madeOf(rig), "what the first brought about").to.equal("checkpoint-superseded 41");
  });

  it("asks for what it is told of, and is not signed before there is anything to sign", () => {
    const rig = rigOf(4, { resendAfterMs: 100 });
    rig.run({ type: "order" });
    rig.epochs.idle(2);
    rig.welcome(rig.ids[0]!, 40, 0, 2);
    rig.run({ type: "epoch-links", from: rig.ids[0]!, links: rig.epochs.links });
    expect(rig.takeSent()).to.deep.equal([]);

    rig.welcome(rig.ids[1]!, 40, 0, 2);

    expect(rig.request()).to.include({ epoch: 2, above: 40 });
  });

  it("goes on asking for links while it waits for its answer", () => {
    const rig = rigAt(40, 4, { resendAfterMs: 100 });
    rig.epochs.idle(1);
    rig.request();
    rig.run({ type: "epoch-told", from: rig.ids[2]!, epoch: epochNumber(1) });
    rig.pass(100);

    rig.run({ type: "epoch-links", from: rig.ids[1]!, links: rig.epochs.links });

    expect(rig.takeSent().at(-1)?.request).to.include({ epoch: 1, above: 40 });
  });

  it("that is closed says and hears nothing any more", () => {
    const rig = rigAt(40);
    const request = rig.request();

    rig.run({ type: "close" });
    rig.answer(request, 41, told("ok", 41));
    rig.pass(100_000);

    expect(rig.failure.code).to.equal("client.closed");
    expect([rig.outcomes.length, rig.takeSent()]).to.deep.equal([1, []]);
  });
});
