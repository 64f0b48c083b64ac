import type { ExecutedReply } from "@quorate/state-machine";
import { expect } from "chai";
import { HeldReplies } from "../dist/held-replies.js";
import { clientOf, seqOf } from "./builders.ts";

const { publicKey: CLIENT } = clientOf();
const L = 16;
const MIB = 1024 * 1024;

/** A reply of so many bytes; nothing else of it is looked at. */
function replyOf(seq: number, bytes = 1): ExecutedReply {
  return { statement: { seq: seqOf(seq) }, results: [{ value: new Uint8Array(bytes) }] } as unknown as ExecutedReply;
}

/** h = 8, what is executed is 30, and flushes end when they are told to. */
class Scene {
  readonly sent: number[] = [];
  readonly flushes: (() => void)[] = [];
  readonly replies = new HeldReplies({
    windowSize: L,
    stable: seqOf(8),
    executed: seqOf(30),
    flush: (done) => this.flushes.push(done),
    send: (_, { statement }) => this.sent.push(statement.seq),
  });

  give(...seqs: number[]): this {
    for (const seq of seqs) this.replies.give(CLIENT, replyOf(seq));
    return this;
  }
  flushed(): this {
    this.flushes.shift()?.();
    return this;
  }
}

describe("replies of numbers above the durable window (protocol rule 9.5)", () => {
  it("go at once within the window, and where the state was durable from the start", () => {
    const scene = new Scene().give(9, 24, 25, 30);
    expect([scene.sent, scene.flushes.length]).to.deep.equal([[9, 24, 25, 30], 0]);
  });

  it("wait for a flush that began after them, one at a time", () => {
    const scene = new Scene().give(31, 32);
    expect([scene.sent, scene.flushes.length], "the flush of 31 is that of what came before it").to.deep.equal([[], 1]);
    scene.flushed();
    expect([scene.sent, scene.flushes.length]).to.deep.equal([[31], 1]);
    scene.give(33, 31);
    expect(scene.sent).to.deep.equal([31, 31]);
    scene.flushed().flushed();
    expect([scene.sent, scene.flushes.length]).to.deep.equal([[31, 31, 32, 33], 0]);
  });

  it("go when the window comes to them", () => {
    const scene = new Scene().give(31, 33);
    scene.replies.onStable(seqOf(16));
    expect(scene.sent).to.deep.equal([31]);
    scene.give(32).flushed();
    expect(scene.sent).to.deep.equal([31, 32]);
  });

  it("are as many as there is room for, and the rest is left to retries", () => {
    const scene = new Scene();
    for (let seq = 31; seq < 31 + 1_030; seq++) scene.give(seq);
    expect(scene.replies.fill).to.deep.equal({ of: "replies that wait for the state", size: 1_024, max: 1_024 });
    scene.flushed().flushed();
    expect([scene.sent.length, scene.replies.fill.size]).to.deep.equal([1_024, 0]);

    for (const mebibytes of [5, 4, 3]) scene.replies.give(CLIENT, replyOf(5_000 + mebibytes, mebibytes * MIB));
    scene.flushed().flushed();
    expect(scene.sent.slice(1_024)).to.deep.equal([5_005, 5_003]);
    scene.replies.give(CLIENT, replyOf(6_000, 8 * MIB));
    scene.flushed();
    expect(scene.sent.at(-1), "there is room again").to.equal(6_000);
    const tooLarge = replyOf(6_001, 9 * MIB);
    scene.replies.give(CLIENT, tooLarge);
    scene.flushed().replies.give(CLIENT, tooLarge);
    expect(scene.sent.at(-1), "retried").to.equal(6_001);
  });
});
