import { RequestQueue } from "@quorate/pbft-core";
import {
  type ExecutionProgress,
  type RequestStanding,
  requestNumber,
  sessionId,
  type VerifiedRequest,
} from "@quorate/protocol";
import { expect } from "chai";
import { batchOf, clientOf, digestOf, orderOf, registrationOf, requestOf, seqOf } from "./builders.ts";
import { ViewScene } from "./view-scene.ts";

const executable: RequestStanding = { type: "executable" };
const WIDE = { batchRequestsMax: 100, batchBytesMax: 1_000_000, batchOperationsMax: 1_000 };
/** Of the default session of the builders. */
const session = { client: clientOf().publicKey, session: sessionId(digestOf("session")) };

function progressOf(
  answered: readonly VerifiedRequest[],
  {
    expected,
    evicted = [],
    lastCheckpoint = seqOf(0),
  }: { readonly expected?: number } & Partial<Pick<ExecutionProgress, "evicted" | "lastCheckpoint">> = {},
): ExecutionProgress {
  const sessions = expected === undefined ? [] : [{ ...session, expected: requestNumber(expected) }];
  return { answered: answered.map(({ digest }) => digest), sessions, evicted, lastCheckpoint };
}

/** A backup's queue, told the time. */
class Clocked {
  readonly queue: RequestQueue;

  constructor(clockedMax = 100) {
    this.queue = new RequestQueue({ pendingMax: 100, pendingPerClientMax: 100, pendingBytesMax: 10_000, clockedMax });
  }
  add(request: VerifiedRequest, atMs: number, standing = executable): string {
    return this.queue.add(request, standing, atMs, false);
  }
  /** @returns how long each of those had waited that leave and had a clock. */
  executed(
    seq: number,
    atMs: number,
    progress: ExecutionProgress,
    requests: readonly VerifiedRequest[] = [],
  ): number[] {
    return this.queue.onExecuted(seqOf(seq), requests, progress, atMs).map(({ sinceMs }) => atMs - sinceMs);
  }
  get oldest(): number | undefined {
    return this.queue.oldestAtMs;
  }
}

describe("which requests have a clock (protocol rule 7.4)", () => {
  it("one whose turn it is, from when it came, however often it is asked again", () => {
    const clocked = new Clocked();
    expect(clocked.oldest).to.equal(undefined);
    clocked.add(requestOf(1), 10);
    clocked.add(requestOf(1), 20);
    expect(clocked.oldest).to.equal(10);
  });

  it("not one of which a lower number is missing; its clock starts when its turn has come", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(2), 10, { type: "ahead", expected: requestNumber(1) });
    expect(clocked.oldest).to.equal(undefined);
    clocked.executed(1, 30, progressOf([requestOf(1)], { expected: 2 }));
    expect(clocked.oldest).to.equal(30);
  });

  it("all numbers of a session that follow without a gap", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(2), 10, { type: "ahead", expected: requestNumber(1) });
    clocked.add(requestOf(1), 20);
    expect(clocked.queue.waitingSince(20, 9)).to.deep.equal([requestOf(1).request, requestOf(2).request]);
  });

  it("not what would only be refused, nor what has its answer", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(1), 10, { type: "refusable" });
    clocked.add(requestOf(1, { session: "another" }), 10, { type: "answered" });
    expect([clocked.oldest, clocked.queue.size]).to.deep.equal([undefined, 1]);
  });

  it("one of a session that was not known yet, once it is asked again and the session is (seed 1789)", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(2), 10, { type: "refusable" });
    clocked.executed(1, 20, progressOf([registrationOf("nonce")]));
    clocked.add(requestOf(2), 30, { type: "ahead", expected: requestNumber(1) });
    expect(clocked.oldest, "its turn has not come").to.equal(undefined);
    clocked.add(requestOf(1), 40);
    expect(clocked.queue.waitingSince(40, 9)).to.deep.equal([requestOf(1).request, requestOf(2).request]);
    clocked.add(requestOf(1, { session: "lost" }), 50, { type: "refusable" });
    clocked.add(requestOf(1, { session: "lost" }), 60, { type: "answer-lost" });
    expect(clocked.queue.waitingSince(60, 9)).to.have.length(3);
  });

  it("an answer that is to be made again", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(1), 10, { type: "answer-lost" });
    expect(clocked.oldest).to.equal(10);
  });

  it("a registration until it is too late, and never again", () => {
    const clocked = new Clocked();
    const registration = registrationOf("nonce");
    clocked.add(registration, 10);
    clocked.executed(99, 20, progressOf([]));
    expect(clocked.oldest, "valid up to 100").to.equal(10);
    clocked.executed(100, 30, progressOf([]));
    expect(clocked.oldest).to.equal(undefined);
    clocked.add(registration, 40);
    clocked.queue.onNewView(50);
    expect(clocked.oldest).to.equal(undefined);
  });

  it("an ordered checkpoint until there is one above its number, whoever ordered that, and never again", () => {
    const clocked = new Clocked();
    const order = orderOf(5);
    clocked.add(order, 10);
    clocked.executed(6, 20, progressOf([], { lastCheckpoint: seqOf(5) }));
    expect(clocked.oldest, "the last one is not above 5").to.equal(10);
    clocked.executed(7, 30, progressOf([], { lastCheckpoint: seqOf(7) }));
    expect(clocked.oldest).to.equal(undefined);
    clocked.add(order, 40);
    clocked.queue.onNewView(50);
    expect(clocked.oldest).to.equal(undefined);
  });

  it("an ordered checkpoint that came too soon, once it would not be refused any more", () => {
    const clocked = new Clocked();
    clocked.add(orderOf(5), 10, { type: "refusable" });
    expect(clocked.oldest).to.equal(undefined);
    clocked.add(orderOf(5), 20);
    expect(clocked.oldest).to.equal(20);
  });

  it("those of a session end when it is evicted, and never start again; another's go on", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(1), 10);
    clocked.add(requestOf(1, { client: "other" }), 15);
    clocked.executed(1, 20, progressOf([], { evicted: [session] }));
    expect(clocked.oldest).to.equal(15);
    clocked.add(requestOf(1), 30);
    clocked.queue.onNewView(40);
    expect(clocked.queue.waitingSince(100, 9)).to.deep.equal([requestOf(1, { client: "other" }).request]);
  });

  it("the clock of what is executed ends, and says how long each had waited", () => {
    const clocked = new Clocked();
    const [first, second] = [requestOf(1), requestOf(1, { session: "another" })];
    clocked.add(first, 10);
    clocked.add(second, 25);
    expect(clocked.executed(1, 40, progressOf([first, second]), [first, second])).to.deep.equal([30, 15]);
    expect(clocked.oldest).to.equal(undefined);
    expect(clocked.executed(2, 90, progressOf([requestOf(5)])), "unknown here").to.deep.equal([]);
  });

  it("what was ordered without effect keeps its clock", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(1), 10);
    clocked.queue.take(seqOf(1), WIDE, 20);
    clocked.executed(1, 30, progressOf([]), [requestOf(1)]);
    expect(clocked.oldest).to.equal(10);
  });

  it("on entering a view every clock starts anew, in the order of before", () => {
    const clocked = new Clocked();
    clocked.add(requestOf(1), 10);
    clocked.add(requestOf(1, { session: "another" }), 20);
    clocked.queue.onNewView(100);
    expect([clocked.oldest, clocked.queue.waitingSince(99, 9)]).to.deep.equal([100, []]);
    expect(clocked.queue.waitingSince(100, 1)).to.deep.equal([requestOf(1).request]);
  });
});

describe("how many requests have a clock", () => {
  const other = requestOf(1, { session: "another" });

  it("a backup takes on no more than it can watch, but what it need not watch", () => {
    const clocked = new Clocked(1);
    expect(clocked.add(requestOf(1), 10)).to.equal("added");
    expect(clocked.add(other, 10)).to.equal("full");
    expect(clocked.add(other, 10, { type: "refusable" })).to.equal("added");
  });

  it("a primary, whom nobody watches by its own clocks, takes on more", () => {
    const { queue } = new Clocked(1);
    expect([queue.add(requestOf(1), executable, 10), queue.add(other, executable, 20)]).to.deep.equal([
      "added",
      "added",
    ]);
    expect(queue.waitingSince(100, 9)).to.deep.equal([requestOf(1).request]);
  });

  it("one whose turn came when there was no clock left has one when it is asked again", () => {
    const clocked = new Clocked(1);
    clocked.add(requestOf(2), 10, { type: "ahead", expected: requestNumber(1) });
    clocked.add(other, 10);
    clocked.executed(1, 20, progressOf([requestOf(1)], { expected: 2 }));
    expect(clocked.add(requestOf(2), 25), "no room").to.equal("known");
    expect(clocked.executed(2, 30, progressOf([other]))).to.deep.equal([20]);
    expect(clocked.oldest).to.equal(undefined);
    expect(clocked.add(requestOf(2), 40)).to.equal("known");
    expect(clocked.oldest).to.equal(40);
  });
});

describe("numbers that prepared and are not executed (protocol rule 7.4)", () => {
  const batch = batchOf();

  it("have a clock from when they prepared until they are executed, which says how long it ran", () => {
    const scene = new ViewScene();
    scene.prePrepare(batch);
    expect(scene.ordering.oldestWaitAtMs, "only accepted").to.equal(undefined);
    scene.nowMs = 1_500;
    scene.prepares([2], batch.digest);
    expect(scene.ordering.oldestWaitAtMs).to.equal(1_500);
    scene.nowMs = 2_000;
    scene.commits([0, 2], batch.digest);
    expect(scene.ordering.oldestWaitAtMs, "delivered").to.equal(1_500);
    const { waitedMs, isOrderedHere } = scene.ordering.onExecuted(seqOf(1), [], progressOf([]), scene.nowMs, scene.out);
    expect([scene.ordering.oldestWaitAtMs, waitedMs, isOrderedHere]).to.deep.equal([undefined, 500, true]);
  });

  it("the oldest of them and of the requests counts", () => {
    const scene = new ViewScene();
    const waiting = requestOf(1, { session: "waits" });
    scene.request(waiting);
    scene.nowMs = 1_500;
    scene.prePrepare(batch).prepares([2], batch.digest);
    expect(scene.ordering.oldestWaitAtMs).to.equal(1_000);
    const waits = scene.ordering.onExecuted(seqOf(2), [], progressOf([waiting]), scene.nowMs, scene.out);
    expect(scene.ordering.oldestWaitAtMs).to.equal(1_500);
    expect([waits.waitedMs, waits.isOrderedHere], "it did not prepare here").to.deep.equal([500, false]);
    expect(waits.served).to.deep.equal([{ client: waiting.request.client, sinceMs: 1_000 }]);
  });

  it("begin again in the next view, only when they prepare in it", () => {
    const scene = new ViewScene({ self: 2 });
    scene.prePrepare(batch).prepares([1], batch.digest);
    scene.nowMs = 3_000;
    scene.enter(1, [batch.digest]);
    expect(scene.ordering.oldestWaitAtMs).to.equal(undefined);
    scene.preparesHere([3], batch.digest);
    expect(scene.ordering.oldestWaitAtMs).to.equal(3_000);
  });
});
