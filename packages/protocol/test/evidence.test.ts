import {
  type Checkpoint,
  type Commit,
  type Envelope,
  epochNumber,
  isContradiction,
  type PrePrepare,
  type Prepare,
  replicaId,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, signatureOf } from "./builders.ts";

type Vote = PrePrepare | Prepare | Commit;
type Signed = Envelope<Vote | Checkpoint>;

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
