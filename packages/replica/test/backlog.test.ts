import { timestampMs, type VerifiedBatch, viewNumber } from "@quorate/protocol";
import { BACKLOG_BATCHES_PER_SENDER_MAX, BACKLOG_PER_SENDER_MAX, Backlog, type EarlyMessage } from "@quorate/replica";
import { expect } from "chai";
import { composer, digestOf, envelopeOf, epoch, K, L, requestOf, seqOf } from "./builders.ts";
import { batchOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const view0 = viewNumber(0);
const batch: VerifiedBatch = composer.compose(timestampMs(1), [requestOf("a")]);
function early(from: number, seq: number, type: "commit" | "prepare" = "commit"): EarlyMessage {
  const message = { type, epoch, view: viewNumber(0), seq: seqOf(seq), digest: digestOf("x") };
  return { envelope: envelopeOf(from, message), batch: undefined };
}
function proposal(seq: number, body: VerifiedBatch | undefined): EarlyMessage {
  const message = { type: "pre-prepare", epoch, view: viewNumber(0), seq: seqOf(seq), digest: batch.digest } as const;
  return { envelope: envelopeOf(0, message), batch: body };
}
const seqsOf = (messages: readonly EarlyMessage[]): [number, number][] =>
  messages.map(({ envelope }) => [envelope.message.seq, envelope.from]);

describe("Backlog (protocol rule 4.3)", () => {
  it("releases what the window has reached, by number, then by sender, and keeps the rest", () => {
    const backlog = new Backlog();
    for (const [from, seq] of [
      [3, 11],
      [1, 12],
      [2, 11],
      [1, 10],
    ] as const)
      backlog.add(early(from, seq));
    expect(seqsOf(backlog.release(view0, seqOf(11)))).to.deep.equal([
      [10, 1],
      [11, 2],
      [11, 3],
    ]);
    expect(seqsOf(backlog.release(view0, seqOf(12)))).to.deep.equal([[12, 1]]);
  });

  it("releases each message once", () => {
    const backlog = new Backlog();
    backlog.add(early(1, 10));
    backlog.release(view0, seqOf(10));
    expect(backlog.release(view0, seqOf(10))).to.deep.equal([]);
  });

  it("a sender's share is bounded and takes nothing from another's", () => {
    const backlog = new Backlog();
    for (let i = 0; i < BACKLOG_PER_SENDER_MAX; i++) expect(backlog.add(early(1, 10 + i)), `${i}`).to.equal(true);
    expect([backlog.add(early(1, 9_999)), backlog.add(early(2, 9_999))]).to.deep.equal([false, true]);
  });

  it("a released share is free again", () => {
    const backlog = new Backlog();
    for (let i = 0; i < BACKLOG_PER_SENDER_MAX; i++) backlog.add(early(1, 10 + i));
    backlog.release(view0, seqOf(10));
    expect(backlog.add(early(1, 9_999))).to.equal(true);
  });

  it("messages with batches have a smaller bound of their own", () => {
    const backlog = new Backlog();
    const added = Array.from({ length: BACKLOG_BATCHES_PER_SENDER_MAX + 1 }, (_, i) =>
      backlog.add(proposal(10 + i, batch)),
    );
    expect(added.filter((isAdded) => isAdded)).to.have.length(BACKLOG_BATCHES_PER_SENDER_MAX);
    expect(backlog.add(early(0, 10)), "without a batch").to.equal(true);
  });

  it("a proposal that is passed on again and again uses its signer's share once", () => {
    const backlog = new Backlog();
    for (let i = 0; i < 1_000; i++) backlog.add(proposal(10, i % 2 === 0 ? batch : undefined));
    expect(backlog.add(proposal(11, batch))).to.equal(true);
    expect(backlog.release(view0, seqOf(11))).to.deep.equal([proposal(10, batch), proposal(11, batch)]);
  });

  it("a proposal whose body came later is kept with its body", () => {
    const backlog = new Backlog();
    backlog.add(proposal(10, undefined));
    backlog.add(proposal(10, batch));
    expect(backlog.release(view0, seqOf(10))).to.deep.equal([proposal(10, batch)]);
  });

  it("a proposal whose body there is no room for is kept without it", () => {
    const backlog = new Backlog();
    backlog.add(proposal(10, undefined));
    for (let i = 1; i <= BACKLOG_BATCHES_PER_SENDER_MAX; i++) backlog.add(proposal(10 + i, batch));

    expect(backlog.add(proposal(10, batch))).to.equal(false);
    expect(seqsOf(backlog.release(view0, seqOf(10)))).to.deep.equal([[10, 0]]);
  });

  it("knows before a signature is looked at what it has no room for, or has already", () => {
    const backlog = new Backlog();
    const isWanted = ({ envelope: { from, message } }: EarlyMessage): boolean => backlog.hasRoomFor(from, message);
    expect(isWanted(early(1, 10)), "the first").to.equal(true);
    for (let i = 0; i < BACKLOG_PER_SENDER_MAX; i++) backlog.add(early(1, 10 + i));
    expect([isWanted(early(1, 10)), isWanted(early(1, 9_999)), isWanted(early(2, 9_999))]).to.deep.equal([
      false,
      false,
      true,
    ]);
  });

  it("wants a proposal as long as its body is missing", () => {
    const backlog = new Backlog();
    const { from, message } = proposal(10, undefined).envelope;
    const seen = [undefined, batch].map((body) => {
      backlog.add(proposal(10, body));
      return [backlog.holds(from, message), backlog.hasRoomFor(from, message)];
    });
    expect(seen).to.deep.equal([
      [true, true],
      [true, false],
    ]);
  });

  it("two types of votes for one number are two messages", () => {
    const backlog = new Backlog();
    backlog.add(early(1, 10, "prepare"));
    backlog.add(early(1, 10, "commit"));
    expect(backlog.release(view0, seqOf(10))).to.have.length(2);
  });

  it("what is of a later view waits for it, and what is of a view that was skipped goes", () => {
    const backlog = new Backlog();
    const of = (view: number, seq: number): EarlyMessage => ({
      envelope: envelopeOf(1, { ...early(1, seq).envelope.message, view: viewNumber(view) }),
      batch: undefined,
    });
    for (const message of [of(1, 1), of(2, 1), of(2, 9), of(3, 1)]) backlog.add(message);
    expect(seqsOf(backlog.release(view0, seqOf(8)))).to.deep.equal([]);
    expect(backlog.release(viewNumber(2), seqOf(8)).map(({ envelope }) => envelope)).to.deep.equal([of(2, 1).envelope]);
    expect(backlog.holds(envelopeOf(1, of(1, 1).envelope.message).from, of(1, 1).envelope.message)).to.equal(false);
    expect(seqsOf(backlog.release(viewNumber(2), seqOf(9)))).to.deep.equal([[9, 1]]);
    expect(seqsOf(backlog.release(viewNumber(3), seqOf(9)))).to.deep.equal([[1, 1]]);
  });
});

describe("A replica's backlog (protocol rule 4.3)", () => {
  it("what came before the window had reached its number counts when it does, without being sent again", () => {
    const body = batchOf("early");
    const backup = new Lone(1).decide(body, { seq: L + 1 });
    expect(backup.executed, "nothing yet").to.deep.equal([]);
    backup.decideUpTo(L).checkpoints([0, 2], K);
    expect(backup.executed.at(-1)).to.equal(body.digest);
  });

  it("nor what came before the view was entered", () => {
    const body = batchOf("early");
    const backup = new Lone(3).decide(body, { view: 1 });
    expect(backup.executed, "nothing yet").to.deep.equal([]);
    expect(backup.plainNewView(1).executed).to.deep.equal([body.digest]);
  });
});
