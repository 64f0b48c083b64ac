import { STATUS_LACKS_MAX } from "@quorate/protocol";
import { expect } from "chai";
import { batchOf, commitOf, entryOf, prePrepareOf, prepareOf, requestOf, Scene, seqOf } from "./builders.ts";

const a = batchOf("a");

describe("the window of Ordering", () => {
  it("refuses to make a place outside of it", () => {
    expect(() => new Scene().prePrepare(a, 17)).to.throw("window.outside");
    expect(() => new Scene({ stable: 8 }).prePrepare(a, 8)).to.throw("window.outside");
  });

  it("delivers certified entries in order, those beyond the window too", () => {
    const scene = new Scene();
    const take = (seq: number): unknown =>
      scene.take(scene.ordering.onCommitted(entryOf(seq, batchOf(`${seq}`)), scene.out));
    take(2);
    expect(scene.delivered).to.deep.equal([]);
    for (let seq = 18; seq >= 3; seq--) take(seq);
    take(1);
    expect(scene.delivered).to.deep.equal(Array.from({ length: 18 }, (_, i) => i + 1));
  });

  it("takes a certified entry twice as one", () => {
    const scene = new Scene();
    const entry = entryOf(1, a);
    scene.take(scene.ordering.onCommitted(entry, scene.out)).take(scene.ordering.onCommitted(entry, scene.out));
    expect([scene.delivered, scene.of("archive").length]).to.deep.equal([[1], 1]);
  });

  it("archives each decision with a certificate of q signatures before it is handed out", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest).commits([0, 2, 3], a.digest);
    const [archived] = scene.of("archive");
    expect([archived?.seq, archived?.entry.batch, archived?.entry.certificate.signatures.length]).to.deep.equal([
      1,
      a.batch,
      3,
    ]);
  });

  it("starts where filling a gap has executed beyond the window before a crash", () => {
    const scene = new Scene({ stable: 0, executed: 30 });
    expect(() => scene.ordering.checkInvariants()).not.to.throw();
  });

  it("a primary that has executed beyond its window proposes nothing until the window follows", () => {
    const scene = new Scene({ self: 0, stable: 0, executed: 30 });
    scene.request(requestOf(1));
    expect(scene.spoken).to.deep.equal([]);
    scene.ordering.collectGarbage(seqOf(24), scene.nowMs, scene.out);
    scene.ordering.checkInvariants();
    expect(
      scene.of("broadcast").map(({ frame }) => frame.type === "pre-prepare" && frame.envelope.message.seq),
    ).to.deep.equal([31]);
  });

  it("says of each number up to the one asked for what it lacks", () => {
    const scene = new Scene().prePrepare(a, 2).prepares([2], a.digest, 2);
    expect(scene.ordering.lacks(seqOf(3))).to.deep.equal([
      { seq: 1, prePrepare: true, prepares: true, commits: true },
      { seq: 2, prePrepare: false, prepares: false, commits: true },
      { seq: 3, prePrepare: true, prepares: true, commits: true },
    ]);
  });

  it("never lists more lacks than a status carries, nor any beyond the window", () => {
    const wide = new Scene({ options: { windowSize: 200 } }).ordering.lacks(seqOf(200));
    expect([wide.length, new Scene().ordering.lacks(seqOf(200)).length]).to.deep.equal([STATUS_LACKS_MAX, 16]);
  });

  it("answers a lack with the very messages of before, and nothing for what it did not accept", () => {
    const scene = new Scene().prePrepare(a).prepares([2, 3], a.digest).prepares([2], a.digest, 2);
    const all = { prePrepare: true, prepares: true, commits: true };
    expect(scene.ordering.framesFor({ seq: seqOf(1), ...all })).to.deep.equal([
      { type: "pre-prepare", envelope: prePrepareOf(a.digest), batch: a.batch },
      { type: "signed", envelope: prepareOf(1, a.digest) },
      { type: "signed", envelope: commitOf(1, a.digest) },
    ]);
    expect(scene.ordering.framesFor({ seq: seqOf(2), ...all })).to.deep.equal([]);
  });

  it("answers a lack only with what is lacking", () => {
    const scene = new Scene().prePrepare(a).prepares([2], a.digest);
    const frames = scene.ordering.framesFor({ seq: seqOf(1), prePrepare: false, prepares: false, commits: true });
    expect(frames).to.deep.equal([{ type: "signed", envelope: commitOf(1, a.digest) }]);
  });

  it("answers a lack of a number that is decided and waits for its turn with the certified entry", () => {
    const scene = new Scene();
    const entry = entryOf(2, a);
    scene.take(scene.ordering.onCommitted(entry, scene.out));
    const frames = scene.ordering.framesFor({ seq: seqOf(2), prePrepare: true, prepares: true, commits: true });
    expect(frames).to.deep.equal([{ type: "committed", entry: { batch: a.batch, certificate: entry.certificate } }]);
  });

  it("h moves neither back nor above what was delivered", () => {
    const { ordering, nowMs, out } = new Scene({ stable: 8 });
    expect(() => ordering.collectGarbage(seqOf(7), nowMs, out)).to.throw("window.moved-back");
    expect(() => ordering.collectGarbage(seqOf(9), nowMs, out)).to.throw("window.stable-above-delivered");
  });
});
