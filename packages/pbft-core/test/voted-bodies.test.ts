import { type VerifiedBatch, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { VotedBodies } from "../dist/voted-bodies.js";
import { batchOf, composer, requestOf, seqOf } from "./builders.ts";

const LARGEST = 1_000;

/** A batch of one request of so many bytes. */
function batchOfBytes(label: string, bytes: number): VerifiedBatch {
  return composer.compose(batchOf().timestampMs, [requestOf(1, { session: label, operations: ["x".repeat(bytes)] })]);
}

describe("The bodies that a replica voted for in views that it has left", () => {
  it("are found by number and digest, each once, until the number is delivered", () => {
    const bodies = new VotedBodies(4, LARGEST);
    const [a, b] = [batchOf("a"), batchOf("b")];
    bodies.keep(viewNumber(0), seqOf(1), a);
    bodies.keep(viewNumber(1), seqOf(1), b);
    bodies.keep(viewNumber(2), seqOf(1), a);

    expect([bodies.bodyOf(seqOf(1), a.digest), bodies.bodyOf(seqOf(1), b.digest)]).to.deep.equal([a, b]);
    expect(bodies.fill).to.include({ size: 2, max: 32 });
    bodies.onDelivered(seqOf(1));
    expect([bodies.bodyOf(seqOf(1), a.digest), bodies.fill.size]).to.deep.equal([undefined, 0]);
  });

  it("take the room of a window: the view that takes most gives way, from its highest number on", () => {
    const bodies = new VotedBodies(4, LARGEST);
    const small = batchOfBytes("small", 10);
    bodies.keep(viewNumber(0), seqOf(1), small);
    const flood = [1, 2, 3, 4].map((seq) => batchOfBytes(`flood ${seq}`, LARGEST));
    for (const [i, batch] of flood.entries()) bodies.keep(viewNumber(1), seqOf(i + 1), batch);
    const later = batchOfBytes("later", LARGEST);
    bodies.keep(viewNumber(5), seqOf(1), later);

    expect(bodies.bodyOf(seqOf(1), small.digest)).to.equal(small);
    expect(bodies.bodyOf(seqOf(1), later.digest)).to.equal(later);
    expect(flood.map((batch, i) => bodies.bodyOf(seqOf(i + 1), batch.digest) !== undefined)).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });

  it("are bounded in number, too, however small they are", () => {
    const bodies = new VotedBodies(4, LARGEST);
    for (let view = 0; view < 20; view++)
      for (let seq = 1; seq <= 4; seq++) bodies.keep(viewNumber(view), seqOf(seq), batchOf(`${view} ${seq}`));

    const { size, max } = bodies.fill;
    expect(size).to.equal(max);
  });

  it("are one for a number in a view: two would be two votes of our own", () => {
    const bodies = new VotedBodies(4, LARGEST);
    bodies.keep(viewNumber(0), seqOf(1), batchOf("a"));
    expect(() => bodies.keep(viewNumber(0), seqOf(1), batchOf("b"))).to.throw("voted-bodies.two-in-a-view");
  });
});
