import {
  approvalPreimage,
  batchPreimage,
  checkpointRequestPreimage,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  epochNumber,
  executionPreimage,
  genesisPreimage,
  helloPreimage,
  historyPreimage,
  LIMITS_BOUNDS,
  operationSeedPreimage,
  operationsPreimage,
  operationsRequestPreimage,
  outputLeafPreimage,
  possessionPreimage,
  type ReconfigurationChange,
  type ReplicaMessage,
  reconfigurationRequestPreimage,
  registrationRequestPreimage,
  replicaId,
  replicaMessagePreimage,
  requestNumber,
  resultPreimage,
  seedPreimage,
  sequenceNumber,
  sessionPreimage,
  statementPreimage,
  stateRootPreimage,
  TIMEOUTS_BOUNDS,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import { clusterOf, digestOf, genesisWith, keyOf, membersOf, memberWith, sessionOf } from "./builders.ts";

/** One kind of preimage: its size in bytes counted by hand from the wire's description, and one change a field. */
export interface Sample {
  readonly name: string;
  readonly tag: string;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly changes: Readonly<Record<string, Uint8Array>>;
}

const CLUSTER = clusterOf(1);
const VOUCHED: readonly string[] = [
  "joiner's checkpoint",
  "joiner's greatest checkpoint",
  "joiner's state",
  "joiner's loss",
];
const GREATEST = Number.MAX_SAFE_INTEGER;
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** A change of each field on its own, and of each counter in its lowest bit and to the greatest there is. */
export const SAMPLES: readonly Sample[] = [
  ...replicaMessages(),
  ...requests(),
  ...reconfigurations(),
  ...digests(),
  ...outputs(),
  ...state(),
  hello(),
  genesis(),
];

function sampleOf<T>(
  name: string,
  tag: string,
  size: number,
  preimageOf: (value: T) => Uint8Array,
  base: T,
  changes: Readonly<Record<string, T>>,
): Sample {
  return {
    name,
    tag,
    size,
    bytes: preimageOf(base),
    changes: Object.fromEntries(Object.entries(changes).map(([field, value]) => [field, preimageOf(value)])),
  };
}

function replicaMessages(): Sample[] {
  interface Signed<M> {
    readonly cluster: typeof CLUSTER;
    readonly from: number;
    readonly message: M;
  }
  const header = 16 + 32 + 1 + 8 + 4;
  const sample = <M extends ReplicaMessage>(own: number, message: M, changes: Readonly<Record<string, Partial<M>>>) => {
    const base: Signed<M> = { cluster: CLUSTER, from: 1, message };
    return sampleOf<Signed<M>>(
      message.type,
      "quorate-message",
      header + own,
      (s) => replicaMessagePreimage(s.cluster, replicaId(s.from), s.message),
      base,
      {
        cluster: { ...base, cluster: clusterOf(2) },
        from: { ...base, from: 2 },
        "greatest from": { ...base, from: 2 ** 31 - 1 },
        epoch: { ...base, message: { ...message, epoch: epochNumber(1) } },
        "greatest epoch": { ...base, message: { ...message, epoch: epochNumber(GREATEST) } },
        ...Object.fromEntries(
          Object.entries(changes).map(([field, change]) => [field, { ...base, message: { ...message, ...change } }]),
        ),
      },
    );
  };
  const place = { epoch: epochNumber(0), view: viewNumber(3), seq: sequenceNumber(7), digest: digestOf(9) };
  const placeChanges = {
    view: { view: viewNumber(2) },
    "greatest view": { view: viewNumber(GREATEST) },
    seq: { seq: sequenceNumber(6) },
    "greatest seq": { seq: sequenceNumber(GREATEST) },
    digest: { digest: digestOf(10) },
  };
  const lack = { seq: sequenceNumber(8), prePrepare: false, prepares: false, commits: false };
  const { view: _, digest, ...numbered } = place;
  const stable = { seq: sequenceNumber(4), stateRoot: digestOf(9) };
  const claim = { seq: sequenceNumber(7), view: viewNumber(2), digest: digestOf(9) };
  const reference = { from: replicaId(2), digest: digestOf(9) };
  return [
    sample(48, { type: "pre-prepare", ...place }, placeChanges),
    sample(48, { type: "prepare", ...place }, placeChanges),
    sample(48, { type: "commit", ...place }, placeChanges),
    sample(
      40,
      { type: "checkpoint", ...numbered, stateRoot: digest },
      { seq: { seq: sequenceNumber(6) }, stateRoot: { stateRoot: digestOf(10) } },
    ),
    sample(
      4 * 8 + 4 + 9 + 8 + 4 + 4 + 1 + 32,
      {
        type: "status",
        epoch: place.epoch,
        view: place.view,
        executed: sequenceNumber(20),
        stable: sequenceNumber(16),
        accepted: sequenceNumber(24),
        lacks: [lack],
        target: viewNumber(4),
        viewChangesOf: [replicaId(2)],
        executionDigest: digest,
      },
      {
        view: { view: viewNumber(2) },
        executed: { executed: sequenceNumber(21) },
        stable: { stable: sequenceNumber(17) },
        accepted: { accepted: sequenceNumber(25) },
        "no lacks": { lacks: [] },
        executionDigest: { executionDigest: digestOf(11) },
        "more lacks": { lacks: [lack, { ...lack, seq: sequenceNumber(9) }] },
        "lack seq": { lacks: [{ ...lack, seq: sequenceNumber(9) }] },
        "lack pre-prepare": { lacks: [{ ...lack, prePrepare: true }] },
        "lack prepares": { lacks: [{ ...lack, prepares: true }] },
        "lack commits": { lacks: [{ ...lack, commits: true }] },
        target: { target: viewNumber(5) },
        "no view-changes": { viewChangesOf: [] },
        "another view-change": { viewChangesOf: [replicaId(3)] },
        "more view-changes": { viewChangesOf: [replicaId(2), replicaId(3)] },
      },
    ),
    sample(
      40,
      { type: "fetch-batch", ...numbered, digest },
      { seq: { seq: sequenceNumber(6) }, digest: { digest: digestOf(10) } },
    ),
    sample(
      16,
      { type: "fetch-committed", epoch: place.epoch, first: sequenceNumber(3), last: sequenceNumber(5) },
      { first: { first: sequenceNumber(4) }, last: { last: sequenceNumber(6) } },
    ),
    sample(
      2 * 8 + 32 + 4 + (2 * 8 + 32),
      { type: "view-change", epoch: place.epoch, view: place.view, stable, prepared: [claim] },
      {
        view: { view: viewNumber(2) },
        "stable seq": { stable: { ...stable, seq: sequenceNumber(5) } },
        "stable root": { stable: { ...stable, stateRoot: digestOf(10) } },
        "no claims": { prepared: [] },
        "more claims": { prepared: [claim, { ...claim, seq: sequenceNumber(8) }] },
        "claim seq": { prepared: [{ ...claim, seq: sequenceNumber(8) }] },
        "claim view": { prepared: [{ ...claim, view: viewNumber(1) }] },
        "claim digest": { prepared: [{ ...claim, digest: digestOf(10) }] },
      },
    ),
    sample(
      2 * 8 + 2 * 4 + (4 + 32) + 2 * 32,
      {
        type: "new-view",
        epoch: place.epoch,
        view: place.view,
        viewChanges: [reference],
        start: sequenceNumber(4),
        digests: [digestOf(11), digestOf(12)],
      },
      {
        view: { view: viewNumber(2) },
        "no view-changes": { viewChanges: [] },
        "more view-changes": { viewChanges: [reference, { ...reference, from: replicaId(3) }] },
        "view-change from": { viewChanges: [{ ...reference, from: replicaId(3) }] },
        "view-change digest": { viewChanges: [{ ...reference, digest: digestOf(10) }] },
        start: { start: sequenceNumber(5) },
        "no digests": { digests: [] },
        "fewer digests": { digests: [digestOf(11)] },
        "other digests": { digests: [digestOf(12), digestOf(11)] },
      },
    ),
    sample(
      32 + 2 * 8,
      { type: "query-stable", epoch: place.epoch, nonce: digest, until: sequenceNumber(12), view: viewNumber(3) },
      {
        nonce: { nonce: digestOf(10) },
        until: { until: sequenceNumber(16) },
        view: { view: viewNumber(2) },
      },
    ),
    sample(
      2 * 32 + 2 * 8,
      { type: "reply-stable", epoch: place.epoch, nonce: digest, stable, view: place.view },
      {
        nonce: { nonce: digestOf(10) },
        "stable seq": { stable: { ...stable, seq: sequenceNumber(5) } },
        "stable root": { stable: { ...stable, stateRoot: digestOf(10) } },
        view: { view: viewNumber(2) },
      },
    ),
    sample(8, { type: "hand-over", epoch: place.epoch, view: place.view }, { view: { view: viewNumber(2) } }),
  ];
}

function requests(): Sample[] {
  const operations = {
    cluster: CLUSTER,
    client: keyOf(3),
    session: sessionOf(4),
    number: requestNumber(5),
    digest: digestOf(6),
  };
  const checkpoint = { cluster: CLUSTER, client: keyOf(3), epoch: epochNumber(0), above: sequenceNumber(5) };
  const registration = { cluster: CLUSTER, client: keyOf(3), nonce: digestOf(4), lastValid: sequenceNumber(5) };
  return [
    sampleOf(
      "operations request",
      "quorate-request",
      16 + 32 + 32 + 32 + 8 + 32,
      (r) => operationsRequestPreimage(r.cluster, { type: "operations", operations: [], ...r }, r.digest),
      operations,
      {
        cluster: { ...operations, cluster: clusterOf(2) },
        client: { ...operations, client: keyOf(7) },
        session: { ...operations, session: sessionOf(7) },
        number: { ...operations, number: requestNumber(6) },
        "greatest number": { ...operations, number: requestNumber(GREATEST) },
        operations: { ...operations, digest: digestOf(7) },
      },
    ),
    sampleOf(
      "registration request",
      "quorate-register",
      16 + 32 + 32 + 32 + 8,
      (r) => registrationRequestPreimage(r.cluster, { type: "registration", ...r }),
      registration,
      {
        cluster: { ...registration, cluster: clusterOf(2) },
        client: { ...registration, client: keyOf(7) },
        nonce: { ...registration, nonce: digestOf(7) },
        lastValid: { ...registration, lastValid: sequenceNumber(6) },
      },
    ),
    sampleOf(
      "checkpoint request",
      "quorate-ordered",
      16 + 32 + 32 + 8 + 8,
      (r) => checkpointRequestPreimage(r.cluster, { type: "checkpoint", ...r }),
      checkpoint,
      {
        cluster: { ...checkpoint, cluster: clusterOf(2) },
        client: { ...checkpoint, client: keyOf(7) },
        epoch: { ...checkpoint, epoch: epochNumber(1) },
        above: { ...checkpoint, above: sequenceNumber(6) },
        "greatest above": { ...checkpoint, above: sequenceNumber(GREATEST) },
      },
    ),
    sampleOf("operations", "quorate-ops", 16 + 4 + (4 + 2) + (4 + 1), operationsPreimage, [bytes(1, 2), bytes(3)], {
      "one byte": [bytes(1, 2), bytes(4)],
      "another border": [bytes(1), bytes(2, 3)],
      "another order": [bytes(3), bytes(1, 2)],
      "an empty one more": [bytes(1, 2), bytes(3), bytes()],
      "one less": [bytes(1, 2)],
      none: [],
    }),
  ];
}

type ChangeSample = readonly [number, ReconfigurationChange, Readonly<Record<string, ReconfigurationChange>>];

/** A change of each type with the bytes that its fields take, and the same with one of them changed. */
function changes(): readonly ChangeSample[] {
  return [
    changeOf(
      4 + 32 + 4 + "é.example:1".length + 1 + 8 + 32 + 1 + 32,
      {
        type: "join",
        member: { id: replicaId(4), publicKey: keyOf(5), address: "é.example:1" },
        checkpoint: { seq: sequenceNumber(8), stateRoot: digestOf(9) },
        loss: digestOf(11),
      },
      {
        "joiner's id": { member: { id: replicaId(5), publicKey: keyOf(5), address: "é.example:1" } },
        "joiner's key": { member: { id: replicaId(4), publicKey: keyOf(6), address: "é.example:1" } },
        "joiner's address": { member: { id: replicaId(4), publicKey: keyOf(5), address: "e.example:1" } },
        "joiner's checkpoint": { checkpoint: { seq: sequenceNumber(9), stateRoot: digestOf(9) } },
        "joiner's greatest checkpoint": { checkpoint: { seq: sequenceNumber(GREATEST), stateRoot: digestOf(9) } },
        "joiner's loss": { loss: digestOf(12) },
        "joiner's state": { checkpoint: { seq: sequenceNumber(8), stateRoot: digestOf(10) } },
      },
    ),
    changeOf(
      4 + 1,
      { type: "leave", id: replicaId(4), mayLowerFaultThreshold: false },
      {
        "leaver's id": { id: replicaId(5) },
        "leaver's greatest id": { id: replicaId(2 ** 31 - 1) },
        "what it may lower": { mayLowerFaultThreshold: true },
      },
    ),
    changeOf(
      4 + 32,
      { type: "rejoin", id: replicaId(4), loss: digestOf(9) },
      { "id of who comes back": { id: replicaId(5) }, loss: { loss: digestOf(10) } },
    ),
    changeOf(
      4 + 32,
      { type: "rotate-key", id: replicaId(4), publicKey: keyOf(9) },
      { "id of the key": { id: replicaId(5) }, "new key": { publicKey: keyOf(10) } },
    ),
    changeOf(
      4 + 4 + 2 * 32,
      { type: "admins", admins: { threshold: 1, keys: [keyOf(2), keyOf(3)] } },
      {
        threshold: { admins: { threshold: 2, keys: [keyOf(2), keyOf(3)] } },
        "an admin less": { admins: { threshold: 1, keys: [keyOf(2)] } },
        "another admin": { admins: { threshold: 1, keys: [keyOf(2), keyOf(4)] } },
        "another order of admins": { admins: { threshold: 1, keys: [keyOf(3), keyOf(2)] } },
        "no admin": { admins: { threshold: 1, keys: [] } },
      },
    ),
    changeOf(
      8 + 8,
      { type: "parameters", checkpointInterval: 64, windowSize: 256 },
      {
        K: { checkpointInterval: 128 },
        L: { windowSize: 512 },
        "both swapped": { checkpointInterval: 256, windowSize: 64 },
      },
    ),
    changeOf(32, { type: "admit", client: keyOf(7) }, { "admitted client": { client: keyOf(8) } }),
    changeOf(32, { type: "expel", client: keyOf(7) }, { "expelled client": { client: keyOf(8) } }),
  ];
}

function changeOf<T extends ReconfigurationChange["type"]>(
  own: number,
  change: Extract<ReconfigurationChange, { readonly type: T }>,
  changed: Readonly<Record<string, Partial<typeof change>>>,
): ChangeSample {
  const others = Object.entries(changed).map(([field, part]) => [field, { ...change, ...part }]);
  return [1 + own, change, Object.fromEntries(others)];
}

/** For each type of change the three preimages that have it, each with what it has beside. */
function reconfigurations(): Sample[] {
  const approvals = [keyOf(2), keyOf(3)].map((key) => ({ key, signature: bytes(1) }));
  const all = changes();
  return all.flatMap(([size, change, changed]) => {
    const base = { cluster: CLUSTER, client: keyOf(1), epoch: epochNumber(1), nonce: digestOf(4), change, approvals };
    type Base = Omit<typeof base, "change"> & { readonly change: ReconfigurationChange };
    const inAll: Record<string, Base> = {
      cluster: { ...base, cluster: clusterOf(2) },
      epoch: { ...base, epoch: epochNumber(2) },
      "greatest epoch": { ...base, epoch: epochNumber(GREATEST) },
      ...Object.fromEntries(Object.entries(changed).map(([field, other]) => [field, { ...base, change: other }])),
    };
    const others = all.map(([, other]) => other).filter(({ type }) => type !== change.type);
    for (const other of others) inAll[`a change of type ${other.type}`] = { ...base, change: other };
    const nonce: Base = { ...base, nonce: digestOf(5) };
    // Of a joiner's checkpoint and loss an approval says nothing: they may be newer ones than when the admins signed.
    const vouched = change.type === "join" ? 8 + 32 + 1 + 32 : 0;
    const ofApproval = Object.entries(inAll).filter(([field]) => !VOUCHED.includes(field));
    return [
      sampleOf<Base>(
        `approval of ${change.type}`,
        "quorate-approve",
        16 + 32 + 8 + 32 + size - vouched,
        (r) => approvalPreimage(r.cluster, r),
        base,
        { ...Object.fromEntries(ofApproval), nonce },
      ),
      sampleOf<Base>(
        `possession in ${change.type}`,
        "quorate-possess",
        16 + 32 + 8 + size,
        (r) => possessionPreimage(r.cluster, r),
        base,
        inAll,
      ),
      sampleOf<Base>(
        `request for ${change.type}`,
        "quorate-change",
        16 + 32 + 32 + 8 + 32 + size + 4 + 2 * 32,
        (r) => reconfigurationRequestPreimage(r.cluster, { type: "reconfiguration", ...r }),
        base,
        {
          ...inAll,
          nonce,
          client: { ...base, client: keyOf(9) },
          "an approval less": { ...base, approvals: approvals.slice(1) },
          "no approvals": { ...base, approvals: [] },
          "another's approval": { ...base, approvals: approvals.with(1, { key: keyOf(9), signature: bytes(1) }) },
        },
      ),
    ];
  });
}

function digests(): Sample[] {
  const batch = { cluster: CLUSTER, time: timestampMs(1_000), requests: [digestOf(3), digestOf(4)] };
  const history = { cluster: CLUSTER, previous: digestOf(3), seq: sequenceNumber(4), batch: digestOf(5) };
  const seed = { cluster: CLUSTER, history: digestOf(3), seq: sequenceNumber(4) };
  const session = { cluster: CLUSTER, client: keyOf(3), nonce: digestOf(4), seq: sequenceNumber(5), index: 6 };
  return [
    sampleOf(
      "batch",
      "quorate-batch",
      16 + 32 + 8 + 4 + 64,
      (b) => batchPreimage(b.cluster, b.time, b.requests),
      batch,
      {
        cluster: { ...batch, cluster: clusterOf(2) },
        time: { ...batch, time: timestampMs(1_001) },
        "another request": { ...batch, requests: [digestOf(3), digestOf(5)] },
        "another order": { ...batch, requests: [digestOf(4), digestOf(3)] },
        "one less": { ...batch, requests: [digestOf(3)] },
        none: { ...batch, requests: [] },
      },
    ),
    sampleOf(
      "history",
      "quorate-history",
      16 + 32 + 32 + 8 + 32,
      (h) => historyPreimage(h.cluster, h.previous, h.seq, h.batch),
      history,
      {
        cluster: { ...history, cluster: clusterOf(2) },
        previous: { ...history, previous: digestOf(6) },
        seq: { ...history, seq: sequenceNumber(5) },
        batch: { ...history, batch: digestOf(6) },
        "the digests swapped": { ...history, previous: history.batch, batch: history.previous },
      },
    ),
    sampleOf("seed", "quorate-seed", 16 + 32 + 32 + 8, (s) => seedPreimage(s.cluster, s.history, s.seq), seed, {
      cluster: { ...seed, cluster: clusterOf(2) },
      history: { ...seed, history: digestOf(6) },
      seq: { ...seed, seq: sequenceNumber(5) },
    }),
    sampleOf(
      "session",
      "quorate-session",
      16 + 32 + 32 + 32 + 8 + 4,
      (s) => sessionPreimage(s.cluster, s.client, s.nonce, s.seq, s.index),
      session,
      {
        cluster: { ...session, cluster: clusterOf(2) },
        client: { ...session, client: keyOf(7) },
        nonce: { ...session, nonce: digestOf(7) },
        seq: { ...session, seq: sequenceNumber(6) },
        index: { ...session, index: 7 },
      },
    ),
  ];
}

function outputs(): Sample[] {
  const statement = {
    epoch: epochNumber(2),
    seq: sequenceNumber(3),
    historyDigest: digestOf(4),
    outputsRoot: digestOf(5),
  };
  const executed = { cluster: CLUSTER, previous: digestOf(3), statement };
  const leaf = {
    session: sessionOf(2),
    number: requestNumber(3),
    requestDigest: digestOf(4),
    resultDigest: digestOf(5),
  };
  const result = { status: "ok" as const, value: bytes(1, 2, 3) };
  const stated = { cluster: CLUSTER, statement };
  return [
    sampleOf(
      "statement",
      "quorate-state",
      16 + 32 + 8 + 8 + 32 + 32,
      (s) => statementPreimage(s.cluster, s.statement),
      stated,
      {
        cluster: { ...stated, cluster: clusterOf(2) },
        epoch: { ...stated, statement: { ...statement, epoch: epochNumber(3) } },
        seq: { ...stated, statement: { ...statement, seq: sequenceNumber(4) } },
        historyDigest: { ...stated, statement: { ...statement, historyDigest: digestOf(6) } },
        outputsRoot: { ...stated, statement: { ...statement, outputsRoot: digestOf(6) } },
      },
    ),
    sampleOf(
      "execution",
      "quorate-executed",
      16 + 32 + 32 + 8 + 32 + 32,
      (e) => executionPreimage(e.cluster, e.previous, e.statement),
      executed,
      {
        cluster: { ...executed, cluster: clusterOf(2) },
        previous: { ...executed, previous: digestOf(7) },
        seq: { ...executed, statement: { ...statement, seq: sequenceNumber(4) } },
        historyDigest: { ...executed, statement: { ...statement, historyDigest: digestOf(6) } },
        outputsRoot: { ...executed, statement: { ...statement, outputsRoot: digestOf(6) } },
      },
    ),
    sampleOf("output leaf", "quorate-output", 16 + 32 + 8 + 32 + 32, outputLeafPreimage, leaf, {
      session: { ...leaf, session: sessionOf(6) },
      number: { ...leaf, number: requestNumber(4) },
      requestDigest: { ...leaf, requestDigest: digestOf(6) },
      resultDigest: { ...leaf, resultDigest: digestOf(6) },
    }),
    sampleOf<{ status: "ok" | "failed" | "session-unknown"; value: Uint8Array }>(
      "result",
      "quorate-result",
      16 + 1 + 4 + 3,
      resultPreimage,
      result,
      {
        failed: { ...result, status: "failed" },
        "session unknown": { ...result, status: "session-unknown" },
        value: { ...result, value: bytes(1, 2, 4) },
        "a shorter value": { ...result, value: bytes(1, 2) },
        "no value": { ...result, value: bytes() },
      },
    ),
  ];
}

function state(): Sample[] {
  const seed = { batch: digestOf(3), request: 4, operation: 5 };
  const root = { cluster: CLUSTER, root: digestOf(7) };
  return [
    sampleOf(
      "operation seed",
      "quorate-op-seed",
      16 + 32 + 4 + 4,
      (s) => operationSeedPreimage(s.batch, s.request, s.operation),
      seed,
      {
        batch: { ...seed, batch: digestOf(6) },
        request: { ...seed, request: 6 },
        operation: { ...seed, operation: 6 },
        "the places swapped": { ...seed, request: 5, operation: 4 },
      },
    ),
    sampleOf("state root", "quorate-root", 16 + 32 + 32, (r) => stateRootPreimage(r.cluster, r.root), root, {
      cluster: { ...root, cluster: clusterOf(2) },
      root: { ...root, root: digestOf(8) },
    }),
  ];
}

function hello(): Sample {
  const base = {
    cluster: CLUSTER,
    own: { role: "replica", id: replicaId(1), publicKey: keyOf(2) },
    ownNonce: digestOf(3),
    other: { role: "replica", id: replicaId(4), publicKey: keyOf(5) },
    otherNonce: digestOf(6),
  } as const;
  type Hello = {
    cluster: typeof CLUSTER;
    own: Parameters<typeof helloPreimage>[1];
    ownNonce: typeof base.ownNonce;
    other: Parameters<typeof helloPreimage>[3];
    otherNonce: typeof base.otherNonce;
  };
  return sampleOf<Hello>(
    "hello",
    "quorate-hello",
    16 + 4 + 32 + 2 * (1 + 4 + 32 + 32),
    (h) => helloPreimage(h.cluster, h.own, h.ownNonce, h.other, h.otherNonce),
    base,
    {
      cluster: { ...base, cluster: clusterOf(2) },
      "own id": { ...base, own: { ...base.own, id: replicaId(9) } },
      "own key": { ...base, own: { ...base.own, publicKey: keyOf(9) } },
      "own role": { ...base, own: { role: "client", publicKey: keyOf(2) } },
      "own role, observing": { ...base, own: { role: "observer", publicKey: keyOf(2) } },
      "own nonce": { ...base, ownNonce: digestOf(9) },
      "other id": { ...base, other: { ...base.other, id: replicaId(9) } },
      "other key": { ...base, other: { ...base.other, publicKey: keyOf(9) } },
      "other role": { ...base, other: { role: "client", publicKey: keyOf(5) } },
      "other nonce": { ...base, otherNonce: digestOf(9) },
      reflected: { ...base, own: base.other, ownNonce: base.otherNonce, other: base.own, otherNonce: base.ownNonce },
    },
  );
}

function genesis(): Sample {
  const base = genesisWith();
  const members = membersOf(4);
  const [first, ...rest] = members;
  const numbers = {
    ...Object.fromEntries(
      (Object.keys(LIMITS_BOUNDS) as (keyof typeof LIMITS_BOUNDS)[]).map((field) => [
        `limits.${field}`,
        { ...base, limits: { ...DEFAULT_LIMITS, [field]: DEFAULT_LIMITS[field] + 1 } },
      ]),
    ),
    ...Object.fromEntries(
      (Object.keys(TIMEOUTS_BOUNDS) as (keyof typeof TIMEOUTS_BOUNDS)[]).map((field) => [
        `timeouts.${field}`,
        { ...base, timeouts: { ...DEFAULT_TIMEOUTS, [field]: DEFAULT_TIMEOUTS[field] + 1 } },
      ]),
    ),
  };
  const member = 4 + 32 + 4 + "10.0.0.0:4000".length;
  const limitsAndTimeouts = Object.keys(LIMITS_BOUNDS).length + Object.keys(TIMEOUTS_BOUNDS).length;
  return sampleOf(
    "genesis",
    "quorate-genesis",
    16 + 4 + (4 + 12) + 1 + (4 + 4 * member) + (4 + 4 + 3 * 32) + (1 + 4) + 3 * 8 + limitsAndTimeouts * 8,
    genesisPreimage,
    base,
    {
      ...numbers,
      name: { ...base, name: "Test cluster" },
      "a member more": { ...base, members: [...members, memberWith(4)] },
      "a member's id": { ...base, members: [{ ...first!, id: replicaId(9) }, ...rest] },
      "a member's key": { ...base, members: [{ ...first!, publicKey: keyOf(9) }, ...rest] },
      "a member's address": { ...base, members: [{ ...first!, address: "10.0.0.9:4000" }, ...rest] },
      "admin threshold": { ...base, admins: { ...base.admins, threshold: 3 } },
      "admin keys": { ...base, admins: { ...base.admins, keys: [keyOf(1), keyOf(2)] } },
      "no client": { ...base, clients: [] },
      "one client": { ...base, clients: [keyOf(5)] },
      "two clients": { ...base, clients: [keyOf(5), keyOf(6)] },
      checkpointInterval: { ...base, checkpointInterval: 32 },
      windowSize: { ...base, windowSize: 512 },
      rotateEveryBatches: { ...base, rotateEveryBatches: 1 },
    },
  );
}
