import { type ExecutionProgress, replicaId, sequenceNumber, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { batchOf, entryOf, nullBatch, prePrepareOf, prepareOf, proposalsIn, requestOf, seqOf } from "./builders.ts";
import { newViewOf, preparedOf, ViewScene } from "./view-scene.ts";

const a = batchOf("a");
const b = batchOf("b");
const nothing = nullBatch.digest;
const NO_PROGRESS: ExecutionProgress = { answered: [], sessions: [], evicted: [], lastCheckpoint: sequenceNumber(0) };

describe("leaving a view (OSDI'99 §4.4)", () => {
  it("a body that was asked for and comes after the view was left gets no vote in it", () => {
    const scene = new ViewScene().prePrepareAlone(a).prepares([2, 3], a.digest).leave().forget();
    scene.body(a);
    expect([scene.votes, scene.of("persist"), scene.ordering.preparedCertificates]).to.deep.equal([[], [], []]);
  });

  it("a proposal that waited for its time gets no vote after the view was left, though its timer had ended before", () => {
    const scene = new ViewScene().prePrepare(batchOf("a", 2_000)).leave().forget();
    scene.nowMs = 2_000;
    scene.take(scene.ordering.onClockWait(scene.nowMs, scene.out));
    expect([scene.votes, scene.of("persist")]).to.deep.equal([[], []]);
  });

  it("cancels the timer of what waited for its time", () => {
    const late = batchOf("a", 2_000);
    const scene = new ViewScene().prePrepare(late).leave();
    expect(scene.of("cancel-timer").map(({ timer }) => timer)).to.deep.equal(["clock-wait"]);
    expect(new ViewScene().leave().of("cancel-timer"), "nothing waited").to.deep.equal([]);
  });

  it("what a quorum committed before it was left is delivered when its body comes", () => {
    const scene = new ViewScene().prePrepareAlone(a).commits([0, 2, 3], a.digest).leave();
    expect(scene.body(a).delivered).to.deep.equal([1]);
  });

  it("votes of the view that was left are of the past, those of later views wait", () => {
    const { ordering } = new ViewScene().leave();
    const { message } = prepareOf(2, a.digest);
    expect(ordering.classify(message)).to.equal("view.past");
    expect(ordering.isRedundant(replicaId(2), message)).to.equal(true);
    expect(ordering.classify({ ...message, view: viewNumber(1) })).to.equal("future");
  });

  it("a certificate of what others decided is taken between two views, too", () => {
    const scene = new ViewScene().leave();
    expect(scene.take(scene.ordering.onCommitted(entryOf(1, a), scene.out)).delivered).to.deep.equal([1]);
  });

  it("a primary that has left its view proposes nothing more", () => {
    const scene = new ViewScene({ self: 0 }).leave();
    expect(scene.ordering.isPrimary).to.equal(false);
    expect(scene.request(requestOf(1))).to.equal("added");
    expect(scene.votes).to.deep.equal([]);
  });
});

describe("entering a view as a backup", () => {
  it("says PREPARE for each number that is proposed again, and writes the proposal before", () => {
    const scene = new ViewScene({ self: 2 }).prePrepare(a).prepares([1], a.digest).leave().forget();
    scene.enter(1, [a.digest]);
    expect(scene.votes).to.deep.equal(["prepare 1/1"]);
    expect(scene.order).to.deep.equal(["write pre-prepared", "say prepare"]);
  });

  it("orders the null batch in the gaps, whose body everyone has", () => {
    const scene = new ViewScene({ self: 2 }).enter(1, [nothing, nothing]);
    expect(scene.votes).to.deep.equal(["prepare 1/1", "prepare 1/2"]);
    scene.preparesHere([0], nothing, 1).commitsHere([0, 1], nothing, 1);
    expect(scene.delivered).to.deep.equal([1]);
    expect(scene.decisions[0]?.batch.requests).to.deep.equal([]);
  });

  it("takes no null batch that no NEW-VIEW proposed", () => {
    const scene = new ViewScene({ self: 2 }).enter(1).proposedIn(1, nullBatch);
    expect([scene.votes, scene.rejections]).to.deep.equal([[], ["pre-prepare.empty-batch"]]);
  });

  it("asks for a body that it does not hold, once, and votes when it comes", () => {
    const scene = new ViewScene({ self: 2 }).enter(1, [a.digest]);
    expect(scene.spoken).to.deep.equal(["fetch-batch"]);
    expect(scene.ordering.isBodyAwaited(a.digest)).to.equal(true);
    scene.proposedIn(1, b, 1);
    scene.forget().body(a);
    expect(scene.votes).to.deep.equal(["prepare 1/1"]);
  });

  it("a body that it had accepted without a prepared certificate is used again", () => {
    const scene = new ViewScene({ self: 2 }).prePrepare(a).leave().forget().enter(1, [a.digest]);
    expect(scene.spoken).to.deep.equal(["prepare"]);
  });

  it("a body that prepared two views ago is still here", () => {
    const scene = new ViewScene({ self: 3 }).prePrepare(a).prepares([1], a.digest).enter(1, [nothing]).forget();
    scene.enter(2, [a.digest]);
    expect(scene.spoken).to.deep.equal(["prepare"]);
  });

  it("a body that it voted for two views ago is still here, though nothing of it prepared, for itself and for others", () => {
    const scene = new ViewScene({ self: 3 }).prePrepare(a).enter(1, [nothing]).proposedIn(1, b, 2).enter(2).forget();
    expect(scene.ordering.batchAt(seqOf(1), a.digest)).to.equal(a.batch);
    expect(scene.ordering.batchAt(seqOf(2), b.digest)).to.equal(b.batch);
    expect([scene.ordering.batchAt(seqOf(2), a.digest), scene.ordering.batchAt(seqOf(3), b.digest)]).to.deep.equal([
      undefined,
      undefined,
    ]);
    scene.enter(4, [a.digest, b.digest]);
    expect(scene.spoken, "nothing is asked for").to.deep.equal(["prepare", "prepare"]);
  });

  it("a body that it did not vote for goes with its view, and one of a number that is delivered with the number", () => {
    const early = new ViewScene({ self: 3 }).prePrepare(batchOf("early", 2_000)).enter(1).enter(2);
    expect(early.ordering.batchAt(seqOf(1), batchOf("early", 2_000).digest)).to.equal(undefined);
    const delivered = new ViewScene({ self: 3 }).prePrepare(a).enter(1);
    delivered.take(delivered.ordering.onCommitted(entryOf(1, b), delivered.out));
    expect(delivered.ordering.batchAt(seqOf(1), a.digest)).to.equal(undefined);
  });

  it("the time of what is proposed again may be ahead: a quorum has vouched for it", () => {
    const late = batchOf("a", 100_000);
    const scene = new ViewScene({ self: 2 }).prePrepare(late).leave().enter(1, [late.digest]);
    expect(scene.votes).to.deep.equal(["prepare 1/1"]);
  });

  it("a number that is delivered is not voted for again, nor one that is decided and waits for its turn", () => {
    const scene = new ViewScene({ self: 2 });
    scene.take(scene.ordering.onCommitted(entryOf(1, a), scene.out));
    scene.take(scene.ordering.onCommitted(entryOf(3, b), scene.out));
    scene.forget().enter(1, [a.digest, nothing, b.digest]);
    expect(scene.votes).to.deep.equal(["prepare 1/2"]);
    expect(scene.spoken, "nor is anything asked for").to.deep.equal(["prepare"]);
    scene.preparesHere([0], nothing, 2).commitsHere([0, 1], nothing, 2);
    expect(scene.delivered).to.deep.equal([1, 2, 3]);
  });

  it("what its own stable checkpoint covers is skipped", () => {
    const scene = new ViewScene({ self: 2, stable: 2 }).enter(1, [a.digest, b.digest, nothing], 0);
    expect(scene.votes).to.deep.equal(["prepare 1/3"]);
  });

  it("votes of the view before count for nothing", () => {
    const scene = new ViewScene({ self: 2 }).prePrepare(a).prepares([1], a.digest).commits([0], a.digest);
    scene.enter(1, [a.digest]).commitsHere([1], a.digest);
    expect(scene.delivered, "two COMMITs of each view").to.deep.equal([]);
    scene.preparesHere([0], a.digest).commitsHere([0], a.digest);
    expect(scene.delivered).to.deep.equal([1]);
  });

  it("a proposal at a number of the NEW-VIEW that says otherwise is evidence", () => {
    const scene = new ViewScene({ self: 2 }).prePrepare(a).enter(1, [a.digest]).proposedIn(1, b);
    expect(scene.of("evidence").map(({ evidence }) => evidence.type)).to.deep.equal(["equivocation"]);
  });

  it("what prepared before stays claimed until it prepares again, then with the new view", () => {
    const scene = new ViewScene({ self: 2 }).prePrepare(a).prepares([1], a.digest).enter(1, [a.digest]);
    const views = (): number[] => scene.ordering.preparedCertificates.map(({ prePrepare }) => prePrepare.message.view);
    expect(views()).to.deep.equal([0]);
    scene.preparesHere([3], a.digest);
    expect(views()).to.deep.equal([1]);
  });

  it("views are entered upwards only, and never above the own stable checkpoint", () => {
    const scene = new ViewScene().enter(2);
    expect(() => scene.enter(2)).to.throw("ordering.view-moves-back");
    expect(() => scene.enter(3, [], 8)).to.throw("ordering.view-starts-above-window");
  });
});

describe("entering a view as its primary", () => {
  it("needs no PREPARE of its own: its PRE-PREPAREs went with the NEW-VIEW", () => {
    const scene = new ViewScene({ self: 1 }).prePrepare(a).leave().forget().enter(1, [a.digest]);
    expect([scene.votes, scene.order]).to.deep.equal([[], ["write pre-prepared"]]);
    scene.preparesHere([2, 3], a.digest);
    expect(scene.votes).to.deep.equal(["commit 1/1"]);
  });

  it("proposes what waits above all that the NEW-VIEW proposes", () => {
    const scene = new ViewScene({ self: 1 });
    scene.request(requestOf(1));
    scene.enter(1, [nothing]);
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([2]);
  });

  it("and above what it has delivered, when that is higher", () => {
    const scene = new ViewScene({ self: 1 });
    for (const seq of [1, 2, 3]) scene.take(scene.ordering.onCommitted(entryOf(seq, batchOf(`${seq}`)), scene.out));
    scene.request(requestOf(1));
    scene.enter(1, [nothing]);
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([4]);
  });

  it("loses no request that was accepted in the view before and is not in the NEW-VIEW", () => {
    const scene = new ViewScene({ self: 1 });
    scene.request(a.requests[0]!);
    scene.prePrepare(a).enter(1);
    expect(proposalsIn(scene.effects).map(({ seq, batch }) => [seq, batch.requests])).to.deep.equal([
      [1, [a.requests[0]!.request]],
    ]);
  });

  it("proposes no request a second time that the NEW-VIEW carries already", () => {
    const scene = new ViewScene({ self: 1 });
    scene.request(a.requests[0]!);
    scene.request(b.requests[0]!);
    scene.prePrepare(a).enter(1, [a.digest]);
    expect(proposalsIn(scene.effects).map(({ batch }) => batch.requests)).to.deep.equal([[b.requests[0]!.request]]);
  });

  it("fetches a body that it does not hold itself, and proposes on meanwhile", () => {
    const scene = new ViewScene({ self: 1 });
    scene.request(b.requests[0]!);
    scene.forget().enter(1, [a.digest]);
    expect(scene.spoken).to.deep.equal(["fetch-batch", "pre-prepare"]);
    scene.body(a).preparesHere([2, 3], a.digest);
    expect(scene.votes.filter((vote) => vote.startsWith("commit"))).to.deep.equal(["commit 1/1"]);
  });

  it("a primary of before is a backup, passes nothing through its own hands, and keeps what waits", () => {
    const scene = new ViewScene({ self: 0 });
    scene.request(requestOf(1));
    scene.leave().forget().enter(1);
    expect([scene.votes, scene.ordering.pendingCount]).to.deep.equal([[], 1]);
    expect([...scene.ordering.pendingRequests()]).to.deep.equal([requestOf(1).request]);
  });
});

describe("resuming after a restart", () => {
  it("orders what its view's NEW-VIEW proposes and it had not yet accepted", () => {
    const scene = new ViewScene({ self: 2 });
    scene
      .enter(1)
      .forget()
      .resume(newViewOf(1, 0, [nothing]));
    expect(scene.votes).to.deep.equal(["prepare 1/1"]);
  });

  it("takes the body from what had prepared", () => {
    const scene = new ViewScene({ self: 2 });
    scene.ordering.restore({ slots: [], prepared: [{ certificate: preparedOf(a.digest, 1, 0), batch: a }], voted: [] });
    scene
      .enter(1)
      .forget()
      .resume(newViewOf(1, 0, [a.digest]));
    expect(scene.votes).to.deep.equal(["prepare 1/1"]);
  });

  it("takes the body from what was voted for in any view before, above what is executed", () => {
    const scene = new ViewScene({ self: 2, executed: 1 });
    const voted = [1, 2].map((seq) => ({ view: viewNumber(0), seq: seqOf(seq), batch: seq === 1 ? b : a }));
    scene.ordering.restore({ slots: [], prepared: [], voted });
    scene
      .enter(3)
      .forget()
      .resume(newViewOf(3, 1, [a.digest]));
    expect(scene.votes).to.deep.equal(["prepare 3/2"]);
    expect(scene.ordering.batchAt(seqOf(1), b.digest)).to.equal(undefined);
  });

  it("on its way to another view it orders nothing", () => {
    const scene = new ViewScene({ self: 2 }).enter(1).leave().forget();
    scene.resume(newViewOf(1, 0, [nothing]));
    expect(scene.effects).to.deep.equal([]);
  });

  it("a number that had prepared has its clock from now on", () => {
    const scene = new ViewScene({ self: 2 });
    const prepares = [1, 2].map((id) => prepareOf(id, a.digest));
    scene.ordering.restore({
      slots: [{ prePrepare: prePrepareOf(a.digest), batch: a, prepares }],
      prepared: [],
      voted: [],
    });
    expect(scene.ordering.oldestWaitAtMs).to.equal(undefined);
    scene.nowMs = 5_000;
    expect(scene.resume().ordering.oldestWaitAtMs).to.equal(5_000);
  });

  it("a primary proposes above its NEW-VIEW", () => {
    const scene = new ViewScene({ self: 1, options: { pipelineDepthMax: 4 } }).enter(1).forget();
    scene.resume(newViewOf(1, 0, [nothing, nothing]));
    scene.request(requestOf(1));
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([3]);
  });

  it("claims what the log held of views before, above h only, the body until it is delivered", () => {
    const scene = new ViewScene({ self: 2, stable: 1, executed: 2 });
    scene.ordering.restore({
      slots: [],
      prepared: [
        { certificate: preparedOf(a.digest, 1, 1), batch: a },
        { certificate: preparedOf(a.digest, 2, 1), batch: a },
        { certificate: preparedOf(b.digest, 3, 0), batch: b },
      ],
      voted: [],
    });
    const claimed = scene.ordering.preparedCertificates.map(({ prePrepare: { message } }) => message.seq);
    expect(claimed).to.deep.equal([2, 3]);
    expect(scene.ordering.batchAt(seqOf(2), a.digest), "delivered: the history has it").to.equal(undefined);
    expect(scene.ordering.batchAt(seqOf(3), b.digest)).to.equal(b.batch);
  });
});

describe("what prepared (OSDI'99 §4.4, the set P)", () => {
  it("ascends by number, whatever the order in which it prepared", () => {
    const scene = new ViewScene();
    for (const [seq, batch] of [
      [2, b],
      [1, a],
    ] as const)
      scene.prePrepare(batch, seq).prepares([2], batch.digest, seq);
    expect(scene.ordering.preparedCertificates.map(({ prePrepare }) => prePrepare.message.seq)).to.deep.equal([1, 2]);
  });

  it("stays when it is delivered, and leaves with a stable checkpoint", () => {
    const scene = new ViewScene().prePrepare(a).prepares([2], a.digest).commits([0, 2], a.digest);
    scene.ordering.onExecuted(seqOf(1), a.requests, NO_PROGRESS, scene.nowMs, scene.out);
    expect(scene.ordering.preparedCertificates).to.have.length(1);
    scene.ordering.collectGarbage(seqOf(1), scene.nowMs, scene.out);
    expect(scene.ordering.preparedCertificates).to.deep.equal([]);
  });

  it("is served by digest while it is not delivered, in later views too", () => {
    const scene = new ViewScene().prePrepare(a).prepares([2], a.digest).enter(2, [nothing]);
    expect(scene.ordering.batchAt(seqOf(1), a.digest)).to.equal(a.batch);
    expect(scene.ordering.batchAt(seqOf(1), b.digest)).to.equal(undefined);
    expect(scene.ordering.batchAt(seqOf(2), a.digest)).to.equal(undefined);
  });

  it("holds a whole window, and of that what lies above h", () => {
    const scene = new ViewScene();
    for (let seq = 1; seq <= 16; seq++) {
      const batch = batchOf(`${seq}`);
      scene.prePrepare(batch, seq).prepares([2], batch.digest, seq);
      scene.take(scene.ordering.onCommitted(entryOf(seq, batch), scene.out));
    }
    expect(scene.ordering.preparedCertificates).to.have.length(16);
    scene.ordering.collectGarbage(seqOf(10), scene.nowMs, scene.out);
    expect(scene.take([]).ordering.preparedCertificates).to.have.length(6);
  });

  it("two digests that prepared at one place are our own bug, and so is a lower view after a higher", () => {
    const restored =
      (...certificates: ReturnType<typeof preparedOf>[]) =>
      () =>
        new ViewScene().ordering.restore({
          slots: [],
          prepared: certificates.map((certificate) => ({ certificate, batch: undefined })),
          voted: [],
        });
    expect(restored(preparedOf(a.digest, 1, 1), preparedOf(b.digest, 1, 1))).to.throw("prepared-set.two-digests");
    expect(restored(preparedOf(a.digest, 1, 1), preparedOf(a.digest, 1, 0))).to.throw("prepared-set.lower-view");
    expect(restored(preparedOf(a.digest, 1, 0), preparedOf(b.digest, 1, 1))).not.to.throw();
  });
});

describe("the last number of a view (protocol rule 7.6)", () => {
  const options = { rotateEveryBatches: 2 };

  it("is the last that its primary proposes, whatever waits", () => {
    const scene = new ViewScene({ self: 0, options: { ...options, pipelineDepthMax: 8 } });
    for (let client = 1; client <= 4; client++) scene.request(requestOf(client));
    expect(scene.votes).to.deep.equal(["pre-prepare 0/1", "pre-prepare 0/2"]);
  });

  it("is the last that a backup takes anything for", () => {
    const { ordering } = new ViewScene({ self: 1, options });
    const { message } = prepareOf(2, a.digest, 2);
    const above = { ...message, seq: seqOf(3) };
    expect([ordering.classify(message), ordering.classify(above)]).to.deep.equal(["current", "view.over"]);
    expect(ordering.isRedundant(replicaId(2), above)).to.equal(true);
    expect(ordering.classify({ ...above, view: viewNumber(1) })).to.equal("future");
  });

  it("is counted from behind what the NEW-VIEW proposes again: each primary has its own turn", () => {
    const scene = new ViewScene({ self: 1, options: { ...options, pipelineDepthMax: 8 } });
    for (let client = 1; client <= 8; client++) scene.request(requestOf(client));
    scene.leave().enter(1, [nothing, nothing, nothing]);
    expect(scene.ordering.lastOfView).to.equal(5);
    expect(scene.votes).to.deep.equal(["pre-prepare 1/4", "pre-prepare 1/5"]);
  });

  it("is the same after a restart", () => {
    const scene = new ViewScene({ self: 2, view: 1, executed: 4, options });
    expect(scene.ordering.lastOfView, "not known yet").to.equal(Number.MAX_SAFE_INTEGER);
    scene.resume(newViewOf(1, 0, [nothing, nothing, nothing]));
    expect(scene.ordering.lastOfView).to.equal(5);
  });

  it("is not reached where genesis lets a view last", () => {
    expect(new ViewScene().ordering.lastOfView).to.equal(Number.MAX_SAFE_INTEGER);
  });
});
