import { RequestQueue } from "@quorate/pbft-core";
import {
  BATCH_RECONFIGURATIONS_MAX,
  type Digest,
  type ExecutionProgress,
  type RequestStanding,
  requestNumber,
  type SequenceNumber,
  sessionId,
  type VerifiedRequest,
} from "@quorate/protocol";
import { expect } from "chai";
import { array, assert, constant, constantFrom, integer, oneof, property, record } from "fast-check";
import {
  clientOf,
  digestOf,
  proposalsIn,
  reconfigurationOf,
  registrationOf,
  requestOf,
  Scene,
  seqOf,
} from "./builders.ts";

const EXECUTABLE: RequestStanding = { type: "executable" };
const REFUSABLE: RequestStanding = { type: "refusable" };
const aheadOf = (expected: number): RequestStanding => ({ type: "ahead", expected: requestNumber(expected) });
const WIDE = { batchRequestsMax: 100, batchBytesMax: 1_000_000, batchOperationsMax: 1_000 };

function queueOf(limits: Partial<ConstructorParameters<typeof RequestQueue>[0]> = {}): RequestQueue {
  return new RequestQueue({
    pendingMax: 100,
    pendingPerClientMax: 100,
    pendingBytesMax: 10_000,
    clockedMax: 100,
    ...limits,
  });
}
function progressOf(
  answered: readonly VerifiedRequest[],
  expected?: number,
  { client = "client", session = "session" } = {},
): ExecutionProgress {
  return {
    answered: answered.map(({ digest }) => digest),
    sessions:
      expected === undefined
        ? []
        : [
            {
              client: clientOf(client).publicKey,
              session: sessionId(digestOf(session)),
              expected: requestNumber(expected),
            },
          ],
    evicted: [],
    lastCheckpoint: seqOf(0),
  };
}
function add(queue: RequestQueue, request: VerifiedRequest, standing: RequestStanding, isPrimary = true): string {
  return queue.add(request, standing, 0, isPrimary);
}
function executed(
  queue: RequestQueue,
  seq: SequenceNumber,
  requests: readonly VerifiedRequest[],
  progress: ExecutionProgress,
): void {
  queue.onExecuted(seq, requests, progress, 0);
}
const take = (queue: RequestQueue, seq = 1, limits = WIDE): VerifiedRequest[] => queue.take(seqOf(seq), limits, 0);

describe("RequestQueue", () => {
  it("gives a session's requests in the order of their numbers, whatever order they came in", () => {
    const queue = queueOf();
    for (const number of [3, 1, 2]) add(queue, requestOf(number), number === 1 ? EXECUTABLE : aheadOf(1));
    expect(take(queue)).to.deep.equal([1, 2, 3].map((number) => requestOf(number)));
  });

  it("keeps a number ahead pending until the one before has come", () => {
    const queue = queueOf();
    add(queue, requestOf(2), aheadOf(1));
    expect([queue.readyCount, queue.size]).to.deep.equal([0, 1]);
    add(queue, requestOf(1), EXECUTABLE);
    expect(take(queue)).to.deep.equal([requestOf(1), requestOf(2)]);
  });

  it("keeps a number ahead pending until execution has passed the one before", () => {
    const queue = queueOf();
    add(queue, requestOf(2), aheadOf(1));
    executed(queue, seqOf(1), [], progressOf([requestOf(1)], 2));
    expect(take(queue)).to.deep.equal([requestOf(2)]);
  });

  it("gives a request once, and again when it was ordered without effect", () => {
    const queue = queueOf();
    add(queue, requestOf(1), EXECUTABLE);
    expect(take(queue, 1), "first").to.deep.equal([requestOf(1)]);
    expect(take(queue, 2), "while proposed").to.deep.equal([]);
    executed(queue, seqOf(1), [requestOf(1)], progressOf([], 1));
    expect(take(queue, 3), "after no effect").to.deep.equal([requestOf(1)]);
  });

  it("what was ordered ahead of its session waits for the numbers before it, and is not ordered for ever (seed 4722)", () => {
    const queue = queueOf();
    // Its session is not known here yet, so each looks as if it would be refused right away.
    for (const number of [5, 3]) add(queue, requestOf(number), { type: "refusable" });
    expect(take(queue, 1)).to.deep.equal([requestOf(5), requestOf(3)]);
    queue.onExecuted(
      seqOf(1),
      [requestOf(5), requestOf(3)],
      { answered: [], sessions: [], evicted: [], lastCheckpoint: seqOf(0) },
      0,
    );
    expect(take(queue, 2), "both are ahead").to.deep.equal([]);
    executed(queue, seqOf(2), [], progressOf([], 3));
    expect(take(queue, 3)).to.deep.equal([requestOf(3)]);
    executed(queue, seqOf(3), [requestOf(3)], progressOf([requestOf(3)], 5));
    expect(take(queue, 4)).to.deep.equal([requestOf(5)]);
  });

  it("does not give again what a later number still carries", () => {
    const queue = queueOf();
    add(queue, requestOf(1), EXECUTABLE);
    queue.markProposed(seqOf(1), [requestOf(1)]);
    queue.markProposed(seqOf(2), [requestOf(1)]);
    executed(queue, seqOf(1), [requestOf(1)], progressOf([], 1));
    expect(take(queue, 3)).to.deep.equal([]);
    executed(queue, seqOf(2), [requestOf(1)], progressOf([], 1));
    expect(take(queue, 3)).to.deep.equal([requestOf(1)]);
  });

  it("forgets a request that has its output", () => {
    const queue = queueOf();
    add(queue, requestOf(1), EXECUTABLE);
    executed(queue, seqOf(1), [requestOf(1)], progressOf([requestOf(1)], 2));
    expect([queue.size, queue.readyCount, queue.has(requestOf(1).digest)]).to.deep.equal([0, 0, false]);
  });

  it("forgets whatever its session has passed", () => {
    const queue = queueOf();
    for (const number of [1, 2, 3]) add(queue, requestOf(number), number === 1 ? EXECUTABLE : aheadOf(1));
    executed(queue, seqOf(1), [], progressOf([], 3));
    expect(take(queue)).to.deep.equal([requestOf(3)]);
  });

  it("takes nothing on that has its answer", () => {
    const queue = queueOf();
    expect([add(queue, requestOf(1), { type: "answered" }), queue.size]).to.deep.equal(["known", 0]);
  });

  it("gives a request whose answer was lost, whatever its session expects, until it has executed again", () => {
    const queue = queueOf();
    expect(add(queue, requestOf(1), { type: "answer-lost" })).to.equal("added");
    expect(take(queue)).to.deep.equal([requestOf(1)]);
    executed(queue, seqOf(1), [requestOf(1)], progressOf([requestOf(1)], 5));
    expect(queue.size).to.equal(0);
  });

  it("gives registrations at once, and again when one had no output", () => {
    const queue = queueOf();
    const registration = registrationOf("n");
    add(queue, registration, EXECUTABLE);
    expect(take(queue), "first").to.deep.equal([registration]);
    executed(queue, seqOf(1), [registration], progressOf([]));
    expect(take(queue, 2), "again").to.deep.equal([registration]);
  });

  it("another client's request under the same session moves that session's queue in no way", () => {
    const queue = queueOf();
    add(queue, requestOf(1), EXECUTABLE);
    add(queue, requestOf(9, { client: "thief" }), EXECUTABLE);
    executed(queue, seqOf(1), [], progressOf([], 10, { client: "thief" }));
    add(queue, requestOf(2), aheadOf(1));
    expect(take(queue)).to.deep.equal([requestOf(1), requestOf(2)]);
  });

  it("takes the first of two requests with one number", () => {
    const queue = queueOf();
    add(queue, requestOf(1), EXECUTABLE);
    const other = requestOf(1, { operations: ["another"] });
    expect([add(queue, other, EXECUTABLE), add(queue, requestOf(1), EXECUTABLE), queue.size]).to.deep.equal([
      "known",
      "known",
      1,
    ]);
  });

  it("keeps within each batch's caps on requests, bytes and operations", () => {
    const fill = (): RequestQueue => {
      const queue = queueOf();
      for (let i = 1; i <= 6; i++)
        add(queue, requestOf(1, { session: `${i}`, operations: ["12345", "67890"] }), EXECUTABLE);
      return queue;
    };
    expect(take(fill(), 1, { ...WIDE, batchRequestsMax: 4 }), "requests").to.have.length(4);
    expect(take(fill(), 1, { ...WIDE, batchBytesMax: 39 }), "bytes").to.have.length(3);
    expect(take(fill(), 1, { ...WIDE, batchBytesMax: 40 }), "bytes exactly").to.have.length(4);
    expect(take(fill(), 1, { ...WIDE, batchOperationsMax: 5 }), "operations").to.have.length(2);
    expect(take(fill(), 1, { ...WIDE, batchBytesMax: 1 }), "one at least").to.have.length(1);
  });

  it("has no more reconfigurations in a batch than it may have, and holds nothing else up for them", () => {
    const queue = queueOf();
    const changes = Array.from({ length: 2 * BATCH_RECONFIGURATIONS_MAX + 1 }, (_, i) => reconfigurationOf(`${i}`));
    for (const change of changes) add(queue, change, EXECUTABLE);
    add(queue, requestOf(1), EXECUTABLE);

    const batches = [1, 2, 3].map((seq) => take(queue, seq));

    expect(batches[0]).to.deep.equal([...changes.slice(0, BATCH_RECONFIGURATIONS_MAX), requestOf(1)]);
    expect(batches[1]).to.deep.equal(changes.slice(BATCH_RECONFIGURATIONS_MAX, 2 * BATCH_RECONFIGURATIONS_MAX));
    expect(batches[2]).to.deep.equal(changes.slice(-1));
  });

  it("gives a reconfiguration at once, and again until it has its output, however many numbers pass", () => {
    const queue = queueOf();
    const change = reconfigurationOf("n");
    add(queue, change, EXECUTABLE);
    expect(take(queue), "first").to.deep.equal([change]);
    executed(queue, seqOf(1), [change], progressOf([]));
    executed(queue, seqOf(1_000), [], progressOf([]));
    expect([take(queue, 1_001), queue.clockedCount], "again").to.deep.equal([[change], 1]);
    executed(queue, seqOf(1_001), [change], progressOf([change]));
    expect([queue.size, queue.clockedCount]).to.deep.equal([0, 0]);
  });

  it("what does not fit into one batch comes first in the next", () => {
    const queue = queueOf();
    for (const session of ["a", "b", "c"]) add(queue, requestOf(1, { session }), EXECUTABLE);
    take(queue, 1, { ...WIDE, batchRequestsMax: 2 });
    expect(take(queue, 2)).to.deep.equal([requestOf(1, { session: "c" })]);
  });
});

describe("the bounds of RequestQueue", () => {
  it("one client's share does not take another's", () => {
    const queue = queueOf({ pendingPerClientMax: 2 });
    const added = [1, 2, 3].map((n) => add(queue, requestOf(1, { session: `${n}` }), EXECUTABLE));
    expect(added).to.deep.equal(["added", "added", "full"]);
    expect(add(queue, requestOf(1, { client: "other", session: "x" }), EXECUTABLE)).to.equal("added");
  });

  it("a share is free again when its requests have left", () => {
    const queue = queueOf({ pendingPerClientMax: 1 });
    add(queue, requestOf(1), EXECUTABLE);
    executed(queue, seqOf(1), [requestOf(1)], progressOf([requestOf(1)], 2));
    expect(add(queue, requestOf(2), EXECUTABLE)).to.equal("added");
  });

  it("requests are bounded in total", () => {
    const queue = queueOf({ pendingMax: 2 });
    const added = ["a", "b", "c"].map((session) => add(queue, requestOf(1, { session }), EXECUTABLE));
    expect(added).to.deep.equal(["added", "added", "full"]);
  });

  it("bytes are bounded in total", () => {
    const queue = queueOf({ pendingBytesMax: 10 });
    const sizes = ["12345", "67890", "1"].map((text, i) =>
      add(queue, requestOf(1, { session: `${i}`, operations: [text] }), EXECUTABLE),
    );
    expect(sizes).to.deep.equal(["added", "added", "full"]);
  });

  it("approvals are among the bytes", () => {
    const queue = queueOf({ pendingBytesMax: 300 });
    const added = [["a", "b", "c"], ["a", "b"], ["a"]].map((admins, i) =>
      add(queue, reconfigurationOf(`${i}`, admins), EXECUTABLE),
    );
    expect(added).to.deep.equal(["added", "full", "full"]);
  });

  it("those whose turn may never come give way, the oldest first", () => {
    const queue = queueOf({ pendingMax: 2 });
    add(queue, requestOf(5, { session: "a" }), aheadOf(1));
    add(queue, requestOf(6, { session: "b" }), aheadOf(1));
    expect(queue.displaced).to.equal(0);
    expect(add(queue, requestOf(1), EXECUTABLE)).to.equal("added");
    expect(queue.displaced).to.equal(1);
    expect([
      queue.has(requestOf(5, { session: "a" }).digest),
      queue.has(requestOf(6, { session: "b" }).digest),
    ]).to.deep.equal([false, true]);
  });

  it("who gave way is counted among the inputs that were dropped", () => {
    const queue = { pendingMax: 1, pendingPerClientMax: 64, pendingBytesMax: 65_536, clockedMax: 64 };
    const scene = new Scene({ self: 0, options: { queue } });
    scene.ordering.onRequest(requestOf(5, { session: "a" }), aheadOf(1), scene.nowMs, scene.out);
    scene.request(requestOf(1));

    expect(scene.rejections).to.deep.equal(["request.displaced"]);
  });

  it("what is ready or proposed gives way to nobody", () => {
    const queue = queueOf({ pendingMax: 2 });
    add(queue, requestOf(1, { session: "a" }), EXECUTABLE);
    take(queue);
    add(queue, requestOf(1, { session: "b" }), EXECUTABLE);
    expect(add(queue, requestOf(1, { session: "c" }), EXECUTABLE)).to.equal("full");
  });

  it("at a backup the oldest gives way that the primary is not held to, ready or not", () => {
    const queue = queueOf({ pendingMax: 2 });
    add(queue, requestOf(1, { session: "a" }), REFUSABLE, false);
    add(queue, requestOf(1, { session: "b" }), REFUSABLE, false);
    expect(add(queue, requestOf(1, { session: "c" }), REFUSABLE, false)).to.equal("added");
    expect(["a", "b", "c"].map((session) => queue.has(requestOf(1, { session }).digest))).to.deep.equal([
      false,
      true,
      true,
    ]);
    queue.markProposed(seqOf(1), [requestOf(1, { session: "b" }), requestOf(1, { session: "c" })]);
    expect(add(queue, requestOf(1, { session: "d" }), REFUSABLE, false), "all are proposed").to.equal("full");
  });

  it("at a backup nothing gives way that the primary is held to: new requests would end its clock for ever", () => {
    const queue = queueOf({ pendingMax: 2, pendingPerClientMax: 2 });
    add(queue, requestOf(1, { session: "a" }), EXECUTABLE, false);
    add(queue, requestOf(1, { session: "b" }), EXECUTABLE, false);
    expect(add(queue, requestOf(1, { session: "c" }), EXECUTABLE, false), "its own share").to.equal("full");
    expect(add(queue, requestOf(1, { client: "other" }), EXECUTABLE, false), "all places").to.equal("full");
    expect(queue.has(requestOf(1, { session: "a" }).digest)).to.equal(true);
  });

  it("at a backup a client whose share is full gives way to itself and to nobody else", () => {
    const queue = queueOf({ pendingMax: 3, pendingPerClientMax: 2 });
    add(queue, requestOf(1, { client: "other", session: "o" }), REFUSABLE, false);
    for (const session of ["a", "b", "c"])
      expect(add(queue, requestOf(1, { session }), REFUSABLE, false)).to.equal("added");
    expect(queue.has(requestOf(1, { client: "other", session: "o" }).digest), "another's").to.equal(true);
    expect(["a", "b", "c"].map((session) => queue.has(requestOf(1, { session }).digest))).to.deep.equal([
      false,
      true,
      true,
    ]);
  });

  it("at a primary a client whose share is full gives way to its own request whose turn it is, and to nothing else", () => {
    const queue = queueOf({ pendingPerClientMax: 3 });
    for (const number of [2, 3, 4]) add(queue, requestOf(number), aheadOf(1));
    expect(add(queue, requestOf(5), aheadOf(1)), "nothing is gained by it").to.equal("full");
    // Backups have a clock for this one: a primary that refused it would lose its place by its client's will.
    expect(add(queue, requestOf(1), EXECUTABLE)).to.equal("added");
    expect(take(queue, 1)).to.deep.equal([requestOf(1)]);
    add(queue, requestOf(1, { session: "a" }), EXECUTABLE);
    expect([queue.size, queue.has(requestOf(1).digest)], "what is proposed stays").to.deep.equal([3, true]);
  });

  it("nobody gives way in vain: when there is no room either way, nothing changes", () => {
    const queue = queueOf({ pendingBytesMax: 20 });
    add(queue, requestOf(5, { session: "a", operations: ["12345"] }), aheadOf(1));
    add(queue, requestOf(1, { session: "b", operations: ["1234567890"] }), EXECUTABLE);
    const large = requestOf(1, { session: "c", operations: ["123456789012345"] });
    expect([add(queue, large, EXECUTABLE), queue.size]).to.deep.equal(["full", 2]);
  });
});

describe("RequestQueue and a model of it", () => {
  /** What the queue promises, by brute force: per session, the run of waiting numbers from the expected one is ready. */
  class Model {
    readonly waiting = new Map<Digest, { request: VerifiedRequest; number: number; session: string; at?: number }>();
    readonly expected = new Map<string, number>();

    add(request: VerifiedRequest, session: string, number: number): boolean {
      if (number < this.expectedOf(session) || this.waiting.has(request.digest)) return false;
      this.waiting.set(request.digest, { request, session, number });
      return true;
    }
    expectedOf(session: string): number {
      return this.expected.get(session) ?? 1;
    }
    get ready(): Set<Digest> {
      const ready = new Set<Digest>();
      for (const session of new Set([...this.waiting.values()].map((waiting) => waiting.session)))
        for (let number = this.expectedOf(session); ; number++) {
          const next = [...this.waiting].find(([, it]) => it.session === session && it.number === number);
          if (next === undefined) break;
          if (next[1].at === undefined) ready.add(next[0]);
        }
      return ready;
    }
    /** Executes in order what is proposed at `seq`; what is ahead has no effect. */
    execute(proposed: readonly VerifiedRequest[]): { answered: VerifiedRequest[]; touched: Set<string> } {
      const answered: VerifiedRequest[] = [];
      const touched = new Set<string>();
      for (const request of proposed) {
        const waiting = this.waiting.get(request.digest);
        if (waiting === undefined) continue;
        touched.add(waiting.session);
        delete waiting.at;
        if (waiting.number !== this.expectedOf(waiting.session)) continue;
        this.expected.set(waiting.session, waiting.number + 1);
        this.waiting.delete(request.digest);
        answered.push(request);
      }
      return { answered, touched };
    }
  }

  const action = oneof(
    record({ type: constant("add" as const), session: constantFrom("a", "b"), number: integer({ min: 1, max: 5 }) }),
    record({ type: constant("take" as const), most: integer({ min: 1, max: 3 }) }),
    record({ type: constant("execute" as const) }),
  );

  /** The queue and its model side by side. */
  class Pair {
    readonly queue = queueOf();
    readonly model = new Model();
    readonly proposals: [SequenceNumber, VerifiedRequest[]][] = [];
    seq = 0;

    add(session: string, number: number): void {
      const expected = this.model.expectedOf(session);
      if (number < expected) return;
      const request = requestOf(number, { session });
      const isAdded = this.model.add(request, session, number);
      const outcome = add(this.queue, request, number === expected ? EXECUTABLE : aheadOf(expected));
      expect(outcome).to.equal(isAdded ? "added" : "known");
    }
    take(most: number): void {
      const { ready } = this.model;
      this.seq += 1;
      const taken = take(this.queue, this.seq, { ...WIDE, batchRequestsMax: most });
      expect(taken.length, "taken").to.equal(Math.min(most, ready.size));
      for (const { digest } of taken) {
        expect(ready.has(digest), "was ready").to.equal(true);
        this.model.waiting.get(digest)!.at = this.seq;
      }
      if (taken.length > 0) this.proposals.push([seqOf(this.seq), taken]);
    }
    execute(): void {
      const next = this.proposals.shift();
      if (next === undefined) return;
      const { answered, touched } = this.model.execute(next[1]);
      const sessions = [...touched].flatMap(
        (session) => progressOf([], this.model.expectedOf(session), { session }).sessions,
      );
      executed(this.queue, next[0], next[1], {
        answered: answered.map(({ digest }) => digest),
        sessions,
        evicted: [],
        lastCheckpoint: seqOf(0),
      });
    }
  }

  it("readiness and size agree after any history of arrivals, proposals and executions", () => {
    assert(
      property(array(action, { maxLength: 40 }), (actions) => {
        const pair = new Pair();
        for (const step of actions) {
          if (step.type === "add") pair.add(step.session, step.number);
          else if (step.type === "take") pair.take(step.most);
          else pair.execute();
          expect([pair.queue.size, pair.queue.readyCount], "waiting, ready").to.deep.equal([
            pair.model.waiting.size,
            pair.model.ready.size,
          ]);
        }
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});

describe("pipelining and batching (protocol rule 4.6)", () => {
  const sessions = (from: number, to: number): VerifiedRequest[] =>
    Array.from({ length: to - from }, (_, i) => requestOf(1, { session: `${from + i}` }));

  it("a primary with a free slot proposes at once, and what comes while all are taken forms one batch", () => {
    const scene = new Scene({ self: 0 });
    for (const request of sessions(0, 5)) scene.request(request);
    expect(proposalsIn(scene.effects).map(({ batch }) => batch.requests.length)).to.deep.equal([1, 1]);
    const [first] = proposalsIn(scene.effects);
    const batch = scene.ordering.batchAt(
      seqOf(1),
      scene
        .of("persist")
        .flatMap(({ record }) =>
          record.type === "pre-prepared" && record.envelope.message.seq === 1 ? [record.envelope.message.digest] : [],
        )[0]!,
    );
    expect(batch).to.deep.equal(first?.batch);
  });

  it("a slot that is free again takes what has waited, within the cap on requests", () => {
    const scene = new Scene({ self: 0 });
    const waiting = sessions(0, 9);
    for (const request of waiting) scene.request(request);
    const digest = scene
      .of("persist")
      .flatMap(({ record }) => (record.type === "pre-prepared" ? [record.envelope.message.digest] : []))[0]!;
    scene.prepares([1, 2], digest).commits([1, 2], digest);
    expect(scene.delivered).to.deep.equal([1]);
    scene.ordering.onExecuted(seqOf(1), [waiting[0]!], progressOf([waiting[0]!]), scene.nowMs, scene.out);
    expect(proposalsIn(scene.effects).map(({ seq, batch }) => [seq, batch.requests.length])).to.deep.equal([
      [1, 1],
      [2, 1],
      [3, 4],
    ]);
  });

  it("a primary never proposes above its window, and goes on when the window moves", () => {
    const scene = new Scene({ self: 0, options: { windowSize: 2, pipelineDepthMax: 8 } });
    for (const request of sessions(0, 4)) scene.request(request);
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([1, 2]);
    const digest = scene
      .of("persist")
      .flatMap(({ record }) => (record.type === "pre-prepared" ? [record.envelope.message.digest] : []))[0]!;
    scene.prepares([1, 2], digest).commits([1, 2], digest);
    scene.ordering.collectGarbage(seqOf(1), scene.nowMs, scene.out);
    expect(proposalsIn(scene.effects).map(({ seq }) => seq)).to.deep.equal([1, 2, 3]);
  });

  it("proposes with its own time, in whole milliseconds", () => {
    const scene = new Scene({ self: 0 });
    scene.nowMs = 1_234.75;
    scene.request(requestOf(1));
    expect(proposalsIn(scene.effects)[0]?.batch.timestampMs).to.equal(1_234);
  });
});
