import { type SequenceNumber, timestampMs, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { batchOf, composer, nullBatch, proposalsIn, requestOf, Scene, seqOf } from "./builders.ts";

const a = batchOf("a");
const none = seqOf(0);

function allow(scene: Scene, accepts: SequenceNumber, proposes: SequenceNumber = none): Scene {
  return scene.take(scene.ordering.onNullBatches({ accepts, proposes }, scene.nowMs, scene.out));
}

describe("null batches for a member that lost its disk (protocol rule 8.5)", () => {
  it("are accepted up to the number that it waits for, and no further", () => {
    const scene = allow(new Scene(), seqOf(2));
    for (const seq of [1, 2, 3]) scene.prePrepare(nullBatch, seq);
    expect(scene.spoken).to.deep.equal(["prepare", "prepare"]);
    expect(scene.rejections).to.deep.equal(["pre-prepare.empty-batch"]);
  });

  it("are accepted when the member's word comes after the proposal", () => {
    const scene = new Scene().prePrepare(nullBatch).forget();
    allow(scene, seqOf(1));
    expect(scene.order).to.deep.equal(["write pre-prepared", "say prepare"]);
  });

  it("are no empty batches with a time of their own", () => {
    const empty = composer.compose(timestampMs(1_000), []);
    const scene = allow(new Scene(), seqOf(8)).prePrepare(empty);
    expect([scene.order, scene.rejections]).to.deep.equal([[], ["pre-prepare.empty-batch"]]);
  });

  it("are proposed one after the other while there is nothing else, and leave requests a place", () => {
    const scene = allow(new Scene({ self: 0, options: { pipelineDepthMax: 2 } }), seqOf(3), seqOf(3));
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([1]);
    scene.request(requestOf(1));
    expect(proposalsIn(scene.effects).map(({ batch }) => batch.requests.length)).to.deep.equal([0, 1]);
    const [, second] = proposalsIn(scene.effects);
    const digest = composer.compose(second!.batch.timestampMs, [requestOf(1)]).digest;
    scene.prepares([1, 2], nullBatch.digest).commits([1, 2], nullBatch.digest);
    scene.prepares([1, 2], digest, 2).commits([1, 2], digest, 2);
    scene.nowMs += 50;
    allow(scene, seqOf(3), seqOf(3));
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([1, 2, 3]);
    scene.prepares([1, 2], nullBatch.digest, 3).commits([1, 2], nullBatch.digest, 3);
    allow(scene, seqOf(3), seqOf(3));
    expect(proposalsIn(scene.effects), "none above").to.have.length(3);
    expect(scene.delivered).to.deep.equal([1, 2, 3]);
  });

  /** A primary that has proposed a null batch and, at the same time, a request; both are decided after `laterMs`. */
  function served(laterMs: number): Scene {
    const scene = allow(new Scene({ self: 0, options: { pipelineDepthMax: 2 } }), seqOf(9), seqOf(9));
    scene.request(requestOf(1));
    const [, second] = proposalsIn(scene.effects);
    const { digest } = composer.compose(second!.batch.timestampMs, [requestOf(1)]);
    scene.nowMs += laterMs;
    scene.prepares([1, 2], nullBatch.digest).commits([1, 2], nullBatch.digest);
    scene.prepares([1, 2], digest, 2).commits([1, 2], digest, 2);
    return allow(scene, seqOf(9), seqOf(9));
  }
  const sizes = (scene: Scene): number[] => proposalsIn(scene.effects).map(({ batch }) => batch.requests.length);
  const timers = (scene: Scene): unknown[] => scene.of("start-timer").map(({ timer, afterMs }) => [timer, afterMs]);
  const due = (scene: Scene): void => scene.ordering.onNullBatchDue(scene.nowMs, scene.out);

  it("are few while requests come, and follow each other again in the first longer pause", () => {
    const scene = served(10);
    expect([sizes(scene), timers(scene)]).to.deep.equal([[0, 1], [["null-batch", 40]]]);
    scene.nowMs += 40;
    due(scene);
    expect(sizes(scene)).to.deep.equal([0, 1, 0]);
    scene.prepares([1, 2], nullBatch.digest, 3).commits([1, 2], nullBatch.digest, 3);
    scene.nowMs += 10;
    allow(scene, seqOf(9), seqOf(9));
    expect([sizes(scene), timers(scene).length], "nobody asked for anything meanwhile").to.deep.equal([
      [0, 1, 0, 0],
      1,
    ]);
  });

  it("wait no longer than that when the clock is set back", () => {
    const scene = served(-1_000_000);
    expect([sizes(scene), timers(scene)]).to.deep.equal([[0, 1], [["null-batch", 50]]]);
    due(scene);
    expect(sizes(scene)).to.deep.equal([0, 1, 0]);
  });

  it("are proposed by nobody but the primary", () => {
    const scene = allow(new Scene({ self: 1 }), seqOf(3), seqOf(3));
    expect(scene.effects).to.deep.equal([]);
  });
});

describe("a mute replica (protocol rule 8.5)", () => {
  const mute = (self = 1): Scene => new Scene({ self, options: { isMute: true } });

  it("votes for nothing, and takes what a quorum of others decides", () => {
    const scene = mute().prePrepare(a).prepares([2, 3], a.digest);
    expect(scene.order).to.deep.equal([]);
    scene.commits([0, 2], a.digest);
    expect(scene.delivered).to.deep.equal([]);
    scene.commits([3], a.digest);
    expect(scene.delivered).to.deep.equal([1]);
    expect(scene.order).to.deep.equal([]);
  });

  it("proposes nothing as primary", () => {
    const scene = mute(0);
    scene.request(requestOf(1));
    expect([scene.ordering.isPrimary, scene.effects]).to.deep.equal([false, []]);
  });

  it("lacks bodies and what decides, not votes that it could only join", () => {
    const scene = mute().prePrepare(a).prePrepareAlone(batchOf("b"), 2);
    expect(scene.ordering.lacks(seqOf(2))).to.deep.equal([
      { seq: 1, prePrepare: false, prepares: false, commits: true },
      { seq: 2, prePrepare: true, prepares: false, commits: true },
    ]);
  });

  it("votes, once it may, for what it has taken note of", () => {
    const scene = mute().prePrepare(a).prepares([2], a.digest);
    scene.take(scene.ordering.unmute(scene.nowMs, scene.out));
    expect(scene.order).to.deep.equal(["write pre-prepared", "say prepare", "write prepared", "say commit"]);
    expect(scene.ordering.view).to.equal(viewNumber(0));
  });
});
