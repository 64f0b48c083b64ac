import type { Decision } from "@quorate/pbft-core";
import { type Digest, type Effect, type VerifiedBatch, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { batchOf, commitOf, entryOf, nullBatch, seqOf } from "./builders.ts";
import { type PartsOptions, partsOf } from "./ordering-parts.ts";
import { newViewOf, preparedOf } from "./view-scene.ts";

const NOW_MS = 1_000;
const a = batchOf("a");
const b = batchOf("b");

/** A backup in view 1, whose NEW-VIEW proposes these again above h. */
class Reordering {
  readonly parts: ReturnType<typeof partsOf>;
  readonly effects: Effect[] = [];
  readonly #start: number;

  constructor(options: PartsOptions = {}) {
    this.parts = partsOf(options);
    this.#start = options.stable ?? 0;
  }

  again(digests: readonly Digest[], bodies: readonly VerifiedBatch[] = []): Decision[] {
    const held = new Map(bodies.map((batch) => [batch.digest, batch]));
    const { prePrepares } = newViewOf(1, this.#start, digests);
    return this.parts.reproposals.orderAgain(prePrepares, held, NOW_MS, this.effects);
  }
  /** "write n" and "type n", in order. */
  get done(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type === "persist" && effect.record.type === "pre-prepared")
        return [`write ${effect.record.envelope.message.seq}`];
      if (effect.type !== "broadcast" || effect.frame.type !== "signed") return [effect.type];
      const { message } = effect.frame.envelope;
      return "seq" in message ? [`${message.type} ${message.seq}`] : [message.type];
    });
  }
}

describe("What a NEW-VIEW proposes again", () => {
  it("is voted for in order, each written before", () => {
    const reordering = new Reordering();
    reordering.again([a.digest, nullBatch.digest, b.digest], [b, a]);

    expect(reordering.done).to.deep.equal(["write 1", "prepare 1", "write 2", "prepare 2", "write 3", "prepare 3"]);
  });

  it("is no matter of its time: a quorum vouches for it", () => {
    const ahead = batchOf("ahead", NOW_MS + 60_000);
    const reordering = new Reordering();
    reordering.again([ahead.digest], [ahead]);

    expect(reordering.done).to.deep.equal(["write 1", "prepare 1"]);
  });

  it("has the body that prepared here, or that was voted for, at the same number", () => {
    const reordering = new Reordering();
    const { preparedSet, votedBodies } = reordering.parts.phases;
    preparedSet.add(preparedOf(a.digest, 1, 0), a);
    votedBodies.keep(viewNumber(0), seqOf(2), b);
    votedBodies.keep(viewNumber(0), seqOf(4), b);
    reordering.again([a.digest, b.digest, b.digest]);

    expect(reordering.done).to.deep.equal(["write 1", "prepare 1", "write 2", "prepare 2", "fetch-batch 3"]);
  });

  it("without a body that is here is asked for, and not voted for", () => {
    const reordering = new Reordering();
    reordering.again([a.digest]);

    expect(reordering.done).to.deep.equal(["fetch-batch 1"]);
    expect(reordering.parts.phases.slotWaitingFor(a.digest)?.isReproposed).to.equal(true);
  });

  it("needs no second vote at or below h, where it is delivered, nor where it is decided and waits for its turn", () => {
    const reordering = new Reordering({ stable: 1, delivered: 2 });
    const { certificate } = entryOf(4, b);
    reordering.parts.window.decide({ seq: seqOf(4), batch: b, certificate });
    reordering.again([a.digest, a.digest, b.digest, a.digest], [a, b]);

    expect(reordering.done, "2 is delivered, 4 decided").to.deep.equal([
      "write 3",
      "prepare 3",
      "write 5",
      "prepare 5",
    ]);
    const below = new Reordering();
    below.parts.window.decide({ seq: seqOf(1), batch: a, certificate: entryOf(1, a).certificate });
    below.parts.window.collectGarbage(seqOf(1));
    below.again([a.digest], [a]);
    expect(below.done).to.deep.equal([]);
  });

  it("is left alone where it was accepted in an earlier life, body and all", () => {
    const reordering = new Reordering();
    reordering.again([a.digest], [a]);
    reordering.again([a.digest]);

    expect(reordering.done).to.deep.equal(["write 1", "prepare 1"]);
    expect(reordering.parts.window.find(seqOf(1))?.batch).to.equal(a);
  });

  it("is decided at once where a quorum has committed to it", () => {
    const reordering = new Reordering();
    const slot = reordering.parts.window.slotAt(viewNumber(1), seqOf(1));
    for (const id of [0, 1, 3]) slot.addCommit(commitOf(id, a.digest));
    const decisions = reordering.again([a.digest], [a]);

    expect(decisions.map(({ seq, batch }) => [seq, batch.digest])).to.deep.equal([[1, a.digest]]);
    expect(reordering.done).to.deep.equal(["write 1", "prepare 1", "archive"]);
  });

  it("is evidence where the primary had said otherwise, and gets no vote beside the first", () => {
    const reordering = new Reordering();
    const [said] = newViewOf(1, 0, [b.digest]).prePrepares;
    reordering.parts.window.slotAt(viewNumber(1), seqOf(1)).addPrePrepare(said!);
    reordering.again([a.digest], [a]);

    expect(reordering.done).to.deep.equal(["evidence", "rejected"]);
  });
});

describe("The bodies that go with a view into the next one", () => {
  it("are those of all that is not delivered, by digest", () => {
    const { window, reproposals } = partsOf({ delivered: 1 });
    for (const [seq, batch] of [
      [1, batchOf("delivered")],
      [2, a],
      [3, b],
    ] as const)
      window.slotAt(viewNumber(1), seqOf(seq)).batch = batch;
    window.slotAt(viewNumber(1), seqOf(4));

    expect([...reproposals.acceptedBodies()]).to.deep.equal([
      [a.digest, a],
      [b.digest, b],
    ]);
  });
});
