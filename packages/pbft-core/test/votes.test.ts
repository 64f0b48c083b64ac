import { isContradiction, timestampMs } from "@quorate/protocol";
import { expect } from "chai";
import {
  batchOf,
  commitOf,
  composer,
  entryOf,
  membersOf,
  prePrepareOf,
  prepareOf,
  Scene,
  seqOf,
  verifier,
} from "./builders.ts";

const a = batchOf("a");
const b = batchOf("b");

describe("write before speak (protocol rule 8.1)", () => {
  it("a primary writes its proposal before it says it", () => {
    const scene = new Scene({ self: 0 });
    scene.request(a.requests[0]!);
    expect(scene.order).to.deep.equal(["write pre-prepared", "say pre-prepare"]);
  });

  it("a backup writes the pre-prepare before its prepare and the certificate before its commit", () => {
    expect(new Scene().prePrepare(a).prepares([2], a.digest).order).to.deep.equal([
      "write pre-prepared",
      "say prepare",
      "write prepared",
      "say commit",
    ]);
  });

  it("the written pre-prepare holds the proposal as it came and its batch", () => {
    const [record] = new Scene().prePrepare(a).of("persist");
    expect(record?.record).to.deep.equal({
      type: "pre-prepared",
      envelope: prePrepareOf(a.digest),
      batch: a.batch,
    });
  });

  it("the written certificate has the pre-prepare and q-1 prepares in order of id, and verifies", () => {
    const scene = new Scene({ self: 3 }).prePrepare(a).prepares([2, 1], a.digest);
    const record = scene.of("persist").map((effect) => effect.record)[1];
    const certificate = record?.type === "prepared" ? record.certificate : undefined;
    expect(certificate?.prepares.map(({ from }) => from)).to.deep.equal([2, 3]);
    expect(certificate && verifier.verifyPreparedCertificate(certificate, membersOf())).not.to.equal(undefined);
  });

  it("a commit certificate made of votes verifies", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([3, 0], a.digest);
    const certificate = scene.decisions[0]!.certificate;
    expect(certificate.signatures.map(({ from }) => from)).to.deep.equal([0, 1, 3]);
    expect(verifier.verifyCommitCertificate(certificate, membersOf())).not.to.equal(undefined);
  });
});

describe("conflicting votes (protocol rule 4.2)", () => {
  const table = [
    { name: "prepares", twice: (scene: Scene) => scene.prepares([2], a.digest).prepares([2], b.digest), by: 2 },
    { name: "commits", twice: (scene: Scene) => scene.commits([3], a.digest).commits([3], b.digest), by: 3 },
    { name: "pre-prepares", twice: (scene: Scene) => scene.prePrepare(a).prePrepare(b), by: 0 },
  ];
  for (const { name, twice, by } of table)
    it(`two ${name} of one sender are evidence against it that others can verify`, () => {
      const [kept] = twice(new Scene()).of("evidence");
      const evidence = kept?.evidence;
      if (evidence?.type !== "equivocation") throw new Error("no equivocation");
      expect(evidence.first.from).to.equal(by);
      expect(isContradiction(evidence)).to.equal(true);
      expect(verifier.verifyEvidence(evidence, membersOf())).to.equal(true);
    });

  it("the first prepare counts and the second does not", () => {
    const scene = new Scene().prepares([2], b.digest).prePrepare(a).prepares([2], a.digest);
    expect(scene.spoken).to.deep.equal(["prepare"]);
  });

  it("the first commit counts and the second does not", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([3], b.digest).commits([0, 3], a.digest);
    expect(scene.delivered).to.deep.equal([]);
  });

  it("the same vote again is neither evidence nor another vote", () => {
    const scene = new Scene({ n: 7 }).prePrepare(a).prepares([2, 2, 2, 2], a.digest).commits([2, 2, 2, 2, 2], a.digest);
    expect([scene.of("evidence"), scene.spoken, scene.delivered]).to.deep.equal([[], ["prepare"], []]);
  });

  it("a sender that votes for ever otherwise gives evidence, and what it repeats is recognised before it is verified", () => {
    const scene = new Scene().prepares([2], a.digest).prepares([2], b.digest);
    const { ordering } = scene;
    expect(ordering.isRedundant(prepareOf(2, b.digest).from, prepareOf(2, b.digest).message)).to.equal(true);
  });

  it("a primary that equivocates is overruled by the commits of a quorum and the decided batch is executed", () => {
    const scene = new Scene().prePrepare(a).commits([0, 2, 3], b.digest);
    expect(scene.delivered, "the batch is not held").to.deep.equal([]);
    scene.take(scene.ordering.onCommitted(entryOf(1, b), scene.out));
    expect(scene.decisions.map(({ batch }) => batch.digest)).to.deep.equal([b.digest]);
  });
});

describe("bodies (protocol rule 4.4)", () => {
  it("no number of prepares makes a proposal prepared whose body is missing: nobody commits to what it does not hold", () => {
    const scene = new Scene().prePrepareAlone(a).forget().prepares([2, 3], a.digest);
    expect(scene.order).to.deep.equal([]);
    scene.take(scene.ordering.onBatchBody(a, scene.nowMs, scene.out) ?? []);
    expect(scene.spoken, "with the body").to.deep.equal(["prepare", "commit"]);
  });

  it("a proposal without a body that verifies is not voted for; its body is asked of everyone, once", () => {
    const scene = new Scene().prePrepareAlone(a).prePrepareAlone(a);
    expect([scene.spoken, scene.of("persist")]).to.deep.equal([["fetch-batch"], []]);
  });

  it("at a status tick a body that did not come is asked for again, of few numbers at once, the lowest first", () => {
    const scene = new Scene();
    for (let seq = 12; seq >= 1; seq--) scene.prePrepareAlone(a, seq);
    const askedAgain = (upTo: number): number[] => {
      scene.forget().ordering.askForBodiesAgain(seqOf(upTo), scene.out);
      return scene.effects.flatMap((effect) =>
        effect.type === "broadcast" && effect.frame.type === "signed" && "seq" in effect.frame.envelope.message
          ? [effect.frame.envelope.message.seq]
          : [],
      );
    };
    expect(askedAgain(3), "the rest was not known of long enough").to.deep.equal([1, 2, 3]);
    expect(askedAgain(12)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("a body that has come is not asked for again", () => {
    const scene = new Scene().prePrepareAlone(a);
    scene.take(scene.ordering.onBatchBody(a, scene.nowMs, scene.out) ?? []).forget();
    scene.ordering.askForBodiesAgain(seqOf(1), scene.out);
    expect(scene.effects).to.deep.equal([]);
  });

  it("a body with another digest is rejected and the right one is asked for", () => {
    const scene = new Scene().prePrepare(a, 1, b);
    expect([scene.spoken, scene.rejections]).to.deep.equal([["fetch-batch"], ["pre-prepare.digest-mismatch"]]);
  });

  it("a proposal with its own key is nothing to a primary that did not make it", () => {
    const scene = new Scene({ self: 0 }).prePrepare(a);
    scene.request(b.requests[0]!);
    expect([scene.spoken, scene.rejections]).to.deep.equal([["pre-prepare"], ["pre-prepare.not-from-primary"]]);
  });

  it("the body that was asked for ends the wait", () => {
    const scene = new Scene().prePrepare(a, 1, b).forget();
    expect(scene.ordering.onBatchBody(a, scene.nowMs, scene.out)).to.deep.equal([]);
    expect(scene.order).to.deep.equal(["write pre-prepared", "say prepare"]);
  });

  it("a wrong body in answer is not taken, and the right one still is", () => {
    const scene = new Scene().prePrepareAlone(a);
    expect(scene.ordering.onBatchBody(b, scene.nowMs, scene.out), "wrong").to.equal(undefined);
    expect(scene.ordering.isBodyAwaited(a.digest), "still awaited").to.equal(true);
    expect(scene.ordering.onBatchBody(a, scene.nowMs, scene.out), "right").to.deep.equal([]);
    expect(scene.ordering.isBodyAwaited(a.digest), "no longer awaited").to.equal(false);
  });

  it("a repeated proposal with its body ends the wait too", () => {
    expect(new Scene().prePrepareAlone(a).forget().prePrepare(a).spoken).to.deep.equal(["prepare"]);
  });

  it("the body of what a quorum committed is executed, whatever was proposed here", () => {
    const scene = new Scene().prePrepareAlone(a).commits([0, 2, 3], b.digest);
    const decisions = scene.ordering.onBatchBody(b, scene.nowMs, scene.out);
    expect(decisions?.map(({ batch }) => batch.digest)).to.deep.equal([b.digest]);
  });

  it("nobody waits for the body of a number that was delivered", () => {
    const scene = new Scene().prePrepareAlone(a);
    scene.take(scene.ordering.onCommitted(entryOf(1, a), scene.out));
    expect(scene.ordering.onBatchBody(a, scene.nowMs, scene.out)).to.equal(undefined);
  });

  it("an accepted body is served by its digest, and by no other", () => {
    const { ordering } = new Scene().prePrepare(a);
    expect([ordering.batchAt(seqOf(1), a.digest), ordering.batchAt(seqOf(1), b.digest)]).to.deep.equal([
      a.batch,
      undefined,
    ]);
  });

  it("a body whose clients' signatures nobody has looked at is not served as one that was verified", () => {
    const scene = new Scene();
    scene.take(scene.ordering.onCommitted(entryOf(2, a), scene.out));
    expect(scene.ordering.batchAt(seqOf(2), a.digest)).to.equal(undefined);
  });

  it("an empty batch is refused", () => {
    const empty = composer.compose(timestampMs(1_000), []);
    const scene = new Scene().prePrepare(empty);
    expect([scene.order, scene.rejections]).to.deep.equal([[], ["pre-prepare.empty-batch"]]);
  });
});

describe("redundant messages are recognised before they are verified (protocol rule 13.1)", () => {
  const decided = (): Scene => new Scene().prePrepare(a).prepares([2], a.digest).commits([0, 2], a.digest);
  const table = [
    { name: "the accepted proposal", scene: new Scene().prePrepare(a), of: prePrepareOf(a.digest) },
    { name: "a proposal of a backup", scene: new Scene(), of: prePrepareOf(a.digest, 1, 2) },
    { name: "a proposal at its primary", scene: new Scene({ self: 0 }), of: prePrepareOf(a.digest) },
    {
      name: "a proposal that waits for its time",
      scene: new Scene().prePrepare(batchOf("t", 9e6)),
      of: prePrepareOf(batchOf("t", 9e6).digest),
    },
    { name: "a prepare of the primary", scene: new Scene(), of: prepareOf(0, a.digest) },
    { name: "the same prepare again", scene: new Scene().prepares([2], a.digest), of: prepareOf(2, a.digest) },
    {
      name: "a prepare of what is prepared",
      scene: new Scene().prePrepare(a).prepares([2], a.digest),
      of: prepareOf(3, a.digest),
    },
    { name: "a prepare of the primary above the window", scene: new Scene(), of: prepareOf(0, a.digest, 17) },
    { name: "the same commit again", scene: new Scene().commits([2], a.digest), of: commitOf(2, a.digest) },
    { name: "a commit of what is delivered", scene: decided(), of: commitOf(3, a.digest) },
    { name: "a vote below the window", scene: new Scene({ stable: 8 }), of: commitOf(3, a.digest, 8) },
  ];
  for (const { name, scene, of } of table)
    it(name, () => {
      expect(scene.ordering.isRedundant(of.from, of.message)).to.equal(true);
    });

  it("a vote for a number that was delivered beyond the window", () => {
    const { ordering } = new Scene({ stable: 0, executed: 30 });
    expect(ordering.isRedundant(commitOf(2, a.digest, 20).from, commitOf(2, a.digest, 20).message)).to.equal(true);
  });

  it("a proposal is held from when it is taken, whether with its body or without", () => {
    const { message } = prePrepareOf(a.digest);
    const other = prePrepareOf(b.digest).message;
    const isHeld = [new Scene(), new Scene().prePrepare(a), new Scene().prePrepareAlone(a)].map(({ ordering }) => [
      ordering.isProposalHeld(message),
      ordering.isProposalHeld(other),
    ]);
    expect(isHeld).to.deep.equal([
      [false, false],
      [true, false],
      [true, false],
    ]);
  });

  const needed = [
    { name: "the first proposal", scene: new Scene(), of: prePrepareOf(a.digest) },
    { name: "a proposal whose body is missing", scene: new Scene().prePrepareAlone(a), of: prePrepareOf(a.digest) },
    { name: "another proposal", scene: new Scene().prePrepare(a), of: prePrepareOf(b.digest) },
    { name: "another proposal for what is delivered", scene: decided(), of: prePrepareOf(b.digest) },
    { name: "another prepare", scene: new Scene().prepares([2], a.digest), of: prepareOf(2, b.digest) },
    {
      name: "another prepare for what is prepared",
      scene: new Scene().prePrepare(a).prepares([2], a.digest),
      of: prepareOf(2, b.digest),
    },
    {
      name: "the right prepare of one that had prepared otherwise",
      scene: new Scene().prePrepare(a).prepares([3], b.digest).prepares([2], a.digest),
      of: prepareOf(3, a.digest),
    },
    { name: "another commit", scene: new Scene().commits([2], a.digest), of: commitOf(2, b.digest) },
    { name: "another commit for what is delivered", scene: decided(), of: commitOf(2, b.digest) },
    {
      name: "the right commit of one that had committed otherwise",
      scene: decided().commits([3], b.digest),
      of: commitOf(3, a.digest),
    },
    { name: "a vote a little above the window", scene: new Scene(), of: commitOf(3, a.digest, 17) },
  ];
  for (const { name, scene, of } of needed)
    it(`but not ${name}`, () => {
      expect(scene.ordering.isRedundant(of.from, of.message)).to.equal(false);
    });
});

describe("restoring (protocol rule 8.2)", () => {
  const lack = { seq: seqOf(1), prePrepare: true, prepares: true, commits: true };

  for (const self of [0, 1])
    it(`replica ${self} says the same bytes after a restart as before`, () => {
      const before = new Scene({ self });
      if (self === 0) before.take(before.ordering.onClockWait(0, before.out)).request(a.requests[0]!);
      else before.prePrepare(a);
      before.prepares(self === 0 ? [1, 2] : [2], a.digest);
      const said = before.ordering.framesFor(lack);
      expect(said).to.have.length(self === 0 ? 2 : 3);
      const after = new Scene({ self });
      const prepares = (self === 0 ? [1, 2] : [1, 2]).map((id) => prepareOf(id, a.digest));
      after.ordering.restore({
        slots: [{ prePrepare: prePrepareOf(a.digest), batch: a, prepares }],
        prepared: [],
        voted: [],
      });
      expect([after.effects, after.ordering.framesFor(lack)]).to.deep.equal([[], said]);
    });

  it("a backup that had only accepted has its PREPARE of before for whoever lacks it", () => {
    const before = new Scene().prePrepare(a);
    const after = new Scene();
    after.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest), batch: a, prepares: undefined }],
      prepared: [],
      voted: [],
    });
    expect(after.ordering.framesFor(lack)).to.deep.equal(before.ordering.framesFor(lack)).and.have.length(2);
  });

  it("what was accepted before is not accepted otherwise after", () => {
    const scene = new Scene();
    scene.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest), batch: a, prepares: undefined }],
      prepared: [],
      voted: [],
    });
    scene.prePrepare(b);
    expect([scene.order, scene.of("evidence").length]).to.deep.equal([[], 1]);
  });

  it("what was prepared before is committed with the commits of others after", () => {
    const scene = new Scene();
    const prepares = [prepareOf(1, a.digest), prepareOf(2, a.digest)];
    scene.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest), batch: a, prepares }],
      prepared: [],
      voted: [],
    });
    expect(scene.commits([0, 2], a.digest).delivered).to.deep.equal([1]);
  });

  it("a primary proposes above what it had proposed", () => {
    const scene = new Scene({ self: 0 });
    scene.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest, 1), batch: a, prepares: undefined }],
      prepared: [],
      voted: [],
    });
    scene.request(b.requests[0]!);
    expect(
      scene.of("broadcast").map(({ frame }) => frame.type === "pre-prepare" && frame.envelope.message.seq),
    ).to.deep.equal([2]);
  });

  it("what a stable checkpoint covers is not put back", () => {
    const scene = new Scene({ stable: 8 });
    scene.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest, 8), batch: a, prepares: undefined }],
      prepared: [],
      voted: [],
    });
    expect(scene.ordering.framesFor({ ...lack, seq: seqOf(8) })).to.deep.equal([]);
  });
});
