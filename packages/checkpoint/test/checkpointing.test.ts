import { Checkpointing } from "@quorate/checkpoint";
import { createNodeHasher } from "@quorate/crypto/node";
import { createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  type Checkpoint,
  type CheckpointCertificate,
  type Effect,
  epochNumber,
  isContradiction,
  membershipOf,
  type ReplicaFrame,
  replicaId,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedCheckpointCertificate,
  type VerifiedEnvelope,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";

const hasher = createNodeHasher();
const { digestOf, envelopeOf, membersOf, signerOf, verifier } = createCast(hasher, createFakeBackend(hasher));
const membership = membersOf();
const epoch = epochNumber(0);
const seqOf: (value: number) => SequenceNumber = sequenceNumber;

function voteOf(from: number, seq: number, root = `root ${seq}`): VerifiedEnvelope<Checkpoint> {
  return envelopeOf(from, { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot: digestOf(root) });
}
function certificateOf(seq: number, root = `root ${seq}`, by = [0, 2, 3]): VerifiedCheckpointCertificate {
  const signatures = by.map((id) => ({ from: replicaId(id), signature: voteOf(id, seq, root).signature }));
  const certificate = { epoch, seq: seqOf(seq), stateRoot: digestOf(root), signatures };
  const verified = verifier.verifyCheckpointCertificate(certificate, membership);
  if (verified === undefined) throw new Error("the builder's own certificate does not verify");
  return verified;
}

/** Replica 1 with K = 8 and L = 16 unless given, and what it did. */
class Scene {
  readonly effects: Effect[] = [];
  readonly checkpointing: Checkpointing;

  constructor(isMute = false, { interval, windowSize } = { interval: 8, windowSize: 16 }, silentUpTo = 0) {
    this.checkpointing = new Checkpointing(
      { signer: signerOf(1), interval, windowSize, isMute, silentUpTo: seqOf(silentUpTo) },
      {
        stable: { epoch, seq: seqOf(0), stateRoot: digestOf("genesis"), signatures: [] },
        membership,
        view: viewNumber(0),
      },
    );
  }

  durable(seq: number, root = `root ${seq}`): CheckpointCertificate | undefined {
    return this.#checked(this.checkpointing.onStateDurable(seqOf(seq), digestOf(root), this.effects));
  }
  vote(from: number, seq: number, root = `root ${seq}`): CheckpointCertificate | undefined {
    return this.#checked(this.checkpointing.onCheckpoint(voteOf(from, seq, root), this.effects));
  }
  certificate(seq: number, root?: string): CheckpointCertificate | undefined {
    return this.#checked(this.checkpointing.onCertificate(certificateOf(seq, root)));
  }
  framesFor(theirs: number): ReplicaFrame[] {
    return this.checkpointing.framesFor(seqOf(theirs));
  }
  get marks(): { stable: number; certified: number } {
    return { stable: this.checkpointing.stable.seq, certified: this.checkpointing.certified.seq };
  }
  get contradiction(): Checkpointing["contradiction"] {
    return this.checkpointing.contradiction;
  }
  get rejections(): string[] {
    return this.effects.flatMap((effect) => (effect.type === "rejected" ? [effect.rejection.code] : []));
  }

  #checked<T>(value: T): T {
    this.checkpointing.checkInvariants();
    return value;
  }
}

const CONTRADICTED = {
  by: "certificate",
  seq: seqOf(8),
  own: digestOf("my own root"),
  certified: digestOf("root 8"),
} as const;

describe("Checkpointing from the start of a later epoch (protocol rule 11.3)", () => {
  const start = { seq: seqOf(24), stateRoot: digestOf("root 24") };
  const later = membershipOf(epochNumber(1), membership.members, start);
  function checkpointing(): Checkpointing {
    const stable = { epoch: later.epoch, ...start, signatures: [] };
    const options = { signer: signerOf(1), interval: 8, windowSize: 16 };
    return new Checkpointing(options, { stable, membership: later, view: viewNumber(0) });
  }

  it("has nothing to show for it to one that says to be further back: nobody signed it in this epoch", () => {
    const at = checkpointing();
    expect([at.stable.seq, at.certified.seq]).to.deep.equal([24, 24]);
    expect(at.framesFor(seqOf(0))).to.deep.equal([]);
    expect(at.onStateDurable(seqOf(32), digestOf("root 32"), [])).to.equal(undefined);
    const [own] = at.framesFor(seqOf(0));
    expect(own?.type === "signed" && own.envelope.message).to.deep.include({ type: "checkpoint", epoch: 1, seq: 32 });
  });

  it("takes no vote for it or below, and its first certificate is one of this epoch's members", () => {
    const at = checkpointing();
    const vote = (from: number, seq: number): VerifiedEnvelope<Checkpoint> =>
      envelopeOf(from, {
        type: "checkpoint",
        epoch: later.epoch,
        seq: seqOf(seq),
        stateRoot: digestOf(`root ${seq}`),
      });
    for (const from of [0, 2, 3]) expect(at.onCheckpoint(vote(from, 24), [])).to.equal(undefined);
    expect(at.isRedundant(replicaId(0), vote(0, 24).message)).to.equal(true);
    at.onStateDurable(seqOf(32), digestOf("root 32"), []);
    at.onCheckpoint(vote(0, 32), []);
    const stable = at.onCheckpoint(vote(2, 32), []);
    expect(stable).to.deep.include({ epoch: 1, seq: 32 });
    expect(stable && verifier.verifyCheckpointCertificate(stable, later)).not.to.equal(undefined);
    expect(stable && verifier.verifyCheckpointCertificate(stable, membership)).to.equal(undefined);
  });
});

describe("Checkpointing of a mute replica (protocol rule 8.5)", () => {
  it("signs nothing and counts for nothing, and h moves by the votes of others and the own state", () => {
    const scene = new Scene(true);
    expect(scene.durable(8)).to.equal(undefined);
    for (const from of [0, 2]) expect(scene.vote(from, 8)).to.equal(undefined);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 0 });
    expect(scene.vote(3, 8)?.seq).to.equal(8);
    expect(scene.effects).to.deep.equal([]);
    scene.durable(16);
    expect(scene.framesFor(8), "no votes to repeat").to.deep.equal([]);
  });

  it("votes, once it may, for the states above h that it holds", () => {
    const scene = new Scene(true);
    scene.durable(8);
    for (const from of [0, 2]) scene.vote(from, 8);
    expect(scene.checkpointing.unmute(scene.effects)?.seq).to.equal(8);
    expect(scene.effects).to.deep.equal([{ type: "broadcast", frame: { type: "signed", envelope: voteOf(1, 8) } }]);
    expect(scene.checkpointing.isMute).to.equal(false);
  });
});

describe("Checkpointing (OSDI'99 §4.3)", () => {
  it("votes when the own state is durable, and only then", () => {
    const scene = new Scene();
    for (const from of [0, 2]) scene.vote(from, 8);
    expect(scene.effects, "before").to.deep.equal([]);
    scene.durable(8);
    expect(scene.effects, "after").to.deep.equal([
      { type: "broadcast", frame: { type: "signed", envelope: voteOf(1, 8) } },
    ]);
  });

  it("q votes of one root make a certificate that verifies, and move h", () => {
    const scene = new Scene();
    scene.durable(8);
    expect(scene.vote(3, 8), "two votes").to.equal(undefined);
    const stable = scene.vote(0, 8);
    expect(stable?.signatures.map(({ from }) => from)).to.deep.equal([0, 1, 3]);
    expect(stable && verifier.verifyCheckpointCertificate(stable, membership)).not.to.equal(undefined);
    expect(scene.marks).to.deep.equal({ stable: 8, certified: 8 });
  });

  it("a vote counts once, however often it comes", () => {
    const scene = new Scene();
    scene.durable(8);
    for (let i = 0; i < 5; i++) scene.vote(3, 8);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 0 });
  });

  it("votes for different roots do not count together", () => {
    const scene = new Scene();
    scene.durable(8);
    scene.vote(0, 8, "another root");
    scene.vote(2, 8);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 0 });
  });

  it("a certificate ahead of the own state moves nothing until the own state is there", () => {
    const scene = new Scene();
    expect(scene.certificate(8), "before").to.equal(undefined);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 8 });
    expect(scene.durable(8)?.seq, "after").to.equal(8);
  });

  it("votes of others that come before the own state make a certificate that is used later", () => {
    const scene = new Scene();
    for (const from of [0, 2, 3]) scene.vote(from, 8);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 8 });
    expect(scene.durable(8)?.seq).to.equal(8);
  });

  it("h jumps to a later certificate when the state at it is reached", () => {
    const scene = new Scene();
    scene.certificate(16);
    expect(scene.durable(8), "not certified itself").to.equal(undefined);
    expect(scene.durable(16)?.seq).to.equal(16);
  });

  it("h follows, though each own state is durable only after the next certificate, as on a slow disk under load", () => {
    const scene = new Scene();
    scene.certificate(8);
    for (const seq of [16, 24, 32, 40]) {
      if (seq % 16 === 0) for (const from of [0, 2, 3]) scene.vote(from, seq);
      else scene.certificate(seq);
      expect(scene.durable(seq - 8)?.seq).to.equal(seq - 8);
      expect(scene.marks).to.deep.equal({ stable: seq - 8, certified: seq });
    }
  });

  it("of certificates that the own state is behind so many are kept, and h comes by them to the newest", () => {
    const scene = new Scene();
    for (let seq = 8; seq <= 800; seq += 8) scene.certificate(seq);
    const kept = scene.checkpointing.fills.find(({ of }) => of === "certificates above h");
    expect(kept).to.deep.equal({ of: "certificates above h", size: 32, max: 32 });
    for (let seq = 8; seq <= 256; seq += 8) expect(scene.durable(seq)?.seq).to.equal(seq);
    expect(scene.durable(264), "one that was not kept").to.equal(undefined);
    expect(scene.durable(800)?.seq).to.equal(800);
    expect(scene.checkpointing.fills.find(({ of }) => of === "certificates above h")?.size).to.equal(0);
  });

  it("an own state that contradicts a certificate that is not the newest tells that this replica is wrong", () => {
    const scene = new Scene();
    scene.certificate(8);
    scene.certificate(16);
    expect(scene.durable(8, "my own root")).to.equal(undefined);
    expect(scene.contradiction).to.deep.equal(CONTRADICTED);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 16 });
  });

  it("an own state that a quorum contradicts moves nothing, and tells that this replica is wrong", () => {
    const scene = new Scene();
    scene.durable(8, "my own root");
    expect(scene.contradiction, "before").to.equal(undefined);
    expect(scene.certificate(8)).to.equal(undefined);
    expect(scene.contradiction).to.deep.equal(CONTRADICTED);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 8 });
  });

  it("an own state that contradicts a known certificate tells the same", () => {
    const scene = new Scene();
    scene.certificate(8);
    expect(scene.durable(8, "my own root")).to.equal(undefined);
    expect(scene.contradiction).to.deep.equal(CONTRADICTED);
    expect(scene.marks).to.deep.equal({ stable: 0, certified: 8 });
  });

  it("after a quarantine votes for nothing up to its end, and for what is above it", () => {
    const scene = new Scene(false, undefined, 8);
    scene.durable(8);
    expect(scene.effects, "8").to.deep.equal([]);
    scene.certificate(8);
    expect(scene.marks, "others vote").to.deep.equal({ stable: 8, certified: 8 });
    scene.durable(16);
    expect(
      scene.effects.map(({ type }) => type),
      "16",
    ).to.deep.equal(["broadcast"]);
  });

  it("two votes of one member for one number are evidence, and the first counts", () => {
    const scene = new Scene();
    scene.vote(0, 8, "another root");
    scene.vote(0, 8);
    const [evidence] = scene.effects.flatMap((effect) => (effect.type === "evidence" ? [effect.evidence] : []));
    if (evidence?.type !== "equivocation") throw new Error("no equivocation");
    expect(isContradiction(evidence) && verifier.verifyEvidence(evidence, membership)).to.equal(true);
    expect(scene.rejections).to.deep.equal(["checkpoint.conflicting"]);
    scene.durable(8);
    expect(scene.vote(2, 8)).to.equal(undefined);
  });

  it("any number may be a checkpoint: execution says which are", () => {
    const scene = new Scene();
    for (const from of [0, 2]) scene.vote(from, 11);
    expect(scene.durable(11)?.seq).to.equal(11);
    expect([scene.rejections, scene.marks]).to.deep.equal([[], { stable: 11, certified: 11 }]);

    scene.durable(13);
    for (const from of [0, 2]) scene.vote(from, 13);
    expect(scene.marks).to.deep.equal({ stable: 13, certified: 13 });
  });

  it("of a member that votes for the whole future only a few votes are kept, and others' count as before", () => {
    const scene = new Scene();
    for (let k = 1; k <= 100; k++) scene.vote(0, 8 * k);
    for (const from of [2, 3]) scene.vote(from, 8);
    expect(scene.marks.certified, "its vote for 8 is gone").to.equal(0);
    expect(scene.rejections, "and counted").to.deep.equal(new Array(68).fill("checkpoint.displaced"));
    expect(scene.durable(8)?.seq, "the others are enough").to.equal(8);
  });

  it("own votes above h are bounded, the newest kept", () => {
    const scene = new Scene();
    const all = Array.from({ length: 20 }, (_, i) => 2 * (i + 1));
    for (const seq of all) scene.durable(seq);
    const seqs = scene.framesFor(0).map((frame) => frame.type === "signed" && frame.envelope.message);
    // Two multiples of 8 and eight ordered ones fit into a window of 16, and one more.
    expect(seqs).to.deep.equal(all.slice(-11).map((seq) => voteOf(1, seq).message));
  });

  for (const interval of [1, 2, 3, 4, 5, 7, 8, 9, 16])
    it(`own votes of a whole window are kept with K = ${interval}, however many checkpoints are ordered`, () => {
      const spacing = Math.ceil(interval / 4);
      for (let shift = 0; shift < interval; shift++) {
        const scene = new Scene(false, { interval, windowSize: 2 * interval });
        const numbers: number[] = [];
        // As many as the rules allow, the first one anywhere.
        for (let seq = 1, last = shift - spacing; seq <= 6 * interval; seq++)
          if (seq % interval === 0 || seq - last >= spacing) {
            last = seq;
            numbers.push(seq);
            scene.durable(seq);
            const held = scene.framesFor(0).length;
            const inWindow = numbers.filter((number) => number >= seq - 2 * interval).length;
            expect(held, `shift ${shift} at ${seq}`).to.be.at.least(inWindow);
          }
      }
    });

  it("what is at or below h changes nothing", () => {
    const scene = new Scene();
    scene.certificate(16);
    scene.durable(16);
    scene.effects.length = 0;
    expect([scene.vote(0, 8, "x"), scene.certificate(8), scene.durable(8), scene.effects]).to.deep.equal([
      undefined,
      undefined,
      undefined,
      [],
    ]);
  });

  it("helps a peer with the certificate it lacks", () => {
    const scene = new Scene();
    scene.certificate(8);
    expect(scene.framesFor(0)).to.deep.equal([{ type: "stable-checkpoint", checkpoint: certificateOf(8) }]);
  });

  it("helps a peer that has the certificate with the own votes above it", () => {
    const scene = new Scene();
    scene.certificate(8);
    scene.durable(8);
    scene.durable(16);
    expect(scene.framesFor(8)).to.deep.equal([{ type: "signed", envelope: voteOf(1, 16) }]);
  });

  it("never sends the certificate of genesis, which has no signatures", () => {
    expect(new Scene().framesFor(0)).to.deep.equal([]);
  });

  it("refuses a window that is no multiple of the interval", () => {
    const base = { stable: certificateOf(8), membership, view: viewNumber(0) };
    expect(() => new Checkpointing({ signer: signerOf(1), interval: 8, windowSize: 20 }, base)).to.throw(
      "checkpoint.window",
    );
  });
});

describe("redundant checkpoint votes are recognised before they are verified (protocol rule 13.1)", () => {
  it("one at or below the highest certificate, and one that is there", () => {
    const scene = new Scene();
    scene.certificate(8);
    scene.vote(0, 16);
    const redundant = [voteOf(0, 8), voteOf(0, 7), voteOf(0, 16)].map(({ from, message }) =>
      scene.checkpointing.isRedundant(from, message),
    );
    expect(redundant).to.deep.equal([true, true, true]);
  });

  it("but not a first vote, nor one that contradicts it", () => {
    const scene = new Scene();
    scene.vote(0, 16);
    const redundant = [voteOf(2, 16), voteOf(0, 16, "another root")].map(({ from, message }) =>
      scene.checkpointing.isRedundant(from, message),
    );
    expect(redundant).to.deep.equal([false, false]);
  });
});
