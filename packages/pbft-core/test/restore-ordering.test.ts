import type { RestoredOrdering } from "@quorate/pbft-core";
import { type PrePrepare, type VerifiedEnvelope, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { restoreOrdering } from "../dist/restore-ordering.js";
import type { Slot } from "../dist/slot.js";
import { batchOf, prePrepareOf, prepareOf, seqOf } from "./builders.ts";
import { type PartsOptions, partsOf } from "./ordering-parts.ts";
import { newViewOf, preparedOf } from "./view-scene.ts";

const a = batchOf("a");
const b = batchOf("b");

/** What is there after the log has said so. */
function restored(log: Partial<RestoredOrdering>, options: PartsOptions = { view: 0 }): ReturnType<typeof partsOf> {
  const parts = partsOf(options);
  restoreOrdering({ slots: [], prepared: [], voted: [], ...log }, parts);
  return parts;
}

/** The log's record of a number that was pre-prepared in view 0, or prepared. */
function slotOf(seq: number, isPrepared = false): RestoredOrdering["slots"][number] {
  const prepares = isPrepared ? [1, 2].map((id) => prepareOf(id, a.digest, seq)) : undefined;
  return { prePrepare: prePrepareOf(a.digest, seq), batch: a, prepares };
}

/** Which votes of `id` a slot holds. */
function votesOf(id: 0 | 2, slot: Slot | undefined): string[] {
  const { self } = partsOf({ self: id }).signer;
  return [slot?.prepareOf(self), slot?.commitOf(self)].flatMap((vote) => vote?.message.type ?? []);
}

describe("What a backup's log holds of its view", () => {
  it("is accepted again with the own PREPARE, and no COMMIT while nothing says that it prepared", () => {
    const { window, phases } = restored({ slots: [slotOf(3)] });
    const slot = window.find(seqOf(3));

    expect(slot).to.include({ isAccepted: true, isPrepared: false, batch: a });
    expect(votesOf(2, slot)).to.deep.equal(["prepare"]);
    expect(phases.highestAccepted).to.equal(3);
  });

  it("has the own COMMIT again where it prepared, and the PREPAREs that prove it", () => {
    const slot = restored({ slots: [slotOf(3, true)] }).window.find(seqOf(3));

    expect(slot).to.include({ isAccepted: true, isPrepared: true });
    expect(votesOf(2, slot)).to.deep.equal(["prepare", "commit"]);
    expect(slot?.preparedCertificate(3).prepares.map(({ from }) => from)).to.deep.equal([1, 2]);
  });

  it("is signed as it was before the crash: nobody can show two", () => {
    const [first, second] = [1, 2].map(() => restored({ slots: [slotOf(3, true)] }).window.find(seqOf(3)));
    const { self } = partsOf().signer;

    expect(second?.prepareOf(self)).to.deep.equal(first?.prepareOf(self));
    expect(second?.commitOf(self)).to.deep.equal(first?.commitOf(self));
  });

  it("is nothing at or below h, and nothing of another view", () => {
    const [later] = newViewOf(1, 4, [a.digest]).prePrepares as [VerifiedEnvelope<PrePrepare>];
    const slots = [slotOf(3), slotOf(4), { prePrepare: later, batch: a, prepares: undefined }];
    const { window } = restored({ slots }, { view: 0, stable: 4 });

    expect([3, 4, 5].map((seq) => window.find(seqOf(seq)))).to.deep.equal([undefined, undefined, undefined]);
  });

  it("is without its body once it is delivered, which the history serves", () => {
    const slots = [slotOf(1), slotOf(2)];
    const { window } = restored({ slots }, { view: 0, delivered: 1 });

    expect([1, 2].map((seq) => window.find(seqOf(seq))?.batch)).to.deep.equal([undefined, a]);
  });
});

describe("What a primary's log holds of its view", () => {
  it("is its proposal, which needs no PREPARE, and nothing else is proposed at its number", () => {
    const { window, proposer } = restored({ slots: [slotOf(2), slotOf(1)] }, { self: 0, view: 0 });

    expect(votesOf(0, window.find(seqOf(1)))).to.deep.equal([]);
    expect(proposer.lastProposed).to.equal(2);
  });

  it("has its COMMIT where it prepared", () => {
    const { window } = restored({ slots: [slotOf(1, true)] }, { self: 0, view: 0 });

    expect(votesOf(0, window.find(seqOf(1)))).to.deep.equal(["commit"]);
  });
});

describe("What a log holds of views before", () => {
  const prepared = [1, 2, 3].map((seq) => ({ certificate: preparedOf(a.digest, seq, 0), batch: a }));

  it("is claimed above h, with its body until it is delivered", () => {
    const { phases } = restored({ prepared }, { view: 3, stable: 1, delivered: 2 });

    expect(phases.preparedSet.certificates.map(({ prePrepare: { message } }) => message.seq)).to.deep.equal([2, 3]);
    expect([2, 3].map((seq) => phases.votedBody(seqOf(seq), a.digest))).to.deep.equal([undefined, a]);
  });

  it("is served where it was voted for only, until it is delivered", () => {
    const voted = [1, 2].map((seq) => ({ view: viewNumber(0), seq: seqOf(seq), batch: b }));
    const { phases } = restored({ voted }, { view: 3, delivered: 1 });

    expect([1, 2].map((seq) => phases.votedBody(seqOf(seq), b.digest))).to.deep.equal([undefined, b]);
    expect(phases.preparedSet.size, "it claims nothing by that").to.equal(0);
  });
});
