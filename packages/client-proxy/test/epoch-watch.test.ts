import { createEpochWatch, type EpochWatchOptions } from "@quorate/client-proxy";
import { bytesToAcceptedChange, EPOCH_LINKS_MAX, epochNumber, type Request } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { OrderRig } from "./order-rig.ts";

function rigOf(epochs: ScriptedEpochs, options: Partial<EpochWatchOptions> = {}): OrderRig<Request> {
  return new OrderRig((chain) => createEpochWatch({ chain, ...options }), epochs);
}

const told = ({ result: { result } }: OrderRig<Request>): unknown => bytesToAcceptedChange(result.value);

describe("A watch of the epochs", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} ends when f+1 members have shown all that they have`, () => {
      const rig = rigOf(new ScriptedEpochs({ n })).begin(40);
      const f = Math.floor((n - 1) / 3);
      for (const id of rig.ids.slice(0, f)) rig.links(id, []);
      for (const id of rig.ids.slice(0, f)) rig.links(id, []);
      expect(rig.outcomes).to.deep.equal([]);

      rig.links(rig.ids[f]!, []);

      expect(told(rig)).to.deep.equal({ epoch: 0, activation: 0 });
      expect([rig.takeSent(), rig.timers.size]).to.deep.equal([[], 0]);
    });

  it("takes a full answer for a part, and follows to the end", () => {
    const epochs = new ScriptedEpochs();
    epochs.idle(EPOCH_LINKS_MAX + 1);
    const rig = rigOf(epochs).begin(40);
    const [one, other] = [rig.ids[0]!, rig.ids[1]!];
    for (const id of [one, other]) rig.links(id, epochs.links.slice(0, EPOCH_LINKS_MAX));
    expect(rig.outcomes).to.deep.equal([]);

    for (const id of [one, other]) rig.links(id, epochs.links.slice(EPOCH_LINKS_MAX));

    expect(told(rig)).to.include({ epoch: EPOCH_LINKS_MAX + 1 });
    expect(rig.members.at(-1)?.epoch).to.equal(EPOCH_LINKS_MAX + 1);
  });

  it("does not count whoever is no member any more", () => {
    const epochs = new ScriptedEpochs({ n: 5 });
    const rig = rigOf(epochs).begin(40);
    epochs.leave(rig.ids[0]!);
    rig.links(rig.ids[0]!, []);

    rig.links(rig.ids[1]!);
    expect(rig.outcomes).to.deep.equal([]);
    rig.links(rig.ids[2]!, []);

    expect(told(rig)).to.include({ epoch: 1 });
  });

  it("for an epoch asks again and again until it is there, though nobody tells of it", () => {
    const epochs = new ScriptedEpochs();
    const options = { epoch: epochNumber(1), resendAfterMs: 100, resendAfterMaxMs: 400 };
    const rig = rigOf(epochs, options).begin(40);
    for (const id of rig.ids) rig.links(id, []);
    rig.takeAsked();

    rig.pass(4_000);
    expect(rig.takeAsked().length).to.be.within(4 * 9, 4 * 13);
    expect(rig.outcomes).to.deep.equal([]);
    epochs.rotateKey(rig.ids[2]!);
    rig.links(rig.ids[3]!);

    expect(told(rig)).to.deep.equal({ epoch: 1, activation: epochs.membershipAt(1).start?.seq });
  });

  it("asks again where its questions were lost", () => {
    const rig = rigOf(new ScriptedEpochs(), { resendAfterMs: 100 }).begin(40);
    rig.takeAsked();

    rig.pass(100);

    expect(rig.takeAsked()).to.deep.equal(rig.ids.map((to) => ({ to, above: 0 })));
    for (const id of rig.ids.slice(0, 2)) rig.links(id, []);
    expect(told(rig)).to.deep.equal({ epoch: 0, activation: 0 });
  });

  it("says at its deadline how far a quorum has certified", () => {
    const rig = rigOf(new ScriptedEpochs(), { epoch: epochNumber(3), defaultTimeoutMs: 500 }).begin(40);
    const alone = rigOf(new ScriptedEpochs(), { defaultTimeoutMs: 500 });
    alone.run({ type: "order" });

    for (const each of [rig, alone]) each.pass(500);

    expect(rig.failure).to.include({ code: "client.no-quorum", effect: "none" });
    expect(rig.failure.message).to.contain("epoch 3 did not begin").and.to.contain("epoch 0");
    expect(alone.failure.message).to.contain("no 2 members have shown in time which epoch it is");
  });
});
