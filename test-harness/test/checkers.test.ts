import { createClientSigner, sessionIdOf } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import { encodeKvOperation } from "@quorate/kv";
import {
  type CommittedEntry,
  clusterId,
  digest,
  type Evidence,
  type PublicKey,
  publicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Reply,
  type Request,
  replicaId,
  requestNumber,
  sequenceNumber,
  utf8,
  viewNumber,
} from "@quorate/protocol";
import {
  AgreementChecker,
  BoundsChecker,
  CheckpointsChecker,
  CORRECT_JUDGED_MAX,
  CORRECT_LEFT_MAX,
  DurabilityChecker,
  type Ending,
  EvidenceChecker,
  ExactlyOnceChecker,
  type ExecutionStep,
  nameOperation,
  ORDERED_CHECKPOINT_STABLE,
  PromisesChecker,
  StateEqualityChecker,
  ValidityChecker,
  ViewsChecker,
  WatermarksChecker,
} from "@quorate/test-harness";
import { expect } from "chai";
import { ended, failed, QUIET, R0, R1, result, seq, status, step, violation } from "./checker-facts.ts";

const INCREMENT = encodeKvOperation({ type: "increment", key: utf8("counter/0"), by: 2n });

describe("The agreement checker", () => {
  it("accepts equal histories, also again after a crash", () => {
    const checker = new AgreementChecker();
    for (const replica of [R0, R1]) for (const seq of [1, 2]) checker.onExecuted(step({ replica, seq }));

    checker.onRecovered(R1, status({ executed: 1 }));
    checker.onExecuted(step({ replica: R1, seq: 2 }));

    violation(undefined, () => checker.atEnd({ ...QUIET, replicas: [ended(R0, 2), ended(R1, 2)] }));
  });

  it("finds another batch, another history, a gap, a repeat, and a replica that ends elsewhere", () => {
    const checker = new AgreementChecker();
    checker.onExecuted(step({ replica: R0, seq: 1 }));
    const other = (change: Partial<ExecutionStep>) => () =>
      checker.onExecuted(step({ replica: R1, seq: 1, ...change }));

    violation("agreement.batch", other({ batchDigest: "other" }));
    checker.onRecovered(R1, status({ executed: 0 }));
    violation("agreement.history", other({ historyDigest: "other" }));
    violation("agreement.order", other({ seq: 3 }));
    violation("agreement.order", () => checker.onExecuted(step({ replica: R0, seq: 1 })));
    violation("agreement.recovered-ahead", () => checker.onRecovered(R0, status({ executed: 2 })));
    violation("agreement.end", () => checker.atEnd({ ...QUIET, replicas: [ended(R0, 0)] }));
  });
});

describe("The checker of bounds", () => {
  const bounds = { pendingRequestsMax: 2, windowSizeIn: () => 8, viewChangeMs: 300, viewChangeMaxMs: 1200 };
  const calm = { pendingRequests: 2, timeOutMs: 600 };

  it("accepts a full queue, a longer time-out in a later view, and one that comes down", () => {
    const checker = new BoundsChecker(bounds);
    violation(undefined, () => {
      checker.onStatus(R0, status(calm));
      checker.onStatus(R0, status({ ...calm, timeOutMs: 300 }));
      checker.onStatus(R0, status({ ...calm, target: viewNumber(1), timeOutMs: 1200 }));
    });
  });

  it("finds a queue beyond its limit, and a time-out that is too long or grows while no view fails", () => {
    const checker = new BoundsChecker(bounds);
    checker.onStatus(R0, status(calm));
    violation("bounds.pending", () => checker.onStatus(R0, status({ ...calm, pendingRequests: 3 })));
    violation("bounds.time-out", () => checker.onStatus(R0, status({ ...calm, timeOutMs: 1201 })));
    violation("bounds.time-out", () => checker.onStatus(R0, status({ ...calm, timeOutMs: 299 })));
    violation("bounds.time-out-grew", () => checker.onStatus(R0, status({ ...calm, timeOutMs: 1200 })));
  });
});

describe("The checker of views", () => {
  // The primary of every fourth view is Byzantine.
  const isCorrect = (view: number): boolean => view % 4 !== 0;
  const judges = (checker: ViewsChecker, target: number, times: number, cause: "slow" | "failed" = "slow"): void => {
    for (let i = 0; i < times; i++) checker.onViewChange(R0, { type: "started", target: viewNumber(target), cause });
  };

  it("accepts any number while there are faults, and of Byzantine primaries always", () => {
    const checker = new ViewsChecker(isCorrect);
    violation(undefined, () => {
      checker.onStatus(R0, status({ view: viewNumber(100) }));
      judges(checker, 2, 100);
      checker.onHealed();
      judges(checker, 1, 100);
      judges(checker, 2, 100, "failed");
      judges(checker, 2, CORRECT_JUDGED_MAX);
    });
  });

  it("finds correct primaries that lose their place again and again, and are judged so", () => {
    const checker = new ViewsChecker(isCorrect);
    checker.onHealed();
    // Of four primaries three are correct.
    const last = (CORRECT_LEFT_MAX / 3) * 4;
    violation(undefined, () => checker.onStatus(R0, status({ view: viewNumber(last) })));
    violation("views.correct-primaries-left", () => checker.onStatus(R1, status({ view: viewNumber(last + 2) })));
    judges(checker, 2, CORRECT_JUDGED_MAX);
    violation("views.correct-primaries-judged", () => judges(checker, 2, 1));
  });
});

describe("The checker of views where primaries take turns", () => {
  // The primary of every fourth view is Byzantine.
  const isCorrect = (view: number): boolean => view % 4 !== 0;
  const healed = (): ViewsChecker => {
    const checker = new ViewsChecker(isCorrect, { weakQuorum: 2 });
    checker.onHealed();
    return checker;
  };
  const left = (
    checker: ViewsChecker,
    view: number,
    cause: "failed" | "rotated",
    ...by: readonly ReplicaId[]
  ): void => {
    for (const replica of by) checker.onViewChange(replica, { type: "started", target: viewNumber(view + 1), cause });
  };
  /** As many, all of correct primaries and one after the other, as may not fail: the last of them is one too many. */
  const views = Array.from({ length: 18 }, (_, i) => Math.floor(i / 3) * 4 + 1 + (i % 3));

  it("accepts any number of turns, of views that one replica gave up alone, and of Byzantine primaries that failed", () => {
    const checker = healed();
    violation(undefined, () => {
      for (const view of views) {
        checker.onStatus(R0, status({ view: viewNumber(view) }));
        left(checker, view, "rotated", R0, R1);
        left(checker, view, "failed", R0, R0);
        left(checker, view + 3, "failed", R0, R1);
      }
    });
  });

  it("accepts any number while there are faults", () => {
    const checker = new ViewsChecker(isCorrect, { weakQuorum: 2 });
    violation(undefined, () => {
      for (const view of views) left(checker, view, "failed", R0, R1);
    });
  });

  it("accepts correct primaries of whom some fail in each of their turns, as long as turns go on", () => {
    const checker = healed();
    violation(undefined, () => {
      for (let turn = 0; turn < 50; turn++) {
        for (const view of [1, 2]) left(checker, 4 * turn + view, "rotated", R0, R1);
        left(checker, 4 * turn + 3, "failed", R0, R1);
      }
    });
  });

  it("finds correct primaries of whom nothing comes, again and again", () => {
    const checker = healed();
    const last = views.at(-1)!;
    violation(undefined, () => {
      for (const view of views.slice(0, -1)) left(checker, view, "failed", R0, R1);
      left(checker, last, "failed", R0);
    });
    violation("views.correct-primaries-failed", () => left(checker, last, "failed", R1));
  });
});

describe("The state checker", () => {
  it("finds another root and another result of the same batch", () => {
    const checker = new StateEqualityChecker();
    checker.onExecuted(step({ replica: R0, seq: 1 }));
    const operations = [{ client: 0, call: 0, seq: sequenceNumber(1), result: Uint8Array.of(9) }];

    violation("state.root", () => checker.onExecuted(step({ replica: R1, seq: 1, stateRoot: "other" })));
    violation("state.operations", () => checker.onExecuted(step({ replica: R1, seq: 1, operations })));
    violation(undefined, () => checker.onExecuted(step({ replica: R1, seq: 1 })));
    violation("state.end", () => checker.atEnd({ ...QUIET, replicas: [{ ...ended(R0, 1), stateRoot: "other" }] }));
  });
});

describe("The exactly-once checker", () => {
  const ran = (checker: ExactlyOnceChecker, seq: number, ...calls: number[]): void => {
    const operations = calls.map((call) => ({ client: 0, call, seq: sequenceNumber(seq), result: Uint8Array.of(1) }));
    checker.onExecuted(step({ replica: R0, seq, operations }));
  };
  const submitted = (calls: number): ExactlyOnceChecker => {
    const checker = new ExactlyOnceChecker();
    for (let call = 0; call < calls; call++) checker.onSubmitted(0, call, INCREMENT);
    return checker;
  };

  it("accepts each call once, in order, and counters that add up", () => {
    const checker = submitted(3);
    ran(checker, 1, 0, 1);
    ran(checker, 2, 2);

    violation(undefined, () => checker.atEnd({ ...QUIET, counters: [6n, 0n, 0n] }));
  });

  it("finds a call that ran twice, out of order, or was never made", () => {
    const checker = submitted(3);
    ran(checker, 1, 1);

    violation("once.twice", () => ran(checker, 2, 1));
    violation("once.order", () => ran(checker, 3, 0));
    violation("once.never-submitted", () => ran(checker, 4, 7));
  });

  it("finds counters that do not add up, and calls that vanished", () => {
    const checker = submitted(2);
    ran(checker, 1, 0);

    violation("once.vanished", () => checker.atEnd(QUIET));
    ran(checker, 2, 1);
    violation("once.counter", () => checker.atEnd({ ...QUIET, counters: [2n] }));
    violation("once.counter", () => checker.atEnd({ ...QUIET, counters: [6n] }));
  });

  it("finds an effect of a call that failed without one, and none of one that succeeded", () => {
    const without = submitted(1);
    without.onSettled(0, 0, failed("none"));
    ran(without, 1, 0);
    const never = submitted(1);
    never.onSettled(0, 0, result(1));

    violation("once.ran-without-effect", () => without.atEnd(QUIET));
    violation("once.never-ran", () => never.atEnd(QUIET));
  });
});

describe("The durability checker", () => {
  const operations = [{ client: 0, call: 0, seq: sequenceNumber(5), result: Uint8Array.of(1) }];

  it("finds a result that nobody computed, another one, and a number before it ran", () => {
    const checker = new DurabilityChecker();
    violation("durability.accepted-before-it-ran", () => checker.onSettled(0, 0, result(1)));
    checker.onExecuted(step({ replica: R0, seq: 5, operations }));

    violation("durability.wrong-result", () => checker.onSettled(0, 0, result(2)));
    violation("durability.wrong-number", () => checker.onSettled(0, 0, result(1, 4)));
    violation(undefined, () => checker.onSettled(0, 0, result(1, 5)));
  });

  it("finds a replica, and a history, that ends before what a client accepted", () => {
    const checker = new DurabilityChecker();
    checker.onExecuted(step({ replica: R0, seq: 5, operations }));
    checker.onSettled(0, 0, result(1, 5));

    violation("durability.lost", () => checker.atEnd({ ...QUIET, replicas: [ended(R0, 4)] }));
    violation("durability.history-lost", () => checker.atEnd({ ...QUIET, replicas: [ended(R0, 5)] }));
  });
});

describe("The promises checker", () => {
  const checker = (): PromisesChecker => new PromisesChecker((replica) => replica !== R1);
  const commit = (from: typeof R0, digest: string): ReplicaFrame =>
    ({
      type: "signed",
      envelope: { from, message: { type: "commit", epoch: 0, view: 0, seq: 3, digest }, signature: new Uint8Array(64) },
    }) as unknown as ReplicaFrame;

  it("finds two digests for one place, but lets the Byzantine be", () => {
    const promises = checker();
    promises.onSent(R0, commit(R0, "a"));

    violation(undefined, () => promises.onSent(R0, commit(R0, "a")));
    violation("promises.equivocation", () => promises.onSent(R0, commit(R0, "b")));
    promises.onSent(R1, commit(R1, "a"));
    violation(undefined, () => promises.onSent(R1, commit(R1, "b")));
  });

  it("finds two statements for one number, but not of one whose wrong state was lost, or damage, in between", () => {
    const reply = (outputsRoot: string): Reply =>
      ({ statement: { epoch: 0, seq: 8, historyDigest: "h", outputsRoot } }) as unknown as Reply;
    for (const between of [
      (promises: PromisesChecker) => promises.onRecovered(R0),
      (promises: PromisesChecker) => promises.onDamaged(R0),
    ]) {
      const promises = checker();
      promises.onReply(R0, reply("a"));
      between(promises);
      violation("promises.equivocation", () => promises.onReply(R0, reply("b")));
      promises.onDiverging(R0);
      violation(undefined, () => promises.onReply(R0, reply("c")));
      violation("promises.equivocation", () => promises.onReply(R0, reply("d")));
      between(promises);
      violation(undefined, () => promises.onReply(R0, reply("e")));
    }
  });

  it("finds evidence against a correct replica", () => {
    const against = (from: typeof R0): Evidence => {
      const { envelope } = commit(from, "a") as Extract<ReplicaFrame, { type: "signed" }>;
      return { type: "equivocation", first: envelope, second: envelope } as Evidence;
    };

    violation("promises.false-accusation", () => checker().onEvidence(R1, against(R0)));
    violation(undefined, () => checker().onEvidence(R0, against(R1)));
    const unconvincing = new EvidenceChecker(() => false);
    violation("evidence.convinces-nobody", () => unconvincing.onEvidence(R0, against(R1)));
    violation(undefined, () => new EvidenceChecker(() => true).onEvidence(R0, against(R1)));
  });
});

describe("The validity checker", () => {
  const hasher = createNodeHasher();
  const cluster = clusterId("c".repeat(64));
  const backend = createFakeBackend(hasher);
  const signer = createClientSigner({ backend, hasher, cluster, seed: new Uint8Array(32).fill(7) });
  const registration = signer.signRegistration({ nonce: digest("a".repeat(64)), lastValid: sequenceNumber(9) }).request;
  const session = sessionIdOf(hasher, cluster, signer.publicKey, digest("a".repeat(64)), sequenceNumber(1), 0);
  const call = (number: number, name: number): Request => {
    const operations = [nameOperation({ client: 0, call: name }, INCREMENT)];
    return signer.signOperations({ session, number: requestNumber(number), operations }).request;
  };
  const entry = (seq: number, ...requests: Request[]): CommittedEntry =>
    ({ batch: { timestampMs: 1, requests }, certificate: { seq } }) as unknown as CommittedEntry;
  /** A checker that has heard of these requests, and of the calls that ran at each number from 2. */
  const checker = (requests: readonly Request[], ...ran: number[][]): ValidityChecker => {
    const validity = new ValidityChecker(hasher, cluster, new Map([[signer.publicKey, 0]]));
    for (const name of [0, 1, 2]) validity.onSubmitted(0, name, INCREMENT);
    for (const request of requests) validity.onRequest(0, request);
    ran.forEach((calls, i) => {
      const at = sequenceNumber(i + 2);
      const operations = calls.map((name) => ({ client: 0, call: name, seq: at, result: undefined }));
      validity.onExecuted(step({ replica: R0, seq: at, operations }));
    });
    return validity;
  };
  const [first, second] = [call(1, 0), call(2, 1)];

  it("accepts what a reader of the history would have run: each number once, in order", () => {
    const history = [entry(1, registration), entry(2, second, first), entry(3, first, second)];
    const validity = checker([registration, first, second], [0], [1]);

    violation(undefined, () => validity.atEnd({ ...QUIET, history }));
  });

  it("finds what ran out of turn or did not run, and requests that nobody signed or of nobody", () => {
    const history = [entry(1, registration), entry(2, first), entry(3, second)];
    const all = [registration, first, second];

    violation("validity.ran", () => checker(all, [0], [0, 1]).atEnd({ ...QUIET, history }));
    violation("validity.ran", () => checker(all, [0], []).atEnd({ ...QUIET, history }));
    violation("validity.never-signed", () => checker([registration, first], [0], [1]).atEnd({ ...QUIET, history }));
    const strange = { ...first, client: "b".repeat(64) } as Request;
    violation("validity.stranger", () => checker(all).atEnd({ ...QUIET, history: [entry(1, strange)] }));
  });

  it("lets one of two requests with the same call run, where the other one's session may have vanished", () => {
    const again = call(2, 0);
    const history = [entry(1, registration), entry(2, first, again)];
    const run = (mayBeEvicted: boolean, ...names: number[]): ValidityChecker => {
      const validity = new ValidityChecker(hasher, cluster, new Map([[signer.publicKey, 0]]), () => mayBeEvicted);
      for (const name of [0, 1]) validity.onSubmitted(0, name, INCREMENT);
      for (const request of [registration, first, again]) validity.onRequest(0, request);
      const at = sequenceNumber(2);
      const operations = names.map((name) => ({ client: 0, call: name, seq: at, result: undefined }));
      validity.onExecuted(step({ replica: R0, seq: at, operations }));
      return validity;
    };

    for (const names of [[0], [0, 0], []]) violation(undefined, () => run(true, ...names).atEnd({ ...QUIET, history }));
    for (const names of [[0, 0, 0], [1], [0, 1]])
      violation("validity.ran", () => run(true, ...names).atEnd({ ...QUIET, history }));
    violation("validity.ran", () => run(false, 0).atEnd({ ...QUIET, history }));
  });

  it("lets the session of a client that opens too many vanish, but runs nothing for it that is not due", () => {
    const validity = new ValidityChecker(hasher, cluster, new Map([[signer.publicKey, 0]]), () => true);
    validity.onSubmitted(0, 0, INCREMENT);
    for (const request of [registration, first]) validity.onRequest(0, request);

    violation(undefined, () => validity.atEnd({ ...QUIET, history: [entry(1, registration), entry(2, first)] }));
    const operations = [{ client: 0, call: 2, seq: sequenceNumber(2), result: undefined }];
    validity.onExecuted(step({ replica: R0, seq: 2, operations }));
    violation("validity.ran", () => validity.atEnd({ ...QUIET, history: [entry(1, registration), entry(2, first)] }));
  });
});

describe("The watermarks checker", () => {
  /** Checkpoints are at 4 and 8, as K has it, and at 7, where one was ordered. */
  const watermarksChecker = (): WatermarksChecker => {
    const checker = new WatermarksChecker(() => 8);
    for (const at of [4, 7, 8]) checker.onExecuted(step({ replica: R0, seq: seq(at), isCheckpoint: true }));
    checker.onExecuted(step({ replica: R0, seq: seq(6) }));
    return checker;
  };

  it("finds watermarks that go back, stand between checkpoints, or above what is executed", () => {
    const checker = watermarksChecker();
    checker.onStatus(R0, status({ executed: 5, lowWatermark: 4 }));

    violation("watermarks.back", () => checker.onStatus(R0, status({ executed: 5, lowWatermark: 0 })));
    violation("watermarks.no-checkpoint", () => checker.onStatus(R0, status({ executed: 6, lowWatermark: 6 })));
    violation("watermarks.above-executed", () => checker.onStatus(R1, status({ executed: 3, lowWatermark: 4 })));
    violation("watermarks.window", () =>
      checker.onStatus(replicaId(2), { ...status({ executed: 0 }), highWatermark: seq(9) }),
    );
  });

  it("lets a crash take h back to the last cut of the log, and no further", () => {
    const checker = watermarksChecker();
    checker.onStable(R0, 4);
    checker.onStatus(R0, status({ executed: 8, lowWatermark: 8 }));

    violation(undefined, () => checker.onRecovered(R0, status({ executed: 4, lowWatermark: 4 })));
    violation("watermarks.lost", () => checker.onRecovered(R0, status({ executed: 4, lowWatermark: 0 })));
    violation("watermarks.cut-twice", () => checker.onStable(R0, 4));
  });

  it("demands that what is due is stable at the end", () => {
    const checker = watermarksChecker();
    const at = (executed: number, lowWatermark: number): Ending => ({
      ...QUIET,
      replicas: [{ ...ended(R0, executed), status: status({ executed, lowWatermark }) }],
    });

    violation("watermarks.not-stable", () => checker.atEnd(at(9, 4)));
    violation("watermarks.not-stable", () => checker.atEnd(at(7, 4)));
    violation(undefined, () => checker.atEnd(at(7, 7)));
    violation(undefined, () => checker.atEnd(at(11, 8)));
  });
});

describe("The checkpoints checker", () => {
  const [admin, stranger] = ["a", "b"].map((digit) => publicKey(digit.repeat(64))) as [PublicKey, PublicKey];
  const marks: string[] = [];
  const checkpointsChecker = (): CheckpointsChecker =>
    new CheckpointsChecker(
      () => ({ epoch: 0, interval: 8, permitted: new Set([admin]) }),
      (mark) => marks.push(mark),
    );
  const order = (above: number, client = admin, epoch = 0): Request =>
    ({ type: "checkpoint", client, epoch, above }) as Request;
  const entry = (at: number, ...requests: Request[]): CommittedEntry =>
    ({ batch: { timestampMs: 1, requests }, certificate: { seq: at } }) as unknown as CommittedEntry;
  /** What the checker says of a history up to 12, with these orders, in which these numbers were checkpoints. */
  const verdict = (orders: Readonly<Record<number, Request>>, checkpoints: readonly number[]) => {
    const checker = checkpointsChecker();
    const numbers = Array.from({ length: 12 }, (_, i) => i + 1);
    for (const at of numbers)
      checker.onExecuted(step({ replica: R0, seq: seq(at), isCheckpoint: checkpoints.includes(at) }));
    const history = numbers.map((at) => entry(at, ...(orders[at] === undefined ? [] : [orders[at]])));
    return () => checker.atEnd({ ...QUIET, history });
  };

  it("accepts multiples of K, and what an admin ordered", () => {
    violation(undefined, verdict({}, [8]));
    violation(undefined, verdict({ 3: order(2) }, [3, 8]));
    violation(undefined, verdict({ 2: order(0), 4: order(3), 10: order(8) }, [2, 4, 8, 10]));
  });

  it("finds one that is missing, that nobody may order, that comes too soon, and a second one of one order", () => {
    violation("checkpoints.due", verdict({}, []));
    violation("checkpoints.due", verdict({ 3: order(2) }, [8]));
    violation("checkpoints.due", verdict({ 3: order(2, stranger) }, [3, 8]));
    violation("checkpoints.due", verdict({ 3: order(2, admin, 1) }, [3, 8]));
    violation("checkpoints.due", verdict({ 9: order(8) }, [8, 9]));
    violation("checkpoints.due", verdict({ 3: order(3) }, [3, 8]));
    violation("checkpoints.due", verdict({ 3: order(2), 6: order(2) }, [3, 6, 8]));
  });

  it("finds replicas that differ, and one that is stable without having been made", () => {
    const checker = checkpointsChecker();
    checker.onExecuted(step({ replica: R0, seq: seq(3), isCheckpoint: true }));

    violation("checkpoints.differ", () => checker.onExecuted(step({ replica: R1, seq: seq(3), isCheckpoint: false })));
    violation("checkpoints.stable-without", () => checker.onStable(R0, 4));
    checker.onStable(R0, 3);
    expect(marks).to.deep.equal([ORDERED_CHECKPOINT_STABLE]);
  });
});
