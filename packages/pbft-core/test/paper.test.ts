import { faultThreshold, quorumSize } from "@quorate/protocol";
import { expect } from "chai";
import {
  batchOf,
  checkpointOf,
  commitOf,
  membersOf,
  prePrepareOf,
  prepareOf,
  proposalsIn,
  requestOf,
  Scene,
  seqOf,
} from "./builders.ts";

const a = batchOf("a");
const b = batchOf("b");

/** The numbers of replicas 0 … n-1 that back up replica 0, without this one. */
const backupsBut = (self: number, n: number): number[] =>
  Array.from({ length: n }, (_, id) => id).filter((id) => id !== 0 && id !== self);

describe("Ordering and the sentences of OSDI'99 §4.2", () => {
  it("the primary assigns a sequence number and multicasts a pre-prepare with the request to all backups", () => {
    const scene = new Scene({ self: 0 });
    scene.request(requestOf(1));
    expect(proposalsIn(scene.effects).map(({ seq, batch }) => [seq, batch.requests])).to.deep.equal([
      [1, [requestOf(1).request]],
    ]);
  });

  it("a backup assigns no sequence number to what clients send", () => {
    const scene = new Scene();
    scene.request(requestOf(1));
    expect(scene.spoken).to.deep.equal([]);
  });

  it("a backup accepts a pre-prepare from the primary of its view only", () => {
    const scene = new Scene();
    scene.take(scene.ordering.onPrePrepare(prePrepareOf(a.digest, 1, 2), a, scene.nowMs, scene.out));
    expect([scene.spoken, scene.rejections]).to.deep.equal([[], ["pre-prepare.not-from-primary"]]);
  });

  it("a pre-prepare counts only in the view that the backup is in", () => {
    const { ordering } = new Scene();
    const { message } = prePrepareOf(a.digest);
    expect(ordering.classify({ ...message, view: 1 as typeof message.view })).to.equal("future");
  });

  it("a backup accepts no second pre-prepare for the same view and number with another digest", () => {
    const scene = new Scene().prePrepare(a).forget().prePrepare(b);
    expect([scene.spoken, scene.of("persist")]).to.deep.equal([[], []]);
  });

  it("the number of a pre-prepare lies between the low and the high watermark", () => {
    const { ordering } = new Scene({ stable: 8 });
    const standings = [8, 9, 24, 25].map((seq) => ordering.classify(prePrepareOf(a.digest, seq).message));
    expect(standings).to.deep.equal(["window.below", "current", "current", "future"]);
  });

  it("a backup that accepts the pre-prepare enters the prepare phase by multicasting a prepare", () => {
    const scene = new Scene().prePrepare(a);
    expect(scene.of("broadcast").map(({ frame }) => frame)).to.deep.equal([
      { type: "signed", envelope: prepareOf(1, a.digest) },
    ]);
  });

  it("the primary sends no prepare for its own proposal", () => {
    const scene = new Scene({ self: 0 });
    scene.request(requestOf(1));
    expect(scene.spoken).to.deep.equal(["pre-prepare"]);
  });

  it("a prepare of the primary counts for nothing", () => {
    const scene = new Scene().prePrepare(a).prepares([0], a.digest);
    expect([scene.spoken, scene.rejections]).to.deep.equal([["prepare"], ["prepare.from-primary"]]);
  });

  it("prepares are accepted before the pre-prepare that they match", () => {
    const scene = new Scene().prepares([2], a.digest).prePrepare(a);
    expect(scene.spoken).to.deep.equal(["prepare", "commit"]);
  });

  it("without the pre-prepare, no number of prepares makes anything prepared", () => {
    const scene = new Scene().prepares([1, 2, 3], a.digest);
    expect([scene.order, scene.decisions]).to.deep.equal([[], []]);
  });

  it("prepares that do not match the pre-prepare's digest do not make it prepared", () => {
    const scene = new Scene().prePrepare(a).prepares([2, 3], b.digest);
    expect(scene.spoken).to.deep.equal(["prepare"]);
  });

  it("when prepared, a replica multicasts a commit", () => {
    const scene = new Scene().prePrepare(a).forget().prepares([2], a.digest);
    expect(scene.of("broadcast").map(({ frame }) => frame)).to.deep.equal([
      { type: "signed", envelope: commitOf(1, a.digest) },
    ]);
  });

  it("committed-local needs the batch to be prepared and a quorum of commits, the own one included", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([0], a.digest);
    expect(scene.delivered, "own and one other").to.deep.equal([]);
    scene.commits([2], a.digest);
    expect(scene.delivered, "own and two others").to.deep.equal([1]);
  });

  it("commits that do not match are not counted together", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([0], b.digest).commits([2], a.digest);
    expect(scene.delivered).to.deep.equal([]);
  });

  it("a replica executes in the order of the numbers, though they commit out of order", () => {
    const scene = new Scene();
    for (const [seq, batch] of [
      [1, a],
      [2, b],
    ] as const)
      scene.prePrepare(batch, seq).prepares([2], batch.digest, seq);
    scene.commits([0, 2], b.digest, 2);
    expect(scene.delivered).to.deep.equal([]);
    scene.commits([0, 2], a.digest, 1);
    expect(scene.delivered).to.deep.equal([1, 2]);
  });

  it("a number is delivered once, however many commits come", () => {
    const scene = new Scene().prePrepare(a).prepares([2, 3], a.digest).commits([0, 2, 3], a.digest).prePrepare(a);
    expect(scene.delivered).to.deep.equal([1]);
  });

  it("§4.3: a stable checkpoint discards messages at or below it and moves both watermarks", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([0, 2], a.digest);
    scene.ordering.collectGarbage(seqOf(1), scene.nowMs, scene.out);
    const { lowWatermark, highWatermark } = scene.ordering;
    const frames = scene.ordering.framesFor({ seq: seqOf(1), prePrepare: true, prepares: true, commits: true });
    expect([lowWatermark, highWatermark, frames]).to.deep.equal([1, 17, []]);
    expect(checkpointOf(0, "x", 8).message.seq).to.equal(8);
  });
});

describe("Ordering with n replicas", () => {
  const table = [
    { n: 4, f: 1, q: 3 },
    { n: 5, f: 1, q: 4 },
    { n: 6, f: 1, q: 4 },
    { n: 7, f: 2, q: 5 },
  ];
  for (const { n, f, q } of table) {
    it(`n = ${n}: f = ${f} and a quorum is ${q}`, () => {
      expect([faultThreshold(membersOf(n)), quorumSize(membersOf(n))]).to.deep.equal([f, q]);
    });

    it(`n = ${n}: prepared at the ${q - 1}th prepare of a backup and not before`, () => {
      const scene = new Scene({ n }).prePrepare(a);
      const others = backupsBut(1, n);
      scene.prepares(others.slice(0, q - 3), a.digest);
      expect(scene.spoken, `${q - 2} prepares`).to.deep.equal(["prepare"]);
      scene.prepares(others.slice(q - 3, q - 2), a.digest);
      expect(scene.spoken, `${q - 1} prepares`).to.deep.equal(["prepare", "commit"]);
    });

    it(`n = ${n}: committed at the ${q}th commit and not before`, () => {
      const scene = new Scene({ n }).prePrepare(a).prepares(backupsBut(1, n).slice(0, q - 2), a.digest);
      scene.commits(backupsBut(1, n).slice(0, q - 2), a.digest);
      expect(scene.delivered, `${q - 1} commits`).to.deep.equal([]);
      scene.commits([0], a.digest);
      expect(scene.delivered, `${q} commits`).to.deep.equal([1]);
      expect(scene.decisions[0]?.certificate.signatures.map(({ from }) => from)).to.deep.equal(
        Array.from({ length: q }, (_, id) => id).slice(0, q),
      );
    });
  }

  it("n = 5: with 2f+1 = 3 two correct halves would decide differently; with 4 neither decides", () => {
    // The primary 0 is faulty: it proposes a to {1, 2} and b to {3, 4} and commits to both.
    const halves = [
      { self: 1, peer: 2, batch: a },
      { self: 3, peer: 4, batch: b },
    ];
    for (const { self, peer, batch } of halves) {
      const scene = new Scene({ self, n: 5 }).prePrepare(batch).prepares([peer], batch.digest);
      scene.commits([0, peer], batch.digest);
      const smaller = 2 * faultThreshold(membersOf(5)) + 1;
      const votes = 1 + [0, peer].length;
      expect(votes, "what each half can gather would be enough for the smaller quorum").to.equal(smaller);
      expect(scene.delivered, `half of ${self}`).to.deep.equal([]);
    }
  });
});
