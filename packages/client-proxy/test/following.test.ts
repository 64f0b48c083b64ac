import { EPOCH_LINKS_MAX, type EpochLink, epochNumber, type ReplicaId, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig, type Sent } from "./client-rig.ts";
import { type Executed, ok, replyOf } from "./fakes.ts";

const [R0, R1, R2, R3, R4] = [0, 1, 2, 3, 4].map((id) => replicaId(id)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];
const saying = (executed: Executed, byte: number): Executed => ({ ...executed, results: [ok(Uint8Array.of(byte))] });

/** Sends one request, which the cluster executes. */
function sendOne(rig: ClientRig): { readonly executed: Executed; readonly sent: Sent } {
  rig.submit(1, Uint8Array.of(42));
  const [sent] = rig.takeSent();
  return { executed: rig.execution.execute(sent!.request)!, sent: sent! };
}

/** The cluster comes to a new epoch, of which one member tells and shows the link. */
function activate(rig: ClientRig, by: ReplicaId = R2): void {
  rig.welcome(by, 0, rig.execution.seq, rig.epochs.epoch);
  rig.answerAsked([by]);
}

describe("A client that follows the epochs (protocol rule 11.4)", () => {
  it("asks each replica that answers once, when it is linked, for what is above its own epoch", () => {
    const rig = new ClientRig();

    for (const id of rig.ids) rig.welcome(id);
    for (const id of rig.ids) rig.welcome(id);

    expect(rig.takeAsked()).to.deep.equal(rig.ids.map((to) => ({ to, above: 0 })));
    for (const id of rig.ids) rig.links(id, []);
    rig.pass(100_000);
    expect(rig.takeAsked()).to.deep.equal([]);
    rig.run({ type: "link-down", replica: R1 }, { type: "link-up", replica: R1 });
    expect(rig.takeAsked()).to.deep.equal([{ to: 1, above: 0 }]);
  });

  it("asks whoever does not answer again, ever more rarely, though nobody tells of anything new", () => {
    const rig = new ClientRig(4, { resendAfterMs: 100, resendAfterMaxMs: 400 });
    for (const id of rig.ids) rig.welcome(id);
    for (const id of [R0, R2, R3]) rig.links(id, []);
    rig.takeAsked();

    rig.pass(100 + 200 + 400 + 400);
    expect(rig.takeAsked()).to.deep.equal(Array(4).fill({ to: 1, above: 0 }));
    rig.links(R1, []);
    rig.pass(100_000);
    expect(rig.takeAsked()).to.deep.equal([]);
  });

  it("asks on where the answer is one to a question that is overtaken", () => {
    const rig = new ClientRig(4, { resendAfterMs: 100, resendAfterMaxMs: 100 });
    rig.epochs.idle(EPOCH_LINKS_MAX);
    rig.run({ type: "link-up", replica: R1 }, { type: "link-up", replica: R2 });
    rig.links(R1, rig.epochs.links);
    rig.links(R1, []);
    rig.pass(100);
    rig.takeAsked();

    rig.links(R2, rig.epochs.links);
    rig.pass(100);

    expect(rig.takeAsked()).to.deep.equal([{ to: 2, above: EPOCH_LINKS_MAX }]);
  });

  it("is told by a welcome, takes the link, and says to whom it shall be linked", () => {
    const rig = ClientRig.open();
    const joined = rig.epochs.join();
    rig.welcome(R2, 0, 9, 1);
    expect(rig.takeAsked().map(({ to }) => to)).to.include(2);
    expect(rig.members).to.deep.equal([]);

    rig.links(R2, rig.epochs.links);

    expect([rig.chain.epoch, rig.members]).to.deep.equal([1, [rig.epochs.membershipAt(1)]]);
    expect(rig.members[0]?.members.at(-1)).to.deep.equal(joined);
    expect(rig.core.standing.primary, "view 0 of epoch 1").to.equal(1);
  });

  it("is told by a reply that it cannot verify yet", () => {
    const rig = ClientRig.open();
    rig.epochs.rotateKey(R3);
    const { executed } = sendOne(rig);
    expect(rig.core.wants(replyOf(R1, executed, { epoch: 1 }))).to.equal(false);

    rig.run({ type: "epoch-told", from: R1, epoch: epochNumber(1) });
    rig.answerAsked();

    expect(rig.chain.epoch).to.equal(1);
    expect(rig.core.wants(replyOf(R1, executed, { epoch: 1 }))).to.equal(true);
  });

  it("asks on until it has what it was told of, though each answer holds a part", () => {
    const rig = ClientRig.open();
    const epochs = 2 * EPOCH_LINKS_MAX + 3;
    rig.epochs.idle(epochs);

    rig.welcome(R0, 0, 9, epochs);
    const answers = rig.answerAsked([R0]);

    expect([rig.chain.epoch, answers]).to.deep.equal([epochs, 3]);
    expect(rig.members.at(-1)?.epoch).to.equal(epochs);
  });

  it("gets there at once when it connects late, and registers and calls as ever", () => {
    const rig = new ClientRig();
    rig.epochs.join();
    rig.epochs.leave(R0);
    for (const id of rig.ids) rig.welcome(id, 0, 40, 2);
    rig.submit(1);
    expect(new Set(rig.takeSent().map(({ request }) => request.type))).to.deep.equal(new Set(["registration"]));
    rig.answerAsked();

    expect(rig.members.map(({ epoch }) => epoch)).to.deep.equal([2]);
    const members = [R1, R2, R3, R4];
    rig.welcome(R4, 0, 40, 2);
    for (let sent = rig.takeSent(); sent.length > 0; sent = rig.takeSent())
      for (const { request, to } of sent) {
        expect(members).to.include(to);
        const executed = rig.execution.execute(request)!;
        for (const id of members) rig.reply(replyOf(id, executed, { epoch: 2 }));
      }
    expect(rig.result(1).receipt?.statement.epoch).to.equal(2);
  });

  it("believes no forged links, and goes on asking the others", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100 });
    const forged = rig.epochs.linkTo({}, { signers: [R0, R1] });
    rig.epochs.rotateKey(R3);
    rig.epochs.idle(1);
    const [first, second] = rig.epochs.links as [EpochLink, EpochLink];
    const lies = [[forged, first], [{ ...first, record: second.record }], [second, first]];
    rig.welcome(R0, 0, 9, 2);

    for (const links of lies) {
      rig.links(R0, links);
      rig.pass(200);
      expect(rig.chain.epoch).to.equal(0);
    }
    const asked = rig.takeAsked();
    expect(new Set(asked.map(({ to }) => to))).to.deep.equal(new Set(rig.ids));
    rig.links(R3, rig.epochs.links);

    expect(rig.chain.epoch).to.equal(2);
  });

  it("looks at no links that it has not asked for, and at one answer to each question", () => {
    const rig = ClientRig.open();
    let looks = 0;
    const { chain } = rig;
    const add = chain.add.bind(chain);
    chain.add = (link) => {
      looks++;
      return add(link);
    };
    const counting = new ClientRig(4, { chain });
    const forged = rig.epochs.linkTo({}, { signers: [R0, R1] });
    counting.welcome(R0);

    for (let i = 0; i < 10; i++) counting.links(R0, [forged, forged]);
    for (let i = 0; i < 10; i++) counting.links(R3, [forged]);

    expect(looks).to.equal(1);
  });

  it("is not kept busy by a liar who tells of ever later epochs", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100, resendAfterMaxMs: 800 });
    for (let i = 1; i <= 100; i++) rig.welcome(R3, 0, 9, i * 1_000);
    const atOnce = rig.takeAsked();
    expect(atOnce.filter(({ to }) => to !== R3).length).to.be.at.most(3);
    expect(atOnce.filter(({ to }) => to === R3).length).to.be.at.most(2);

    rig.pass(80_000);

    const asked = rig.takeAsked();
    expect(asked.length).to.be.within(4 * 90, 4 * 110);
    rig.run({ type: "link-down", replica: R3 });
    for (const id of rig.ids) rig.links(id, []);
    rig.pass(10_000);
    expect(rig.takeAsked(), "the liar is gone").to.deep.equal([]);
  });

  it("asks who tells of a new epoch at once, however long a liar has told of one that is not there", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100, resendAfterMaxMs: 800_000 });
    rig.links(R2, []);
    rig.welcome(R3, 0, 9, 1_000);
    for (let i = 0; i < 20; i++) {
      rig.pass(100_000);
      rig.answerAsked([R0, R1, R2]);
    }
    rig.epochs.rotateKey(R0);

    rig.welcome(R2, 0, 9, 1);

    expect(rig.takeAsked().map(({ to }) => to)).to.include(2);
  });

  it("takes links from an introduction, unasked", () => {
    const rig = new ClientRig();
    rig.epochs.rotateKey(R0);

    rig.links(undefined, rig.epochs.links);

    expect([rig.chain.epoch, rig.members.length]).to.deep.equal([1, 1]);
  });

  it("never goes back", () => {
    const rig = ClientRig.open();
    rig.epochs.idle(2);
    activate(rig);

    rig.welcome(R1, 0, 9, 1);
    rig.run({ type: "epoch-told", from: R1, epoch: epochNumber(0) });
    rig.links(undefined, rig.epochs.links);
    rig.answerAsked();

    expect([rig.chain.epoch, rig.members.map(({ epoch }) => epoch)]).to.deep.equal([2, [2]]);
  });

  it("says nothing any more once it is closed", () => {
    const rig = ClientRig.open();
    rig.epochs.idle(1);
    rig.run({ type: "close" });

    activate(rig);

    expect([rig.chain.epoch, rig.takeAsked(), rig.timers.size]).to.deep.equal([0, [], 0]);
  });
});

describe("A request that is on the way when an epoch begins", () => {
  it("goes to the new members at once, the same bytes, and is executed and settled once", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 8_000 });
    rig.submit(1, Uint8Array.of(42));
    const [first] = rig.takeSent();
    rig.epochs.join();

    activate(rig);
    const again = rig.takeSent();
    rig.welcome(R4, 0, 9, 1);
    const toJoiner = rig.takeSent();
    const executed = rig.execution.execute(first!.request)!;
    for (const id of [R1, R4, R2, R3]) rig.reply(replyOf(id, rig.execution.execute(first!.request)!, { epoch: 1 }));

    expect(again.map(({ to }) => to)).to.deep.equal([0, 1, 2, 3]);
    expect(toJoiner.map(({ to }) => to)).to.deep.equal([4]);
    for (const { request } of [...again, ...toJoiner]) expect(request).to.equal(first!.request);
    expect(rig.result(1).receipt?.statement).to.include({ epoch: 1, seq: executed.seq });
    expect(rig.execution.log).to.deep.equal(["2a"]);
    expect(rig.core.occupancy).to.include({ requestsOutstanding: 0, repliesHeld: 0 });
  });

  it("counts the replies of the epoch in which it was executed, before and after", () => {
    const rig = ClientRig.open();
    const { executed } = sendOne(rig);
    rig.reply(replyOf(R1, executed));
    rig.epochs.rotateKey(R3);

    activate(rig);
    expect(rig.outcomes.size).to.equal(0);
    rig.reply(replyOf(R2, executed));

    expect(rig.result(1).receipt?.statement.epoch).to.equal(0);
  });

  it("is not settled by f+1 replies of members of two epochs together", () => {
    const rig = ClientRig.open();
    const { executed } = sendOne(rig);
    rig.reply(replyOf(R1, executed));
    rig.epochs.join();
    activate(rig);

    rig.reply(replyOf(R4, rig.execution.again(executed), { epoch: 1 }));
    rig.reply(replyOf(R4, executed));
    expect(rig.outcomes.size).to.equal(0);
    rig.reply(replyOf(R0, rig.execution.again(executed), { epoch: 1 }));

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
  });

  it("is not settled by what members that left say of an epoch that they are not of", () => {
    const rig = ClientRig.open(7);
    const { executed } = sendOne(rig);
    const lie = saying(executed, 9);
    for (const id of [R0, R1]) rig.epochs.leave(id);
    activate(rig);

    for (const id of [R0, R1]) rig.reply(replyOf(id, lie, { epoch: 2 }));
    rig.reply(replyOf(R3, lie, { epoch: 2 }));
    expect(rig.outcomes.size, "one liar of the new epoch, and two that are not of it").to.equal(0);
    for (const id of [R0, R1]) rig.reply(replyOf(id, lie));
    expect(rig.outcomes.size, "f of the old one").to.equal(0);
    for (const id of [R2, R4]) rig.reply(replyOf(id, executed, { epoch: 2 }));

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
  });

  it("was first sent in this epoch: nothing is believed of one that was over then, whoever has its keys now", () => {
    const rig = ClientRig.open();
    rig.epochs.rotateKey(R0);
    rig.epochs.rotateKey(R1);
    activate(rig);
    const { executed } = sendOne(rig);

    for (const id of rig.ids) {
      const reply = replyOf(id, saying(executed, 9), { epoch: 1 });
      expect(rig.core.wants(reply)).to.equal(false);
      rig.reply(reply);
    }

    expect(rig.outcomes.size).to.equal(0);
    expect(rig.core.occupancy.repliesHeld).to.equal(0);
  });

  it("is divergent when the members of the new epoch are, not because those of the old were few", () => {
    const rig = ClientRig.open();
    const { executed } = sendOne(rig);
    rig.reply(replyOf(R0, saying(executed, 7)));
    rig.reply(replyOf(R1, executed));
    rig.epochs.idle(1);
    activate(rig);

    for (const id of [R0, R1, R2]) rig.reply(replyOf(id, saying(executed, id), { epoch: 1 }));
    expect(rig.outcomes.size).to.equal(0);
    rig.reply(replyOf(R3, saying(executed, 3), { epoch: 1 }));

    expect(rig.failure(1)).to.include({ code: "client.divergent", effect: "unknown" });
  });

  it("holds replies of each epoch within their bounds", () => {
    const rig = ClientRig.open();
    const { executed } = sendOne(rig);
    rig.epochs.idle(3);
    activate(rig);

    for (let epoch = 0; epoch <= 3; epoch++)
      for (let byte = 0; byte < 20; byte++)
        rig.reply(replyOf(R3, { ...saying(executed, byte), seq: (executed.seq + byte) as never }, { epoch }));

    expect(rig.core.occupancy.repliesHeld).to.equal(4 * 4);
    for (const { of, size, max } of rig.core.fills) expect(size, of).to.be.at.most(max);
  });
});

describe("The links of a client that follows", () => {
  it("to members that stay as they were stay up; to those with another key, and to leavers, they are down", () => {
    const rig = ClientRig.open();
    rig.epochs.join();
    rig.epochs.rotateKey(R1);
    rig.epochs.leave(R0);
    activate(rig);
    rig.submit(1);

    expect(new Set(rig.takeSent().map(({ to }) => to)), "the primary has no link yet").to.deep.equal(new Set([2, 3]));
    rig.run({ type: "link-up", replica: R0 });
    expect(rig.takeSent(), "a leaver").to.deep.equal([]);
    rig.run({ type: "link-up", replica: R1 }, { type: "link-up", replica: R4 });
    expect(rig.takeSent().map(({ to }) => to)).to.deep.equal([1, 4]);
    expect(rig.takeAsked().map(({ to, above }) => [to, above])).to.deep.include.members([
      [1, 3],
      [4, 3],
    ]);
  });

  it("go first to the primary of the new epoch; what views were before counts no more", () => {
    const rig = ClientRig.open();
    for (const id of rig.ids) rig.welcome(id, 3);
    expect(rig.core.standing.primary).to.equal(3);
    rig.epochs.idle(1);
    activate(rig);
    expect(rig.core.standing.primary).to.equal(1);

    for (const id of [R0, R3]) rig.welcome(id, 1, 9, 1);
    rig.submit(1);

    expect(rig.core.standing.primary).to.equal(2);
    expect(rig.takeSent().map(({ to }) => to)).to.deep.equal([2]);
  });

  it("count welcomes of an epoch that is not known yet as soon as it is", () => {
    const rig = ClientRig.open();
    rig.epochs.idle(1);
    for (const id of rig.ids) rig.welcome(id, 2, 9, 1);
    expect(rig.core.standing.primary).to.equal(0);

    rig.answerAsked();

    expect(rig.core.standing.primary, "view 2 of epoch 1").to.equal(3);
  });
});
