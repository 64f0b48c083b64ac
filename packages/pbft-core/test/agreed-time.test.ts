import { expect } from "chai";
import { batchOf, entryOf, Scene } from "./builders.ts";

const early = batchOf("a", 1_000);
/** δ is 100 ms and the clock says 1000: 50 ms too far ahead. */
const ahead = batchOf("ahead", 1_150);

describe("agreed time (protocol rule 4.7)", () => {
  it("a proposal ahead by no more than the tolerance is accepted at once", () => {
    expect(new Scene().prePrepare(batchOf("a", 1_100)).spoken).to.deep.equal(["prepare"]);
  });

  it("a proposal further ahead waits, and the timer says how long", () => {
    const scene = new Scene().prePrepare(ahead);
    expect([scene.order, scene.of("start-timer").map(({ timer, afterMs }) => [timer, afterMs])]).to.deep.equal([
      [],
      [["clock-wait", 50]],
    ]);
  });

  it("the end of the timer ends the wait", () => {
    const scene = new Scene().prePrepare(ahead);
    scene.nowMs += 50;
    scene.take(scene.ordering.onClockWait(scene.nowMs, scene.out));
    expect(scene.spoken).to.deep.equal(["prepare"]);
  });

  it("a timer that fires early waits for the rest", () => {
    const scene = new Scene().prePrepare(ahead).forget();
    scene.nowMs += 20;
    scene.take(scene.ordering.onClockWait(scene.nowMs, scene.out));
    expect([scene.spoken, scene.of("start-timer")[0]?.afterMs]).to.deep.equal([[], 30]);
  });

  it("f+1 prepares for the digest end the wait, f do not", () => {
    const scene = new Scene().prePrepare(ahead).prepares([2], ahead.digest);
    expect(scene.spoken, "f").to.deep.equal([]);
    scene.prepares([3], ahead.digest);
    expect(scene.spoken, "f+1").to.deep.equal(["prepare", "commit"]);
  });

  it("prepares for another digest do not end the wait", () => {
    expect(new Scene().prePrepare(ahead).prepares([2, 3], early.digest).spoken).to.deep.equal([]);
  });

  it("a commit certificate ends the wait", () => {
    expect(new Scene().prePrepare(ahead).commits([0, 2, 3], ahead.digest).delivered).to.deep.equal([1]);
  });

  it("a certified entry ends the wait", () => {
    const scene = new Scene().prePrepare(ahead);
    expect(scene.take(scene.ordering.onCommitted(entryOf(1, ahead), scene.out)).delivered).to.deep.equal([1]);
  });

  it("a proposal of the distant past is never refused", () => {
    expect(new Scene().prePrepare(batchOf("a", 1)).spoken).to.deep.equal(["prepare"]);
  });

  it("of several that wait, the one that may be accepted first decides when to look again", () => {
    const scene = new Scene().prePrepare(ahead, 1).prePrepare(batchOf("later", 9_000), 2);
    expect(scene.of("start-timer").at(-1)?.afterMs).to.equal(50);
  });

  it("the next one to wait for is looked at when the first may go on", () => {
    const scene = new Scene().prePrepare(batchOf("later", 9_000), 2).prePrepare(ahead, 1).forget();
    scene.nowMs += 50;
    scene.take(scene.ordering.onClockWait(scene.nowMs, scene.out));
    expect([scene.spoken, scene.of("start-timer").at(-1)?.afterMs]).to.deep.equal([["prepare"], 7_850]);
  });

  it("a proposal from the end of time sets no timer that a platform would take for no time at all", () => {
    const scene = new Scene().prePrepare(batchOf("far", Number.MAX_SAFE_INTEGER));
    expect(scene.of("start-timer")[0]?.afterMs).to.be.within(1, 2 ** 31 - 1);
  });
});
