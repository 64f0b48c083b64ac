import { createNodeHasher } from "@quorate/crypto/node";
import { createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  digest,
  type Effect,
  epochNumber,
  FETCH_COMMITTED_MAX,
  replicaId,
  type SequenceNumber,
  sequenceNumber,
} from "@quorate/protocol";
import { GapFiller } from "@quorate/state-transfer";
import { expect } from "chai";

const seqOf: (value: number) => SequenceNumber = sequenceNumber;
const hasher = createNodeHasher();
const signer = createCast(hasher, createFakeBackend(hasher)).signerOf(1);

/** Replica 1, delivered up to a number, and what it asked. */
class Scene {
  readonly effects: Effect[] = [];
  readonly filler: GapFiller;
  delivered = 0;

  /** @param unexecutedMax as much as no test needs, unless given. */
  constructor(unexecutedMax = 1_000_000) {
    const own = { signer, epoch: epochNumber(0), weakQuorum: 2, executed: seqOf(0) };
    this.filler = new GapFiller({ ...own, retryAfterMs: 100, unexecutedMax });
  }

  status(from: number, executed: number): this {
    this.filler.onStatus(replicaId(from), seqOf(executed), seqOf(this.delivered), this.effects);
    return this;
  }
  /** A quorum is known to have signed a checkpoint; who of it, matters here. */
  certified(seq: number, signers: readonly number[]): this {
    const signatures = signers.map((id) => ({ from: replicaId(id), signature: new Uint8Array(64) }));
    const stateRoot = digest("00".repeat(32));
    this.filler.onCertified({ epoch: epochNumber(0), seq: seqOf(seq), stateRoot, signatures });
    return this;
  }
  /** Two ticks without progress make a gap. */
  tick(times = 1): this {
    for (let i = 0; i < times; i++) this.filler.onTick(seqOf(this.delivered), this.effects);
    return this;
  }
  deliver(upTo: number): this {
    this.delivered = upTo;
    this.filler.onDelivered(seqOf(upTo), this.effects);
    return this;
  }
  belowHistory(from: number): this {
    this.filler.onBelowHistory(replicaId(from), seqOf(this.delivered), this.effects);
    return this;
  }
  /** The timer of the last question, or of an earlier one, ends. */
  timeout(token = this.tokens.at(-1) ?? 0): this {
    this.filler.onTimeout(token, seqOf(this.delivered), this.effects);
    return this;
  }
  get tokens(): number[] {
    return this.effects.flatMap((effect) => (effect.type === "start-timer" ? [effect.token] : []));
  }
  /** Whom it asked for which range, in order. */
  get asked(): [to: number, first: number, last: number][] {
    return this.effects.flatMap((effect) => {
      if (effect.type !== "send" || effect.frame.type !== "signed") return [];
      const { message } = effect.frame.envelope;
      return message.type === "fetch-committed"
        ? [[effect.to, message.first, message.last] as [number, number, number]]
        : [];
    });
  }
  get isStranded(): boolean {
    return this.filler.isStranded(seqOf(this.delivered));
  }
}

describe("GapFiller", () => {
  it("asks for no more while execution is far behind what is delivered, and goes on when it has caught up", () => {
    const scene = new Scene(100).status(0, 1_000);
    expect(scene.asked).to.deep.equal([[0, 1, 64]]);
    expect(scene.deliver(64).asked.at(-1)).to.deep.equal([0, 65, 128]);

    scene.deliver(128).tick(3).status(2, 1_000).timeout();
    expect(scene.asked, "while 128 wait for execution").to.have.lengthOf(2);
    scene.filler.onExecuted(seqOf(28));
    expect(scene.tick(2).asked, "while 100 do").to.have.lengthOf(2);
    scene.filler.onExecuted(seqOf(29));
    expect(scene.tick(2).asked.at(-1)?.slice(1)).to.deep.equal([129, 192]);
  });

  it("asks nobody while nobody is ahead", () => {
    expect(new Scene().status(0, 0).tick(3).asked).to.deep.equal([]);
  });

  it("gives what is on its way one status interval before it asks", () => {
    const scene = new Scene().status(0, 5).tick();
    expect(scene.asked, "first tick").to.deep.equal([]);
    expect(scene.tick().asked, "second tick").to.deep.equal([[0, 1, 5]]);
  });

  it("has no gap while delivery moves", () => {
    const scene = new Scene().status(0, 5).tick();
    scene.delivered = 1;
    expect(scene.tick().asked).to.deep.equal([]);
  });

  it("asks at once when it is further behind than one question", () => {
    expect(new Scene().status(0, FETCH_COMMITTED_MAX).asked, "at the bound").to.deep.equal([]);
    expect(new Scene().status(0, FETCH_COMMITTED_MAX + 1).asked, "above it").to.deep.equal([
      [0, 1, FETCH_COMMITTED_MAX],
    ]);
  });

  it("asks one donor at a time", () => {
    expect(new Scene().status(0, 500).status(2, 500).status(3, 500).tick(3).asked).to.have.length(1);
  });

  it("signs what it asks and starts a timer for the answer", () => {
    const [send, timer] = new Scene().status(0, 500).effects;
    expect(send).to.deep.equal({
      type: "send",
      to: 0,
      frame: {
        type: "signed",
        envelope: signer.sign({
          type: "fetch-committed",
          epoch: epochNumber(0),
          first: seqOf(1),
          last: seqOf(FETCH_COMMITTED_MAX),
        }),
      },
    });
    expect(timer).to.deep.equal({ type: "start-timer", timer: "fetch", token: 1, afterMs: 100 });
  });

  it("goes on with the next range of the same donor when one is complete", () => {
    const scene = new Scene().status(2, 100).deliver(64);
    expect(scene.asked).to.deep.equal([
      [2, 1, 64],
      [2, 65, 100],
    ]);
  });

  it("waits while a range is incomplete", () => {
    expect(new Scene().status(2, 100).deliver(63).asked).to.have.length(1);
  });

  it("stops its timer when there is nothing left to ask", () => {
    const scene = new Scene().status(2, 100).deliver(100);
    expect(scene.effects.at(-1)).to.deep.equal({ type: "cancel-timer", timer: "fetch" });
    expect(scene.asked).to.have.length(1);
  });

  it("asks the next donor, round and round, when one does not answer in time", () => {
    const scene = new Scene().status(0, 500).status(2, 500).status(3, 500);
    for (let i = 0; i < 3; i++) scene.timeout();
    expect(scene.asked.map(([to]) => to)).to.deep.equal([0, 2, 3, 0]);
  });

  it("asks from where delivery stands when a donor stopped half way", () => {
    const scene = new Scene().status(0, 500).status(2, 500).deliver(10).timeout();
    expect(scene.asked.at(-1)).to.deep.equal([2, 11, 74]);
  });

  it("takes no notice of the timer of an earlier question", () => {
    const scene = new Scene().status(0, 500).status(2, 500).timeout();
    expect(scene.timeout(1).asked).to.have.length(2);
  });

  it("one that claims the moon costs one time-out, then the gap is filled by another", () => {
    const scene = new Scene().status(0, Number.MAX_SAFE_INTEGER).status(2, 70).timeout().deliver(64);
    expect(scene.asked).to.deep.equal([
      [0, 1, 64],
      [2, 1, 64],
      [2, 65, 70],
    ]);
  });

  it("asks another at once when the donor's history does not reach down to the gap", () => {
    const scene = new Scene().status(0, 500).status(2, 500).belowHistory(0);
    expect(scene.asked.map(([to]) => to)).to.deep.equal([0, 2]);
  });

  it("believes nobody but the donor that its history is too short", () => {
    const scene = new Scene().status(0, 500).status(2, 500).belowHistory(2);
    expect([scene.asked.length, scene.isStranded]).to.deep.equal([1, false]);
  });

  it("asks a donor whose history was too short again once delivery has moved", () => {
    const scene = new Scene().status(0, 500).belowHistory(0);
    expect(scene.tick(3).asked, "same place").to.have.length(1);
    scene.delivered = 10;
    expect(scene.tick(2).asked.at(-1), "further on").to.deep.equal([0, 11, 74]);
  });

  it("is stranded when everyone ahead has said so, and no longer when someone else comes", () => {
    const scene = new Scene().status(0, 500).status(2, 500).belowHistory(0);
    expect(scene.isStranded, "one is left").to.equal(false);
    scene.belowHistory(2);
    expect(scene.isStranded, "all have said so").to.equal(true);
    scene.status(3, 500);
    expect(scene.isStranded, "another donor").to.equal(false);
  });

  it("is not kept from it by one who says that it could help, and is silent", () => {
    const scene = new Scene().status(0, 500).status(2, 500).status(3, 500).belowHistory(0).belowHistory(2);
    expect([scene.asked.at(-1)?.[0], scene.isStranded]).to.deep.equal([3, false]);
    scene.timeout();
    expect(scene.isStranded).to.equal(true);
  });

  it("is not stranded by the word of one alone, who may be the only one ahead", () => {
    expect(new Scene().status(0, 500).belowHistory(0).isStranded).to.equal(false);
  });

  it("is not stranded when nobody is ahead", () => {
    expect(new Scene().status(0, 0).isStranded).to.equal(false);
  });

  it("awaits only entries of the range it asked for", () => {
    const scene = new Scene();
    expect(scene.filler.isAwaited(seqOf(1)), "nothing asked").to.equal(false);
    scene.status(0, 10).tick(2);
    expect([10, 11].map((seq) => scene.filler.isAwaited(seqOf(seq)))).to.deep.equal([true, false]);
  });

  it("knows whom it has asked", () => {
    const scene = new Scene().status(0, 10).status(2, 10).tick(2);
    expect([0, 2].map((id) => scene.filler.isDonor(replicaId(id)))).to.deep.equal([true, false]);
  });
});

describe("a checkpoint that a quorum has signed (protocol rules 9.3 and 11.3)", () => {
  /** Asks each in turn who is ahead, as nobody answers. */
  function everyoneAhead(scene: Scene): number[] {
    scene.tick(2);
    for (let i = 0; i < 4; i++) scene.timeout();
    return [...new Set(scene.asked.map(([to]) => to))].sort((a, b) => a - b);
  }

  it("says that its signers have executed so far: the next tick without progress asks one of them", () => {
    const scene = new Scene().certified(16, [0, 2, 3]);
    expect(scene.asked, "not at once").to.deep.equal([]);
    expect(scene.tick(2).asked).to.deep.equal([[0, 1, 16]]);
    expect(everyoneAhead(scene)).to.deep.equal([0, 2, 3]);
  });

  it("says nothing of those who did not sign, and the own signature is no news", () => {
    expect(everyoneAhead(new Scene().certified(16, [1, 2, 3]))).to.deep.equal([2, 3]);
  });

  it("says nothing where all of it is here", () => {
    const scene = new Scene().certified(16, [0, 2, 3]);
    scene.delivered = 16;
    expect(scene.tick(3).asked).to.deep.equal([]);
  });

  it("lowers nobody who has said that it has executed more", () => {
    const scene = new Scene().status(2, 40).certified(16, [0, 2, 3]);
    scene.delivered = 16;
    expect(scene.tick(2).asked).to.deep.equal([[2, 17, 40]]);
  });

  it("raises who has said less before, and is no longer looked at when it comes again", () => {
    const scene = new Scene().status(2, 5).certified(16, [1, 2]);
    expect(scene.tick(2).asked).to.deep.equal([[2, 1, 16]]);

    // What it says itself is later than the certificate, even where it is less.
    scene.status(2, 0).certified(16, [1, 2]).timeout();
    expect(scene.tick(2).asked, "the same again").to.have.lengthOf(1);
    scene.certified(8, [1, 2]);
    expect(scene.tick(2).asked, "an earlier one").to.have.lengthOf(1);
    scene.certified(24, [1, 2]);
    expect(scene.tick(2).asked.slice(1), "a later one").to.deep.equal([[2, 1, 24]]);
  });
});
