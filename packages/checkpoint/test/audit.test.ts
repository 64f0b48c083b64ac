import { Audit } from "@quorate/checkpoint";
import { createNodeHasher } from "@quorate/crypto/node";
import { createCast, createFakeBackend } from "@quorate/crypto/testing";
import { type AuditedPart, type ReplicaId, replicaId, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";

const hasher = createNodeHasher();
const { digestOf, membersOf } = createCast(hasher, createFakeBackend(hasher));
const seqOf: (value: number) => SequenceNumber = sequenceNumber;

/** The audit of replica 1 of `n`, which keeps its last eight outputs. */
class Scene {
  readonly audit: Audit;

  constructor(n = 4, silentUpTo = 0) {
    const membership = membersOf(n);
    const options = { self: replicaId(1), membership, outputsMax: 8, silentUpTo: seqOf(silentUpTo) };
    this.audit = new Audit(options, { executed: seqOf(0), executionDigest: digestOf("outputs 0") });
  }

  executes(upTo: number): this {
    for (let seq = 1; seq <= upTo; seq++) this.audit.onOwn("outputs", seqOf(seq), digestOf(`outputs ${seq}`));
    return this;
  }
  claims(from: number, seq: number, what = `outputs ${seq}`, part: AuditedPart = "outputs"): this {
    this.audit.onClaim(part, replicaId(from), seqOf(seq), digestOf(what));
    return this;
  }
  get convicted(): ReplicaId[] {
    return this.audit.convicted.map(({ from }) => from);
  }
  get open(): ReplicaId[] {
    return this.audit.open.map(({ from }) => from);
  }
}

describe("Audit (protocol rule 9.5)", () => {
  it("f others that say something else contradict nobody", () => {
    const four = new Scene().executes(3).claims(0, 3, "wrong");
    expect([four.audit.isContradicted, four.open]).to.deep.equal([false, [0]]);
    const seven = new Scene(7).executes(3).claims(0, 3, "wrong").claims(2, 2, "wrong");
    expect([seven.audit.isContradicted, seven.open]).to.deep.equal([false, [0, 2]]);
    expect(seven.claims(0, 1, "wrong again").audit.isContradicted, "one of them twice").to.equal(false);
  });

  it("f+1 members that say something else do, though each of another number and something else", () => {
    const scene = new Scene().executes(3).claims(0, 3, "wrong").claims(2, 2, "wrong in another way");
    expect(scene.audit.isContradicted).to.equal(true);
    expect(scene.audit.open.map(({ from, part, seq }) => [from, part, seq])).to.deep.equal([
      [0, "outputs", 3],
      [2, "outputs", 2],
    ]);
    const { audit } = new Scene(7).executes(3).claims(0, 3, "x").claims(2, 3, "x").claims(3, 3, "x");
    expect(audit.isContradicted, "of seven").to.equal(true);
  });

  it("states at checkpoints count as outputs do", () => {
    const scene = new Scene().executes(8).claims(0, 8, "wrong");
    scene.claims(2, 8, "another state", "state");
    expect(scene.audit.isContradicted, "it has none yet").to.equal(false);
    scene.audit.onOwn("state", seqOf(8), digestOf("state"));
    expect(scene.audit.isContradicted).to.equal(true);
  });

  it("what is claimed of a number before it is executed here is compared then", () => {
    const scene = new Scene(7).claims(0, 2, "wrong").claims(2, 2).claims(3, 2, "wrong");
    expect(scene.open).to.deep.equal([]);
    expect(scene.executes(2).open).to.deep.equal([0, 3]);
  });

  it("holds no more than its share of such claims", () => {
    const scene = new Scene();
    for (let seq = 1; seq <= 100; seq++) scene.claims(0, seq, "wrong");
    expect(scene.audit.fills[0]).to.include({ size: 8, max: 8 });
    expect(scene.executes(8).audit.fills[0]).to.include({ size: 0 });
  });

  it("who is slow is not wrong: what lies too far back is not compared", () => {
    const scene = new Scene()
      .executes(20)
      .claims(0, 12, "who knows")
      .claims(2, 3, "who knows")
      .claims(3, 0, "genesis?");
    expect([scene.open, scene.audit.isContradicted]).to.deep.equal([[], false]);
    expect(scene.claims(0, 13, "wrong").open, "within reach").to.deep.equal([0]);
  });

  it("a member is convicted, once, when f others agree at or behind its number", () => {
    const scene = new Scene().executes(6).claims(0, 4, "wrong").claims(2, 3);
    expect(scene.audit.takeNews(), "2 agrees below only").to.deep.equal([]);
    scene.claims(2, 5);
    expect(scene.audit.takeNews().map(({ from, seq }) => [from, seq])).to.deep.equal([[0, 4]]);
    scene.claims(0, 6, "wrong again");
    expect([scene.audit.takeNews(), scene.convicted, scene.open]).to.deep.equal([[], [0], [0]]);
    scene.claims(2, 6);
    expect([scene.audit.takeNews(), scene.convicted, scene.open], "no news").to.deep.equal([[], [0], []]);
    const seven = new Scene(7).executes(6).claims(0, 4, "wrong").claims(2, 4);
    expect(seven.convicted, "one of seven is not enough").to.deep.equal([]);
    expect(seven.claims(3, 6).convicted).to.deep.equal([0]);
  });

  it("a member is convicted when a quorum has the own state at or behind its number", () => {
    const scene = new Scene().executes(6).claims(0, 4, "wrong");
    scene.audit.onStable(seqOf(3));
    expect(scene.convicted).to.deep.equal([]);
    scene.audit.onStable(seqOf(4));
    expect([scene.convicted, scene.open]).to.deep.equal([[0], []]);
    expect(scene.claims(2, 2, "late").convicted, "what is said later of lower numbers").to.deep.equal([0, 2]);
    expect(scene.audit.isContradicted).to.equal(false);
  });

  it("the same outputs do not acquit of another state", () => {
    const scene = new Scene().executes(8).claims(0, 8, "another state", "state");
    scene.audit.onOwn("state", seqOf(8), digestOf("state"));
    scene.claims(2, 8).claims(0, 8);
    expect([scene.open, scene.convicted], "outputs prove no state").to.deep.equal([[0], []]);
    scene.claims(2, 8, "state", "state");
    expect(scene.convicted).to.deep.equal([0]);
  });

  it("who agrees again is wrong no more", () => {
    const scene = new Scene().executes(6).claims(0, 4, "wrong").claims(2, 4);
    expect(scene.convicted).to.deep.equal([0]);
    expect(scene.claims(0, 6).convicted).to.deep.equal([]);
    const other = new Scene().executes(6).claims(0, 4, "wrong").claims(0, 6).claims(3, 6, "wrong");
    expect([other.convicted, other.audit.isContradicted], "nor is it counted with the next one").to.deep.equal([
      [3],
      false,
    ]);
  });

  it("a CHECKPOINT that nothing waits for is news once, if it differs", () => {
    const { audit } = new Scene().executes(8);
    audit.onOwn("state", seqOf(8), digestOf("state"));
    expect(audit.isNews(replicaId(0), seqOf(8), digestOf("state"))).to.equal(false);
    expect(audit.isNews(replicaId(0), seqOf(4), digestOf("other")), "not known here").to.equal(false);
    expect(audit.isNews(replicaId(0), seqOf(8), digestOf("other"))).to.equal(true);
    audit.onClaim("state", replicaId(0), seqOf(8), digestOf("other"));
    expect(audit.isNews(replicaId(0), seqOf(8), digestOf("another"))).to.equal(false);
  });

  it("claims what it has put out, but for numbers where it was quarantined; what bears its own name it ignores", () => {
    const { audit } = new Scene(4, 5).executes(6).claims(1, 6, "wrong");
    expect([audit.claimAt(seqOf(5)), audit.claimAt(seqOf(6))]).to.deep.equal([undefined, digestOf("outputs 6")]);
    expect(audit.open).to.deep.equal([]);
  });
});
