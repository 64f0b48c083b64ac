import {
  accusedOf,
  type Checkpoint,
  type Commit,
  type Envelope,
  epochNumber,
  isContradiction,
  type NewView,
  type PrePrepare,
  type Prepare,
  type PreparedClaim,
  replicaId,
  sequenceNumber,
  type ViewChange,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, signatureOf } from "./builders.ts";

type Vote = PrePrepare | Prepare | Commit;
type Signed = Envelope<Vote | Checkpoint | ViewChange | NewView>;

const TYPES: readonly Vote["type"][] = ["pre-prepare", "prepare", "commit"];

describe("Two votes of one replica", () => {
  for (const type of TYPES) {
    it(`contradict each other when one ${type} names another digest at the same place`, () => {
      const first = vote({ type });
      const second = vote({ type, digest: 2 });

      expect(contradiction(first, second)).to.equal(true);
      expect(contradiction(second, first)).to.equal(true);
    });

    it(`do not contradict each other when a ${type} differs in its place or its sender`, () => {
      const first = vote({ type });
      const elsewhere = [
        vote({ type, digest: 2, from: 2 }),
        vote({ type, digest: 2, epoch: 1 }),
        vote({ type, digest: 2, view: 1 }),
        vote({ type, digest: 2, seq: 9 }),
      ];

      for (const second of elsewhere) expect(contradiction(first, second), JSON.stringify(second)).to.equal(false);
    });

    it(`do not contradict each other when a ${type} was merely signed twice`, () => {
      const first = vote({ type });

      expect(contradiction(first, { ...vote({ type }), signature: signatureOf(99) })).to.equal(false);
    });

    it(`do not contradict each other when a ${type} meets another type of message`, () => {
      const others = TYPES.filter((other) => other !== type).map((other) => vote({ type: other, digest: 2 }));

      for (const second of [...others, checkpoint({ stateRoot: 2 })])
        expect(contradiction(vote({ type }), second), second.message.type).to.equal(false);
    });
  }
});

describe("Two checkpoints of one replica", () => {
  it("contradict each other when they name another root at the same number", () => {
    expect(contradiction(checkpoint({}), checkpoint({ stateRoot: 2 }))).to.equal(true);
  });

  it("do not contradict each other when they agree, or differ in number, epoch or sender", () => {
    const others = [
      { ...checkpoint({}), signature: signatureOf(99) },
      checkpoint({ stateRoot: 2, seq: 9 }),
      checkpoint({ stateRoot: 2, epoch: 1 }),
      checkpoint({ stateRoot: 2, from: 2 }),
    ];

    for (const second of others) expect(contradiction(checkpoint({}), second), JSON.stringify(second)).to.equal(false);
  });

  it("are no contradiction to a vote whose digest is another", () => {
    expect(contradiction(checkpoint({}), vote({ type: "commit", digest: 2 }))).to.equal(false);
  });
});

describe("Two VIEW-CHANGEs of one replica", () => {
  const claim: PreparedClaim = { seq: sequenceNumber(9), view: viewNumber(1), digest: digestOf(1) };
  const message: ViewChange = {
    type: "view-change",
    epoch: epochNumber(0),
    view: viewNumber(3),
    stable: { seq: sequenceNumber(8), stateRoot: digestOf(1) },
    prepared: [claim],
  };
  const viewChange = (change: Partial<ViewChange> = {}, from = 1): Envelope<ViewChange> => ({
    from: replicaId(from),
    message: { ...message, ...change },
    signature: signatureOf(from),
  });
  const others: Readonly<Record<string, Partial<ViewChange>>> = {
    "another checkpoint": { stable: { seq: sequenceNumber(4), stateRoot: digestOf(1) } },
    "another root": { stable: { seq: sequenceNumber(8), stateRoot: digestOf(2) } },
    "no claim": { prepared: [] },
    "another number": { prepared: [{ ...claim, seq: sequenceNumber(10) }] },
    "another view of a claim": { prepared: [{ ...claim, view: viewNumber(2) }] },
    "another digest": { prepared: [{ ...claim, digest: digestOf(2) }] },
    "one more claim": { prepared: [claim, { ...claim, seq: sequenceNumber(10) }] },
  };

  for (const [what, change] of Object.entries(others))
    it(`contradict each other when they tell of one view with ${what}`, () => {
      expect(contradiction(viewChange(), viewChange(change))).to.equal(true);
      expect(contradiction(viewChange(change), viewChange())).to.equal(true);
    });

  it("do not contradict each other when they agree, or differ in view, epoch or sender", () => {
    const lie = others["another digest"];
    const elsewhere = [
      { ...viewChange(), signature: signatureOf(99) },
      viewChange({ ...lie, view: viewNumber(4) }),
      viewChange({ ...lie, epoch: epochNumber(1) }),
      viewChange(lie, 2),
    ];

    for (const second of elsewhere) expect(contradiction(viewChange(), second), JSON.stringify(second)).to.equal(false);
  });

  it("are no contradiction to a NEW-VIEW", () => {
    expect(contradiction(viewChange(), newView())).to.equal(false);
    expect(contradiction(newView(), viewChange())).to.equal(false);
  });
});

describe("Two NEW-VIEWs of one replica", () => {
  const others: Readonly<Record<string, Partial<NewView>>> = {
    "another start": { start: sequenceNumber(4) },
    "other digests": { digests: [digestOf(2)] },
    "fewer digests": { digests: [] },
    "other VIEW-CHANGEs": { viewChanges: [{ from: replicaId(2), digest: digestOf(5) }] },
    "VIEW-CHANGEs of others": { viewChanges: [{ from: replicaId(3), digest: digestOf(4) }] },
  };

  for (const [what, change] of Object.entries(others))
    it(`contradict each other when they begin one view with ${what}`, () => {
      expect(contradiction(newView(), newView(change))).to.equal(true);
    });

  it("do not contradict each other when they agree, or differ in view, epoch or sender", () => {
    const lie = others["other digests"];
    const elsewhere = [
      { ...newView(), signature: signatureOf(99) },
      newView({ ...lie, view: viewNumber(4) }),
      newView({ ...lie, epoch: epochNumber(1) }),
      newView(lie, 2),
    ];

    for (const second of elsewhere) expect(contradiction(newView(), second), JSON.stringify(second)).to.equal(false);
  });

  it("convict their sender, and one that does not follow convicts it alone", () => {
    const pair = { type: "equivocation", first: newView(), second: newView({ digests: [] }) } as const;

    expect(accusedOf(pair)).to.equal(1);
    expect(accusedOf({ type: "unjustified-new-view", newView: newView({}, 2), viewChanges: [] })).to.equal(2);
  });
});

function newView(change: Partial<NewView> = {}, from = 1): Envelope<NewView> {
  const message: NewView = {
    type: "new-view",
    epoch: epochNumber(0),
    view: viewNumber(3),
    viewChanges: [{ from: replicaId(2), digest: digestOf(4) }],
    start: sequenceNumber(8),
    digests: [digestOf(1)],
  };
  return { from: replicaId(from), message: { ...message, ...change }, signature: signatureOf(from) };
}

function contradiction(first: Signed, second: Signed): boolean {
  return isContradiction({ type: "equivocation", first, second });
}

interface VoteFields {
  readonly type: Vote["type"];
  readonly from?: number;
  readonly epoch?: number;
  readonly view?: number;
  readonly seq?: number;
  readonly digest?: number;
}
function vote({ type, from = 1, epoch = 0, view = 0, seq = 8, digest = 1 }: VoteFields): Envelope<Vote> {
  return {
    from: replicaId(from),
    message: {
      type,
      epoch: epochNumber(epoch),
      view: viewNumber(view),
      seq: sequenceNumber(seq),
      digest: digestOf(digest),
    },
    signature: signatureOf(from),
  };
}

interface CheckpointFields {
  readonly from?: number;
  readonly epoch?: number;
  readonly seq?: number;
  readonly stateRoot?: number;
}
function checkpoint({ from = 1, epoch = 0, seq = 8, stateRoot = 1 }: CheckpointFields): Envelope<Checkpoint> {
  return {
    from: replicaId(from),
    message: {
      type: "checkpoint",
      epoch: epochNumber(epoch),
      seq: sequenceNumber(seq),
      stateRoot: digestOf(stateRoot),
    },
    signature: signatureOf(from),
  };
}
