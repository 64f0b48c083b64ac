import { Ordering } from "@quorate/pbft-core";
import {
  type Effect,
  replicaId,
  type SequenceNumber,
  type ThreePhaseMessage,
  timestampMs,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { BACKLOG_PER_SENDER_MAX, Backlog } from "../dist/backlog.js";
import { BatchIntake } from "../dist/batch-intake.js";
import { Deliveries } from "../dist/deliveries.js";
import {
  composer,
  envelopeOf,
  epoch,
  genesisBase,
  L,
  membership,
  requestOf,
  seqOf,
  signerOf,
  verifier,
} from "./builders.ts";

const NOW_MS = 1_000;
const batch = batchOf("a");

function batchOf(label: string): VerifiedBatch {
  return composer.compose(timestampMs(NOW_MS), [requestOf(label)]);
}
/** Decided in view 0 by these. */
function entryOf(seq: number, by: readonly number[]): VerifiedCommittedEntry {
  const content = { epoch, view: viewNumber(0), seq: seqOf(seq), digest: batch.digest };
  const signatures = by.map((id) => {
    const { signature } = envelopeOf(id, { type: "commit", ...content });
    return { from: replicaId(id), signature };
  });
  const entry = verifier.verifyCommittedEntry(
    { batch: batch.batch, certificate: { ...content, signatures } },
    membership,
  );
  if (entry === undefined) throw new Error("the entry does not verify");
  return entry;
}

interface IntakeOptions {
  readonly self?: number;
  readonly isMute?: boolean;
  /** Numbers of entries that may come. */
  readonly awaits?: (seq: SequenceNumber) => boolean;
  /** How many numbers a view has. */
  readonly rotateEvery?: number;
}

/** Replica 1, unless it is another one: a backup in view 0. */
class Intake {
  readonly ordering: Ordering;
  readonly backlog = new Backlog();
  readonly effects: Effect[] = [];
  readonly intake: BatchIntake;

  constructor({ self = 1, isMute = false, awaits = () => true, rotateEvery = 0 }: IntakeOptions = {}) {
    const signer = signerOf(self);
    this.ordering = new Ordering(
      {
        signer,
        composer,
        nullBatch: composer.compose(timestampMs(0), []),
        windowSize: L,
        rotateEveryBatches: rotateEvery,
        limits: { batchRequestsMax: 4, batchBytesMax: 4096, batchOperationsMax: 64 },
        clockToleranceMs: 100,
        pipelineDepthMax: 4,
        queue: { pendingMax: 64, pendingPerClientMax: 64, pendingBytesMax: 65_536, clockedMax: 64 },
      },
      genesisBase,
      seqOf(0),
    );
    const { ordering, backlog } = this;
    const deliveries = new Deliveries(seqOf(0));
    const relevance = { isEntryAwaited: awaits };
    this.intake = new BatchIntake({ signer, windowSize: L }, { ordering, backlog }, { isMute }, relevance, deliveries);
  }

  say(from: number, type: ThreePhaseMessage["type"], { seq = 1, view = 0, body = batch } = {}): this {
    const message = { type, epoch, view: viewNumber(view), seq: seqOf(seq), digest: body.digest };
    const beside = type === "pre-prepare" ? body : undefined;
    this.intake.onThreePhase(envelopeOf(from, message as ThreePhaseMessage), beside, NOW_MS, this.effects);
    return this;
  }
  /** All phases of one number. */
  decide(seq: number): this {
    this.say(0, "pre-prepare", { seq });
    for (const id of [2, 3]) this.say(id, "prepare", { seq });
    for (const id of [0, 2, 3]) this.say(id, "commit", { seq });
    return this;
  }
  committed(entry: VerifiedCommittedEntry): this {
    this.intake.onCommitted({ type: "committed", from: replicaId(3), entry }, this.effects);
    return this;
  }
  body(of: VerifiedBatch): this {
    this.intake.onBatchBody({ type: "batch-body", from: replicaId(3), batch: of }, NOW_MS, this.effects);
    return this;
  }
  get executes(): number[] {
    return this.effects.flatMap((effect) => (effect.type === "execute" ? [effect.seq] : []));
  }
  get rejections(): unknown[] {
    return this.effects.flatMap((effect) => (effect.type === "rejected" ? [effect.rejection] : []));
  }
  /** Own votes, "prepare 1". */
  get votes(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type !== "broadcast" || effect.frame.type !== "signed") return [];
      const { message } = effect.frame.envelope;
      return message.type === "prepare" || message.type === "commit" ? [`${message.type} ${message.seq}`] : [];
    });
  }
}

describe("What is above the last number of the epoch", () => {
  it("does not count and does not wait: other members have the say there (protocol rule 11.2)", () => {
    const intake = new Intake();
    intake.ordering.endAt(seqOf(L));
    intake.say(0, "pre-prepare", { seq: L + 1 }).say(2, "commit", { seq: L + 1, view: 1 });

    expect(intake.rejections).to.deep.equal([
      { code: "epoch.over", from: 0, seq: L + 1 },
      { code: "epoch.over", from: 2, seq: L + 1 },
    ]);
    expect(intake.backlog.release(viewNumber(1), seqOf(2 * L))).to.deep.equal([]);
  });

  it("is not taken as decided either", () => {
    const intake = new Intake();
    intake.ordering.endAt(seqOf(L));
    intake.committed(entryOf(L + 1, [0, 2, 3]));

    expect(intake.rejections).to.deep.equal([{ code: "epoch.over", from: 3, seq: L + 1 }]);
  });
});

describe("A vote of the three phases", () => {
  it("that is of the view and inside the window counts, and what it decides is executed", () => {
    const intake = new Intake().decide(1);

    expect(intake.votes).to.deep.equal(["prepare 1", "commit 1"]);
    expect(intake.executes).to.deep.equal([1]);
    expect(intake.rejections).to.deep.equal([]);
  });

  it("that comes early waits without a word: of a later view, or up to a window above the high watermark", () => {
    const intake = new Intake().say(2, "prepare", { seq: 2 * L }).say(1, "pre-prepare", { view: 1 });

    expect(intake.effects).to.deep.equal([]);
    expect(intake.backlog.release(viewNumber(0), seqOf(2 * L)).map(({ envelope }) => envelope.from)).to.deep.equal([2]);
    const [proposal] = intake.backlog.release(viewNumber(1), seqOf(L));
    expect(proposal?.batch, "its body waits with it").to.equal(batch);
  });

  it("from further above is dropped, and counted with its sender and number", () => {
    const intake = new Intake().say(2, "prepare", { seq: 2 * L + 1 });

    expect(intake.rejections).to.deep.equal([{ code: "window.above", from: 2, seq: 2 * L + 1 }]);
    expect(intake.backlog.release(viewNumber(0), seqOf(3 * L))).to.deep.equal([]);
  });

  it("for which its sender has no room left is dropped and counted; others have theirs", () => {
    const intake = new Intake();
    for (let view = 1; view <= BACKLOG_PER_SENDER_MAX; view++) intake.say(2, "commit", { view });
    expect(intake.rejections).to.deep.equal([]);
    intake.say(2, "commit", { view: BACKLOG_PER_SENDER_MAX + 1 }).say(3, "commit", { view: 1 });

    expect(intake.rejections).to.deep.equal([{ code: "backlog.full", from: 2 }]);
  });

  it("that comes too late is dropped, and counted by what it is too late for", () => {
    const intake = new Intake({ rotateEvery: 2 }).decide(1).say(2, "prepare", { seq: 3 });
    intake.ordering.collectGarbage(seqOf(1), NOW_MS, intake.effects);
    intake.say(2, "prepare", { seq: 1 });
    intake.ordering.leaveView(intake.effects);
    intake.say(3, "commit", { seq: 2 });

    expect(intake.rejections).to.deep.equal([
      { code: "view.over", from: 2, seq: 3 },
      { code: "window.below", from: 2, seq: 1 },
      { code: "view.past", from: 3, view: 0 },
    ]);
  });

  it("that waited counts when the window has come to it, in order of number", () => {
    const intake = new Intake();
    for (const seq of [L + 2, L + 1]) intake.say(0, "pre-prepare", { seq, body: batchOf(`early ${seq}`) });
    for (let seq = 1; seq <= 2; seq++) intake.decide(seq);
    const before = intake.votes.length;
    intake.intake.releaseBacklog(NOW_MS, intake.effects);
    expect(intake.votes.length, "the window has not moved").to.equal(before);

    intake.ordering.collectGarbage(seqOf(2), NOW_MS, intake.effects);
    intake.intake.releaseBacklog(NOW_MS, intake.effects);

    expect(intake.votes.slice(before)).to.deep.equal([`prepare ${L + 1}`, `prepare ${L + 2}`]);
    expect(intake.rejections).to.deep.equal([]);
  });
});

describe("The body of a batch", () => {
  it("that is missing completes what was decided on it", () => {
    const intake = new Intake();
    const envelope = envelopeOf(0, {
      type: "pre-prepare",
      epoch,
      view: viewNumber(0),
      seq: seqOf(1),
      digest: batch.digest,
    });
    intake.intake.onThreePhase(envelope, undefined, NOW_MS, intake.effects);
    for (const id of [0, 2, 3]) intake.say(id, "commit");
    expect(intake.executes).to.deep.equal([]);

    expect(intake.body(batch).executes).to.deep.equal([1]);
    expect(intake.rejections).to.deep.equal([]);
  });

  it("that nobody asked for is dropped, and counted with its sender", () => {
    const other = batchOf("another");
    const intake = new Intake().body(other);

    expect(intake.effects).to.deep.equal([
      { type: "rejected", rejection: { code: "body.not-asked-for", from: 3, digest: other.digest } },
    ]);
  });
});

describe("A decision with its certificate", () => {
  it("is executed without a vote of this replica", () => {
    const intake = new Intake().committed(entryOf(1, [0, 2, 3]));

    expect([intake.executes, intake.votes]).to.deep.equal([[1], []]);
  });

  it("that is not waited for is dropped, and counted with its sender and number", () => {
    const intake = new Intake({ awaits: (seq) => seq !== 9 }).committed(entryOf(9, [0, 2, 3]));

    expect(intake.effects).to.deep.equal([
      { type: "rejected", rejection: { code: "committed.not-asked-for", from: 3, seq: 9 } },
    ]);
  });

  it("that bears the own COMMIT, which the log knows nothing of, ends the process and says what to do", () => {
    const intake = new Intake();

    expect(() => intake.committed(entryOf(1, [0, 1, 2]))).to.throw(/replica\.own-commit-forgotten.*init --lost-disk/);
    expect(intake.executes).to.deep.equal([]);
  });

  it("that bears the own COMMIT is executed where it prepared here, and where the loss is known", () => {
    const prepared = new Intake().say(0, "pre-prepare").say(2, "prepare").say(3, "prepare");
    const mute = new Intake({ isMute: true });

    for (const intake of [prepared, mute]) expect(intake.committed(entryOf(1, [0, 1, 2])).executes).to.deep.equal([1]);
  });
});
