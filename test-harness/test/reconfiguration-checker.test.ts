import { requestDigest } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import {
  type ClusterId,
  type CommittedEntry,
  type Genesis,
  type OperationResult,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type ReplicaFrame,
  type Reply,
  refusalToBytes,
  replicaId,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { ConfigurationModel, optionsForSeed, ReconfigurationChecker, type ToldMembership } from "@quorate/test-harness";
import { expect } from "chai";
import { ended, QUIET, R0, R1, seq, step, violation } from "./checker-facts.ts";

const ADMINS = ["a1", "a2", "a3"].map(key);
const STRANGER = key("ee");
const hasher = createNodeHasher();
const CLUSTER = key("cc") as unknown as ClusterId;
/** K and L of genesis. */
const [K, L] = [4, 8];

function key(start: string): Genesis["admins"]["keys"][number] {
  return start.padEnd(64, "0") as Genesis["admins"]["keys"][number];
}

function genesisOf(n: number, change: Partial<Genesis> = {}): Genesis {
  const members = Array.from({ length: n }, (_, id) => ({
    id: replicaId(id),
    publicKey: key(`b${id}`),
    address: `r${id}:1`,
  }));
  const limits = { batchBytesMax: 1_000 };
  const admins = { threshold: 2, keys: ADMINS };
  return {
    members,
    admins,
    clients: "open",
    checkpointInterval: K,
    windowSize: L,
    limits,
    ...change,
  } as unknown as Genesis;
}

let nonces = 0;
type Given = Partial<Pick<ReconfigurationRequest, "client" | "epoch" | "nonce">> & { readonly by?: readonly string[] };

function request(change: object, { by = ADMINS.slice(0, 2), ...given }: Given = {}): ReconfigurationRequest {
  return {
    type: "reconfiguration",
    client: STRANGER,
    epoch: 0,
    nonce: String(nonces++).padStart(64, "0"),
    change: change as ReconfigurationChange,
    approvals: by.map((admin) => ({ key: admin, signature: new Uint8Array(64) })),
    possession: new Uint8Array(0),
    signature: new Uint8Array(64),
    ...given,
  } as unknown as ReconfigurationRequest;
}

const HALVED = { type: "parameters", checkpointInterval: 2, windowSize: 8 };
const rejoin = (id: number, loss: string): object => ({ type: "rejoin", id, loss: key(loss) });
const join = (id: number, change: object = {}): object => ({
  type: "join",
  member: { id, publicKey: key(`f${id}`), address: `r${id}:1`, ...change },
  checkpoint: { seq: 4, stateRoot: "root 4" },
});

/** Numbers 1 to `upTo` with these changes, each number a checkpoint that is a multiple of K. */
function run(genesis: Genesis, changes: Readonly<Record<number, readonly ReconfigurationRequest[]>>, upTo = 40) {
  const model = new ConfigurationModel(genesis);
  const verdicts: string[] = [];
  for (let n = 1; n <= upTo; n++)
    verdicts.push(...model.execute(n, changes[n] ?? [], n % K === 0 ? `root ${n}` : undefined));
  return { verdicts, epochs: model.epochs };
}

describe("The model of configurations (protocol rules 11.1, 11.2 and 11.5)", () => {
  it("activates a change at the smallest multiple of K at or above n+L, and what is asked for until then waits for nothing", () => {
    const { verdicts, epochs } = run(genesisOf(4), {
      3: [request(HALVED)],
      12: [request(HALVED)],
      13: [request(HALVED)],
    });

    expect(verdicts).to.deep.equal(["accepted: epoch 1 above 12", "in-flight", "epoch-other"]);
    expect(epochs.map(({ above, end }) => [above, end])).to.deep.equal([
      [0, 12],
      [12, undefined],
    ]);
    expect(epochs[1]?.configuration).to.include({ epoch: 1, checkpointInterval: 2, windowSize: 8 });
  });

  const refusals: readonly (readonly [string, ReconfigurationRequest, n?: number])[] = [
    ["epoch-other", request(HALVED, { epoch: 1 as ReconfigurationRequest["epoch"] })],
    ["approval-foreign", request(HALVED, { by: [ADMINS[0] ?? "", ADMINS[1] ?? "", STRANGER] })],
    ["approvals-too-few", request(HALVED, { by: ADMINS.slice(0, 1) })],
    [
      "approvals-too-few",
      request({ type: "leave", id: 1, mayLowerFaultThreshold: true }, { by: [], client: key("b2") }),
      5,
    ],
    ["clients-open", request({ type: "admit", client: STRANGER })],
    ["id-used", request(join(3))],
    ["key-used", request(join(4, { publicKey: key("b1") }))],
    ["address-used", request(join(4, { address: "r1:1" }))],
    ["joiner-behind", request({ ...join(4), checkpoint: { seq: 4, stateRoot: "another" } })],
    ["member-unknown", request({ type: "leave", id: 9, mayLowerFaultThreshold: true })],
    ["members-too-few", request({ type: "leave", id: 1, mayLowerFaultThreshold: true })],
    ["fault-threshold-lowered", request({ type: "leave", id: 1, mayLowerFaultThreshold: false }), 7],
    ["member-unknown", request(rejoin(9, "1"))],
    ["member-unknown", request({ type: "rotate-key", id: 9, publicKey: key("f9") })],
    ["changes-nothing", request({ type: "rotate-key", id: 1, publicKey: key("b1") })],
    ["key-used", request({ type: "rotate-key", id: 1, publicKey: key("b2") })],
    ["admins-invalid", request({ type: "admins", admins: { threshold: 3, keys: ADMINS.slice(0, 2) } })],
    ["changes-nothing", request({ type: "admins", admins: { threshold: 2, keys: [...ADMINS].reverse() } })],
    ["parameters-invalid", request({ type: "parameters", checkpointInterval: 4, windowSize: 4 })],
    ["parameters-invalid", request({ type: "parameters", checkpointInterval: 4, windowSize: 4096 })],
    ["member-invalid", request(join(2_000))],
    ["member-invalid", request(join(4, { address: "nowhere" }))],
    ["changes-nothing", request({ type: "parameters", checkpointInterval: K, windowSize: L })],
  ];
  for (const [reason, refused, n = 4] of refusals)
    it(`refuses ${refused.change.type}: ${reason}`, () => {
      expect(run(genesisOf(n), { 6: [refused] }).verdicts).to.deep.equal([reason]);
    });

  const accepted: readonly (readonly [string, ReconfigurationRequest, n: number, left: readonly number[]])[] = [
    ["a joiner that is level", request(join(4)), 4, [0, 1, 2, 3, 4]],
    [
      "a member that leaves by itself",
      request({ type: "leave", id: 1, mayLowerFaultThreshold: false }, { by: [], client: key("b1") }),
      5,
      [0, 2, 3, 4],
    ],
    [
      "one that lowers f, if it says so",
      request({ type: "leave", id: 1, mayLowerFaultThreshold: true }),
      7,
      [0, 2, 3, 4, 5, 6],
    ],
    ["a member that rejoins by itself", request(rejoin(1, "1"), { by: [], client: key("b1") }), 4, [0, 1, 2, 3]],
  ];
  for (const [what, change, n, left] of accepted)
    it(`accepts ${what}`, () => {
      const { epochs } = run(genesisOf(n), { 6: [change] });

      expect(epochs[1]?.configuration.members.map(({ id }) => id)).to.deep.equal(left);
    });

  it("spends a nonce with those who may sign, refused or not, and forgets it with its epoch", () => {
    const nonce = key("99") as unknown as ReconfigurationRequest["nonce"];
    const { verdicts } = run(genesisOf(4), {
      1: [request(HALVED, { by: ADMINS.slice(0, 1), nonce })],
      2: [request({ type: "leave", id: 1, mayLowerFaultThreshold: true }, { nonce })],
      3: [request(HALVED, { nonce })],
      4: [request(HALVED)],
      13: [request(HALVED, { nonce, epoch: 1 as ReconfigurationRequest["epoch"] })],
    });

    expect(verdicts).to.deep.equal([
      "approvals-too-few",
      "members-too-few",
      "nonce-used",
      "accepted: epoch 1 above 12",
      "changes-nothing",
    ]);
  });

  it("has one place behind a member that rejoins, for admins; and lets a member rejoin by itself once in 64 windows", () => {
    const epoch = 2 as ReconfigurationRequest["epoch"];
    const own = { by: [], client: key("b1") } as const;
    const fewer = { type: "admins", admins: { threshold: 1, keys: ADMINS.slice(0, 1) } };
    const { verdicts, epochs } = run(genesisOf(4), {
      1: [request(rejoin(1, "1"), own), request(fewer), request(fewer), request(HALVED)],
      25: [request(rejoin(1, "1"), { ...own, epoch }), request(rejoin(1, "2"), { ...own, epoch })],
    });

    expect(verdicts).to.deep.equal([
      "accepted: epoch 1 above 12",
      "accepted: epoch 2 above 24",
      "in-flight",
      "in-flight",
      "changes-nothing",
      "rejoin-too-soon",
    ]);
    expect(epochs[2]?.configuration.admins).to.deep.equal({ threshold: 1, keys: ADMINS.slice(0, 1) });
  });

  it("gives no id twice, and admits and expels at once where genesis lists its clients", () => {
    const epoch = (of: number): Given => ({ epoch: of as ReconfigurationRequest["epoch"] });
    const { verdicts } = run(genesisOf(5, { clients: [key("01")] } as Partial<Genesis>), {
      5: [request(join(9))],
      17: [request({ type: "leave", id: 9, mayLowerFaultThreshold: false }, epoch(1))],
      29: [
        request({ ...join(9), checkpoint: { seq: 28, stateRoot: "root 28" } }, epoch(2)),
        request({ type: "admit", client: STRANGER }, epoch(2)),
        request({ type: "admit", client: STRANGER }, epoch(2)),
        request({ type: "expel", client: STRANGER }, epoch(2)),
      ],
    });

    expect(verdicts).to.deep.equal([
      "accepted: epoch 1 above 16",
      "accepted: epoch 2 above 28",
      "id-used",
      "accepted: epoch 2 above 29",
      "changes-nothing",
      "accepted: epoch 2 above 29",
    ]);
  });
});

describe("The checker of reconfiguration", () => {
  const change = request(HALVED);
  const reply = (result: OperationResult, n = 3, epoch = 0): Reply =>
    ({
      statement: { epoch, seq: n },
      requestDigest: requestDigest(hasher, CLUSTER, change),
      results: [result],
    }) as unknown as Reply;
  const vote = (from: number, n: number, epoch = 0): ReplicaFrame =>
    ({
      type: "signed",
      envelope: { from, message: { type: "prepare", epoch, view: 0, seq: n, digest: "d" } },
    }) as unknown as ReplicaFrame;

  /** A log of one epoch in which `n` members decide, each number by these. */
  function scene(n: number, signers: readonly number[], upTo = 2) {
    const genesis = genesisOf(n);
    const chain = new EpochChain(
      { hasher, cluster: CLUSTER, verifier: { verifyCheckpointCertificate: () => undefined } },
      genesis,
    );
    const checker = new ReconfigurationChecker(genesis, hasher, CLUSTER, () => chain);
    const history = Array.from({ length: upTo }, (_, i) => ({
      batch: { timestampMs: 0, requests: i === 2 ? [change] : [] },
      certificate: { epoch: 0, view: 0, seq: seq(i + 1), digest: "d", signatures: signers.map((from) => ({ from })) },
    })) as unknown as readonly CommittedEntry[];
    return { checker, chain, ending: { ...QUIET, history, replicas: [ended(R0, upTo)] } };
  }

  it("has nothing against four of five and four of six", () => {
    for (const n of [5, 6]) {
      const { checker, chain, ending } = scene(n, [0, 1, 2, 3]);
      checker.onEpochs(R0, chain);
      checker.onSent(R0, vote(0, 1));
      violation(undefined, () => checker.atEnd(ending));
    }
  });

  it("finds three of five and three of six that decide, and the vote of whoever is no member", () => {
    for (const n of [5, 6]) {
      const { checker, ending } = scene(n, [0, 1, 2]);
      violation("reconfiguration.no-quorum", () => checker.atEnd(ending));
    }
    const { checker, ending } = scene(4, [0, 1, 9]);
    violation("reconfiguration.signed-by-no-member", () => checker.atEnd(ending));
  });

  it("finds votes and statements of no member, and in another epoch than their numbers'", () => {
    const said = (say: (checker: ReconfigurationChecker) => void, upTo = 20): (() => void) => {
      const { checker, ending } = scene(4, [0, 1, 2], upTo);
      say(checker);
      return () => checker.atEnd(ending);
    };

    violation(
      "reconfiguration.vote-of-no-member",
      said((checker) => checker.onSent(replicaId(7), vote(7, 1)), 2),
    );
    violation(
      "reconfiguration.vote-of-no-member",
      said((checker) => checker.onSent(R0, vote(0, 1, 1)), 2),
    );
    violation(
      undefined,
      said((checker) => checker.onSent(R0, vote(1, 1, 1)), 2),
    );
    const statement = reply({ status: "ok", value: new Uint8Array(0) }, 1, 1);
    violation(
      "reconfiguration.statement-of-no-member",
      said((checker) => checker.onReply(R1, statement), 2),
    );
  });

  it("finds an epoch that goes on above the activation of a change", () => {
    const { checker, ending } = scene(4, [0, 1, 2], 13);
    violation("reconfiguration.decided-in-another", () => checker.atEnd(ending));
  });

  it("finds an epoch that is missing, and answers that differ or are wrong", () => {
    const refused = { status: "reconfiguration-refused", value: refusalToBytes("in-flight") } as const;
    const { checker, ending } = scene(4, [0, 1, 2], 12);
    violation("reconfiguration.epochs", () => checker.atEnd(ending));
    checker.onReply(R0, reply(refused));
    violation("reconfiguration.verdict", () => checker.atEnd(ending));
    violation("reconfiguration.answers-differ", () =>
      checker.onReply(R1, reply({ ...refused, value: refusalToBytes("nonce-used") })),
    );
  });

  it("finds services that are told of members otherwise, elsewhere, of others, or not at all", () => {
    const told = (epoch: number, change: object = {}): ToldMembership =>
      ({ epoch, seq: seq(0), timestampMs: 0, members: genesisOf(4).members, operationsBefore: 0, ...change }) as never;
    const { checker, ending } = scene(4, [0, 1, 2]);
    checker.onMembership(R0, told(0));
    violation(undefined, () => checker.onMembership(R1, told(0)));
    violation(undefined, () => checker.atEnd(ending));
    for (const other of [{ operationsBefore: 1 }, { timestampMs: 1 }, { members: genesisOf(5).members }])
      violation("reconfiguration.services-told-otherwise", () => checker.onMembership(R1, told(0, other)));

    const elsewhere = scene(4, [0, 1, 2]);
    elsewhere.checker.onMembership(R0, told(0, { seq: seq(1) }));
    violation("reconfiguration.service-told-elsewhere", () => elsewhere.checker.atEnd(elsewhere.ending));
    const early = scene(4, [0, 1, 2]);
    early.checker.onMembership(R0, told(1));
    violation("reconfiguration.service-told-elsewhere", () => early.checker.atEnd(early.ending));
    const others = scene(4, [0, 1, 2]);
    others.checker.onMembership(R0, told(0, { members: genesisOf(5).members }));
    violation("reconfiguration.service-told-of-others", () => others.checker.atEnd(others.ending));
    const one = scene(4, [0, 1, 2]);
    one.checker.onMembership(R0, told(0));
    one.checker.onExecuted(step({ replica: R1, seq: seq(0), isCheckpoint: true }));
    violation("reconfiguration.service-not-told", () => one.checker.atEnd(one.ending));
  });

  it("finds chains that are no prefixes of one", () => {
    const { checker, chain } = scene(4, []);
    const { chain: another } = scene(5, []);
    checker.onEpochs(R0, chain);

    violation(undefined, () => checker.onEpochs(R1, chain));
    violation("reconfiguration.chains-fork", () => checker.onEpochs(R1, another));
  });
});

describe("The changes that seeds draw", () => {
  it("are of each kind and with each flaw, in some of them, with clients listed and not", () => {
    const drawn = Array.from({ length: 300 }, (_, seed) => optionsForSeed(seed));
    const changes = drawn.flatMap((run) => run.changes);

    expect(new Set(changes.map(({ type }) => type))).to.deep.equal(
      new Set(["parameters", "admins", "admit", "expel", "leave", "join", "rotate-key", "rejoin"]),
    );
    expect(new Set(changes.map(({ flaw }) => flaw))).to.deep.equal(
      new Set([undefined, "other-epoch", "used-nonce", "too-few", "foreign"]),
    );
    expect(drawn.filter(({ changes: ofRun }) => ofRun.length > 0).length).to.be.within(60, 160);
    expect(drawn.filter(({ areClientsListed }) => areClientsListed).length).to.be.greaterThan(10);
  });
});
