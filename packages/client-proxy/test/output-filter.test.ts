import { REPLIES_PER_MEMBER_MAX, receiptOf } from "@quorate/client-proxy";
import {
  type OperationResult,
  type Receipt,
  type ReplicaId,
  sequenceNumber,
  type VerifiedReply,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { ClientRig } from "./client-rig.ts";
import { type Executed, ok, replyOf } from "./fakes.ts";

function sendOne(rig: ClientRig): Executed {
  rig.submit(1, Uint8Array.of(42));
  return rig.execution.execute(rig.takeSent()[0]!.request)!;
}
const wrong = (executed: Executed, byte: number): Executed => ({ ...executed, results: [ok(Uint8Array.of(byte))] });

describe("The output filter", () => {
  for (let n = 4; n <= 10; n++)
    it(`of n = ${n} accepts at f+1 matching replies of distinct members and not before`, () => {
      const rig = ClientRig.open(n);
      const executed = sendOne(rig);

      for (const id of rig.ids.slice(0, rig.f)) rig.reply(replyOf(id, executed));
      expect(rig.outcomes.size).to.equal(0);
      rig.reply(replyOf(rig.ids[rig.f]!, executed));

      expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
    });

  it("never believes f liars, whatever they say and in whatever order", () => {
    const anyResult: fc.Arbitrary<OperationResult> = fc.oneof(
      fc.uint8Array({ maxLength: 2 }).map(ok),
      fc.constantFrom<OperationResult>(
        { status: "failed", value: Uint8Array.of(42) },
        { status: "session-unknown", value: new Uint8Array(0) },
        { status: "client-not-admitted", value: new Uint8Array(0) },
      ),
    );
    const lie = fc.record({ results: fc.array(anyResult, { maxLength: 2 }), later: fc.nat(3), view: fc.nat(9) });
    const scenario = fc.integer({ min: 4, max: 10 }).chain((n) => {
      const f = Math.floor((n - 1) / 3);
      return fc.record({
        n: fc.constant(n),
        liars: fc.shuffledSubarray(
          Array.from({ length: n }, (_, i) => i),
          { minLength: f, maxLength: f },
        ),
        lies: fc.array(lie, { minLength: 1, maxLength: 6 }),
        order: fc.array(fc.nat(), { minLength: n * 7, maxLength: n * 7 }),
      });
    });
    fc.assert(
      fc.property(scenario, ({ n, liars, lies, order }) => {
        const rig = ClientRig.open(n);
        const executed = sendOne(rig);
        const lying = (id: ReplicaId): VerifiedReply[] =>
          lies.map(({ results, later, view }) =>
            replyOf(id, { ...executed, results, seq: sequenceNumber(executed.seq + later) }, { view }),
          );
        const replies = rig.ids.flatMap((id) => (liars.includes(id) ? lying(id) : [replyOf(id, executed)]));
        const shuffled = replies.map((reply, i) => [order[i]!, reply] as const).sort(([a], [b]) => a - b);

        for (const [, reply] of shuffled) rig.reply(reply);

        const { result, receipt } = rig.result(1);
        expect(result).to.deep.equal(ok(Uint8Array.of(42)));
        if (receipt !== undefined) expect(receipt.signatures).to.have.length(rig.f + 1);
      }),
      { numRuns: 400 },
    );
  });

  it("counts a member once, however often and under however many statements it says the same", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);

    for (let i = 0; i < 20; i++) rig.reply(replyOf(rig.ids[2]!, executed));
    for (let i = 1; i < 20; i++)
      rig.reply(replyOf(rig.ids[2]!, { ...executed, seq: sequenceNumber(executed.seq + i) }));

    expect(rig.outcomes.size).to.equal(0);
  });

  it("lets the first of two contradicting replies for one number stand", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);

    rig.reply(replyOf(rig.ids[0]!, wrong(executed, 1)));
    rig.reply(replyOf(rig.ids[0]!, executed));
    rig.reply(replyOf(rig.ids[1]!, executed));

    expect(rig.outcomes.size).to.equal(0);
  });

  it("ignores statements of another epoch, strangers, other requests and ill-shaped results", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    const other = { ...executed, requestDigest: executed.session as unknown as Executed["requestDigest"] };

    for (const id of rig.ids) {
      rig.reply(replyOf(id, executed, { epoch: 1 }));
      rig.reply(replyOf(id, other));
      rig.reply(replyOf(id, { ...executed, results: [] }));
      rig.reply(replyOf(id, { ...executed, results: [ok(Uint8Array.of(1)), ok(Uint8Array.of(2))] }));
      rig.reply(replyOf((id + 50) as typeof id, executed));
    }

    expect(rig.outcomes.size).to.equal(0);
    expect(rig.core.occupancy.repliesHeld).to.equal(0);
  });

  it("gives a receipt of f+1 signatures over one statement, in which the call finds its result", () => {
    const rig = ClientRig.open(7, { requestsOutstandingMax: 1 });
    for (const call of [1, 2, 3]) rig.submit(call);
    rig.answerAll();

    const receipt = receiptOf(rig.outcomes.get(3)!) as Receipt;
    const { index, result, seq } = rig.result(3);

    expect(receipt.signatures.map(({ from }) => from)).to.deep.equal([0, 1, 2]);
    expect(receipt.results[index]).to.equal(result);
    expect(result.value[0]).to.equal(3);
    expect(index).to.equal(1);
    expect(seq).to.equal(receipt.statement.seq);
  });

  it("matches by leaf across a retry under a later statement, but then without a receipt", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);

    rig.reply(replyOf(rig.ids[0]!, executed));
    rig.reply(replyOf(rig.ids[3]!, rig.execution.again(executed)));

    expect(rig.result(1).result.value).to.deep.equal(Uint8Array.of(42));
    expect(rig.result(1).seq).to.equal(undefined);
    expect(receiptOf(rig.outcomes.get(1)!)).to.equal(undefined);
  });

  it("finds the shared statement among several of one member", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    const again = rig.execution.again(executed);

    rig.reply(replyOf(rig.ids[0]!, executed));
    rig.reply(replyOf(rig.ids[0]!, again));
    rig.reply(replyOf(rig.ids[1]!, again));

    expect(receiptOf(rig.outcomes.get(1)!)?.statement.seq).to.equal(again.seq);
  });

  for (const field of ["seq", "historyDigest", "outputsRoot"] as const)
    it(`makes no receipt of statements that differ in ${field} alone`, () => {
      const rig = ClientRig.open();
      const executed = sendOne(rig);
      const one = replyOf(rig.ids[0]!, executed);
      const other = replyOf(rig.ids[1]!, { ...executed, seq: sequenceNumber(executed.seq + 1) });
      const statement = { ...one.statement, [field]: other.statement[field] };

      rig.reply(one);
      rig.reply({ ...replyOf(rig.ids[1]!, executed), statement });

      expect(rig.result(1).receipt).to.equal(undefined);
    });

  it("sorts the signatures of a receipt by member, in whatever order they came", () => {
    const rig = ClientRig.open(7);
    const executed = sendOne(rig);

    for (const id of [5, 2, 4]) rig.reply(replyOf(rig.ids[id]!, executed));

    const { receipt } = rig.result(1);
    expect(receipt?.signatures.map(({ from }) => from)).to.deep.equal([2, 4, 5]);
    expect(receipt?.signatures.map(({ signature }) => signature[0])).to.deep.equal([2, 4, 5]);
  });

  it("keeps a bounded number of replies of one member over any number of resends", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 10, resendAfterMaxMs: 10 });
    const executed = sendOne(rig);

    for (let i = 0; i < 100; i++) {
      rig.reply(replyOf(rig.ids[3]!, { ...executed, seq: sequenceNumber(executed.seq + i) }));
      rig.pass(10);
    }

    expect(rig.core.occupancy.repliesHeld).to.equal(REPLIES_PER_MEMBER_MAX);
  });

  it("wants only replies that can still matter", () => {
    const rig = ClientRig.open();
    const executed = sendOne(rig);
    const from = rig.ids[0]!;
    const wanted = replyOf(from, executed);

    expect(rig.core.wants(wanted)).to.equal(true);
    expect(rig.core.wants({ ...wanted, from: 99 as typeof from })).to.equal(false);
    expect(rig.core.wants({ ...wanted, number: 9 as typeof executed.number })).to.equal(false);
    expect(rig.core.wants({ ...wanted, requestDigest: "11".repeat(32) as typeof executed.requestDigest })).to.equal(
      false,
    );
    expect(rig.core.wants({ ...wanted, session: "11".repeat(32) as typeof executed.session })).to.equal(false);
    for (let i = 0; i < REPLIES_PER_MEMBER_MAX; i++) rig.reply(replyOf(from, wrong(executed, i)));
    expect(rig.core.wants(wanted), "a member that talked too much").to.equal(false);
    rig.pass(500);
    expect(rig.core.wants(wanted), "after a resend").to.equal(true);
    for (const id of rig.ids.slice(1, 3)) rig.reply(replyOf(id, executed));
    expect(rig.core.wants(replyOf(rig.ids[3]!, executed)), "after f+1").to.equal(false);
  });
});
