import { type Codec, createCodec, type Decoded, type WireLimits, wireLimitsOf } from "@quorate/codec";
import {
  type Batch,
  type CheckpointCertificate,
  type ClientFrame,
  type CommitCertificate,
  type CommittedEntry,
  DEFAULT_LIMITS,
  type Digest,
  digest,
  type Envelope,
  type EpochLink,
  type Evidence,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  epochNumber,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type LogRecord,
  type NewView,
  type NoClaimReason,
  type OperationResult,
  type PrePrepare,
  type PreparedCertificate,
  type PreparedClaim,
  publicKey,
  RESULT_STATUS_CODES,
  type ReadRefusal,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type RefusalCode,
  type ReplicaFrame,
  type ReplicaMessage,
  type ReplicaMessageType,
  type Reply,
  type ReplyStable,
  type Request,
  type ResultStatus,
  replicaId,
  requestNumber,
  type ServerFrame,
  type StateChunk,
  sequenceNumber,
  sessionId,
  timestampMs,
  type ViewChange,
  viewNumber,
} from "@quorate/protocol";

const LIMITS: WireLimits = wireLimitsOf({ limits: DEFAULT_LIMITS });
export const CODEC: Codec = createCodec(LIMITS);

/** One value of every member of a union, by its type: the compiler refuses a table that lacks one. */
type Each<U extends { readonly type: string }> = { readonly [T in U["type"]]: Extract<U, { readonly type: T }> };

const hash = (byte: number): Digest => digest(byte.toString(16).padStart(2, "0").repeat(32));
const signature = (byte: number): Uint8Array => new Uint8Array(64).fill(byte);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** What prepared above checkpoint 256, with a gap. */
const CLAIMS: readonly PreparedClaim[] = [
  { seq: sequenceNumber(257), view: viewNumber(2), digest: hash(0x16) },
  { seq: sequenceNumber(259), view: viewNumber(65_536), digest: hash(0x17) },
];

/** Above 2^32, where shifts no longer reach. */
const LARGE = 2 ** 41 + 12_345;

export const MESSAGES: Each<ReplicaMessage> = {
  "pre-prepare": {
    type: "pre-prepare",
    epoch: epochNumber(0),
    view: viewNumber(1),
    seq: sequenceNumber(2 ** 32),
    digest: hash(0x11),
  },
  prepare: {
    type: "prepare",
    epoch: epochNumber(23),
    view: viewNumber(24),
    seq: sequenceNumber(255),
    digest: hash(0x12),
  },
  commit: {
    type: "commit",
    epoch: epochNumber(256),
    view: viewNumber(65_535),
    seq: sequenceNumber(65_536),
    digest: hash(0x13),
  },
  checkpoint: {
    type: "checkpoint",
    epoch: epochNumber(0),
    seq: sequenceNumber(2 ** 32 - 1),
    stateRoot: hash(0x14),
  },
  status: {
    type: "status",
    epoch: epochNumber(1),
    view: viewNumber(7),
    executed: sequenceNumber(1000),
    stable: sequenceNumber(768),
    accepted: sequenceNumber(1003),
    lacks: [
      { seq: sequenceNumber(1001), prePrepare: true, prepares: false, commits: false },
      { seq: sequenceNumber(1002), prePrepare: false, prepares: true, commits: true },
      { seq: sequenceNumber(LARGE), prePrepare: true, prepares: true, commits: true },
    ],
    target: viewNumber(9),
    viewChangesOf: [replicaId(0), replicaId(3)],
    executionDigest: hash(0x16),
  },
  "fetch-batch": { type: "fetch-batch", epoch: epochNumber(2), seq: sequenceNumber(9), digest: hash(0x15) },
  "fetch-committed": {
    type: "fetch-committed",
    epoch: epochNumber(Number.MAX_SAFE_INTEGER),
    first: sequenceNumber(10),
    last: sequenceNumber(73),
  },
  "view-change": {
    type: "view-change",
    epoch: epochNumber(0),
    view: viewNumber(65_537),
    stable: { seq: sequenceNumber(256), stateRoot: hash(0x43) },
    prepared: CLAIMS,
  },
  "new-view": {
    type: "new-view",
    epoch: epochNumber(0),
    view: viewNumber(65_537),
    viewChanges: [0, 1, 2 ** 31 - 1].map((from, i) => ({ from: replicaId(from), digest: hash(0x18 + i) })),
    start: sequenceNumber(256),
    digests: [hash(0x16), hash(0x1b), hash(0x17)],
  },
  "hand-over": { type: "hand-over", epoch: epochNumber(3), view: viewNumber(2 ** 32) },
  "query-stable": {
    type: "query-stable",
    epoch: epochNumber(0),
    nonce: hash(0x1c),
    until: sequenceNumber(1_280),
    view: viewNumber(9),
  },
  "reply-stable": {
    type: "reply-stable",
    epoch: epochNumber(0),
    nonce: hash(0x1c),
    stable: { seq: sequenceNumber(256), stateRoot: hash(0x43) },
    view: viewNumber(7),
  },
};

/** Those of the two admin keys that approve. */
const APPROVALS = [0x2a, 0x2b].map((byte) => ({ key: publicKey(hash(byte)), signature: signature(byte) }));
const CHANGES: Each<ReconfigurationChange> = {
  join: {
    type: "join",
    member: { id: replicaId(4), publicKey: publicKey(hash(0x2c)), address: "münchen.example:7004" },
    checkpoint: { seq: sequenceNumber(256), stateRoot: hash(0x43) },
    loss: hash(0x2d),
  },
  leave: { type: "leave", id: replicaId(3), mayLowerFaultThreshold: true },
  rejoin: { type: "rejoin", id: replicaId(2 ** 31 - 1), loss: hash(0x2d) },
  "rotate-key": { type: "rotate-key", id: replicaId(0), publicKey: publicKey(hash(0x2e)) },
  // They need not ascend: their order is what is signed.
  admins: { type: "admins", admins: { threshold: 2, keys: [0x2f, 0x2a, 0x2b].map((byte) => publicKey(hash(byte))) } },
  parameters: { type: "parameters", checkpointInterval: 64, windowSize: 256 },
  admit: { type: "admit", client: publicKey(hash(0x21)) },
  expel: { type: "expel", client: publicKey(hash(0x21)) },
};

function changing(change: ReconfigurationChange): ReconfigurationRequest {
  return {
    type: "reconfiguration",
    client: publicKey(hash(0x29)),
    epoch: epochNumber(1),
    nonce: hash(0x2d),
    change,
    approvals: APPROVALS,
    possession: change.type === "join" || change.type === "rotate-key" ? signature(0x2c) : new Uint8Array(0),
    signature: signature(0x29),
  };
}

export const REQUESTS: Each<Request> = {
  operations: {
    type: "operations",
    client: publicKey(hash(0x21)),
    session: sessionId(hash(0x22)),
    number: requestNumber(300),
    operations: [text("put a 1"), new Uint8Array(0), text("__proto__"), new Uint8Array(30).fill(0xff)],
    signature: signature(0x23),
  },
  registration: {
    type: "registration",
    client: publicKey(hash(0x24)),
    nonce: hash(0x25),
    lastValid: sequenceNumber(100_000),
    signature: signature(0x26),
  },
  checkpoint: {
    type: "checkpoint",
    client: publicKey(hash(0x27)),
    epoch: epochNumber(0),
    above: sequenceNumber(2 ** 32 + 6),
    signature: signature(0x28),
  },
  reconfiguration: changing(CHANGES.join),
};

function enveloped<M extends ReplicaMessage>(message: M, from = 2): Envelope<M> {
  return { from: replicaId(from), message, signature: signature(0x31) };
}

const BATCH: Batch = {
  timestampMs: timestampMs(1_790_000_000_123),
  requests: [REQUESTS.operations, REQUESTS.registration],
};
export const NULL_BATCH: Batch = { timestampMs: timestampMs(0), requests: [] };
const SIGNATURES = [0, 1, 2 ** 31 - 1].map((from, i) => ({
  from: replicaId(from),
  signature: signature(0x41 + i),
}));
const COMMIT_CERTIFICATE: CommitCertificate = {
  epoch: epochNumber(0),
  view: viewNumber(3),
  seq: sequenceNumber(77),
  digest: hash(0x42),
  signatures: SIGNATURES,
};
const ENTRY: CommittedEntry = { batch: BATCH, certificate: COMMIT_CERTIFICATE };
const CHECKPOINT: CheckpointCertificate = {
  epoch: epochNumber(0),
  seq: sequenceNumber(256),
  stateRoot: hash(0x43),
  signatures: SIGNATURES,
};

type Signed = Exclude<ReplicaMessageType, "pre-prepare" | "view-change" | "new-view" | "query-stable" | "reply-stable">;
const SIGNED: { readonly [T in Signed]: Envelope<Extract<ReplicaMessage, { readonly type: T }>> } = {
  prepare: enveloped(MESSAGES.prepare),
  commit: enveloped(MESSAGES.commit, 0),
  checkpoint: enveloped(MESSAGES.checkpoint, 2 ** 31 - 1),
  status: enveloped(MESSAGES.status),
  "fetch-batch": enveloped(MESSAGES["fetch-batch"]),
  "fetch-committed": enveloped(MESSAGES["fetch-committed"]),
  "hand-over": enveloped(MESSAGES["hand-over"]),
};
const PRE_PREPARE: Envelope<PrePrepare> = enveloped(MESSAGES["pre-prepare"]);

const CERTIFICATES: readonly PreparedCertificate[] = CLAIMS.map(({ seq, view, digest }) => ({
  prePrepare: enveloped({ type: "pre-prepare", epoch: epochNumber(0), view, seq, digest }),
  prepares: SIGNATURES,
}));
const VIEW_CHANGE: JustifiedViewChange = {
  envelope: enveloped(MESSAGES["view-change"]),
  checkpoint: CHECKPOINT,
  certificates: CERTIFICATES,
};
/** The first of a replica that never did anything. */
const BARE_MESSAGE: ViewChange = {
  type: "view-change",
  epoch: epochNumber(0),
  view: viewNumber(1),
  stable: { seq: sequenceNumber(0), stateRoot: hash(0x44) },
  prepared: [],
};
const GENESIS_CHECKPOINT: CheckpointCertificate = {
  epoch: epochNumber(0),
  seq: sequenceNumber(0),
  stateRoot: hash(0x44),
  signatures: [],
};
const BARE_VIEW_CHANGE: JustifiedViewChange = {
  envelope: enveloped(BARE_MESSAGE),
  checkpoint: GENESIS_CHECKPOINT,
  certificates: [],
};
const VIEW_CHANGES = SIGNATURES.map(({ from }) => enveloped(MESSAGES["view-change"], from));
const NEW_VIEW: JustifiedNewView = {
  envelope: enveloped(MESSAGES["new-view"], 1),
  viewChanges: VIEW_CHANGES,
  checkpoint: CHECKPOINT,
  certificates: CERTIFICATES,
  prePrepareSignatures: [signature(0x33), signature(0x34), signature(0x35)],
};
const BARE_NEW_VIEW: JustifiedNewView = {
  envelope: enveloped<NewView>({ ...MESSAGES["new-view"], start: sequenceNumber(0), digests: [] }, 1),
  viewChanges: SIGNATURES.map(({ from }) => enveloped(BARE_MESSAGE, from)),
  checkpoint: GENESIS_CHECKPOINT,
  certificates: [],
  prePrepareSignatures: [],
};

const REPLY_STABLE: JustifiedReplyStable = { envelope: enveloped(MESSAGES["reply-stable"]), checkpoint: CHECKPOINT };
const BARE_REPLY_STABLE: JustifiedReplyStable = {
  envelope: enveloped<ReplyStable>({ ...MESSAGES["reply-stable"], stable: BARE_MESSAGE.stable }, 3),
  checkpoint: GENESIS_CHECKPOINT,
};

const CHUNK: StateChunk = {
  request: 7,
  seq: sequenceNumber(256),
  items: [
    { type: "page", page: Uint8Array.of(2, 3, 4) },
    { type: "missing" },
    { type: "values", values: [text("value"), new Uint8Array(0)], missing: [1, 3] },
    { type: "whole", page: Uint8Array.of(1, 2), values: [text("all"), text("of it")], missing: [0] },
  ],
  left: 300_000,
};

/** How epoch 1 follows from genesis, and 2 from it. */
const LINKS: readonly EpochLink[] = [1, 2].map((depth, i) => ({
  certificate: { ...CHECKPOINT, epoch: epochNumber(i), seq: sequenceNumber(1_024 * depth) },
  record: Uint8Array.of(0, 0, 0, depth),
  proof: {
    excerpts: Array.from({ length: depth }, (_, at) => ({
      head: new Uint8Array(EXCERPT_HEAD_BYTES).fill(0x81 + at),
      group: new Uint8Array(EXCERPT_GROUP_BYTES).fill(0x91 + at),
    })),
    slots: depth === 1 ? undefined : new Uint8Array(100).fill(0xa1),
  },
}));
const FETCH_EPOCHS = { type: "fetch-epochs", fetch: { above: epochNumber(2 ** 32) } } as const;
const EPOCH_LINKS = { type: "epoch-links", links: LINKS } as const;

const PROOFS = LINKS.map(({ proof }) => proof);
const READ = {
  id: 9,
  type: "values",
  certificate: CHECKPOINT,
  values: [
    { value: text("there"), proof: PROOFS[1]! },
    { value: undefined, proof: PROOFS[0]! },
  ],
} as const;
const RANGE_READ = {
  id: 10,
  type: "entries",
  certificate: CHECKPOINT,
  entries: [
    { key: text("a"), value: text("first"), proof: PROOFS[1]! },
    { key: text("b"), value: new Uint8Array(0), proof: PROOFS[1]! },
  ],
  next: text("c"),
} as const;

const REPLICA_FRAMES: Each<ReplicaFrame> = {
  "pre-prepare": { type: "pre-prepare", envelope: PRE_PREPARE, batch: BATCH },
  signed: { type: "signed", envelope: SIGNED.prepare },
  request: { type: "request", request: REQUESTS.operations },
  "batch-body": { type: "batch-body", batch: BATCH },
  committed: { type: "committed", entry: ENTRY },
  "below-history": { type: "below-history", checkpoint: CHECKPOINT },
  "stable-checkpoint": { type: "stable-checkpoint", checkpoint: { ...CHECKPOINT, signatures: [] } },
  "view-change": { type: "view-change", viewChange: VIEW_CHANGE },
  "new-view": { type: "new-view", newView: NEW_VIEW },
  "query-stable": { type: "query-stable", envelope: enveloped(MESSAGES["query-stable"]) },
  "reply-stable": { type: "reply-stable", reply: REPLY_STABLE },
  "fetch-state": {
    type: "fetch-state",
    fetch: {
      request: 7,
      seq: sequenceNumber(256),
      bytesMax: 262_144,
      takesDeflated: true,
      items: [
        { type: "page", prefix: new Uint8Array(0) },
        { type: "page", prefix: Uint8Array.of(2, 255) },
        { type: "values", prefix: Uint8Array.of(0), indexes: [0, 5, 63] },
        { type: "whole", prefix: Uint8Array.of(2, 7) },
      ],
    },
  },
  "state-chunk": { type: "state-chunk", chunk: CHUNK },
  "deflated-chunk": {
    type: "deflated-chunk",
    chunk: { request: 7, seq: sequenceNumber(256), length: 300, deflated: Uint8Array.of(1, 2, 3) },
  },
  "state-unavailable": {
    type: "state-unavailable",
    unavailable: { seq: sequenceNumber(256), stable: sequenceNumber(384) },
  },
  "fetch-epochs": FETCH_EPOCHS,
  "epoch-links": EPOCH_LINKS,
  "fetch-history": {
    type: "fetch-history",
    fetch: { epoch: epochNumber(2), first: sequenceNumber(LARGE), last: sequenceNumber(LARGE + 63) },
  },
};

const statuses = Object.keys(RESULT_STATUS_CODES) as ResultStatus[];
const RESULTS: readonly OperationResult[] = [
  { status: "ok", value: text("1") },
  { status: "failed", value: new Uint8Array(0) },
];
export const REPLY: Reply = {
  from: replicaId(3),
  statement: {
    epoch: epochNumber(0),
    seq: sequenceNumber(LARGE),
    historyDigest: hash(0x51),
    outputsRoot: hash(0x52),
  },
  signature: signature(0x53),
  session: sessionId(hash(0x54)),
  number: requestNumber(5),
  requestDigest: hash(0x55),
  results: RESULTS,
  path: { index: 2, size: 5, siblings: [hash(0x56), hash(0x57)] },
  view: viewNumber(1),
};
const SERVER_FRAMES: Each<ServerFrame> = {
  reply: { type: "reply", reply: REPLY },
  refused: { type: "refused", requestDigest: hash(0x61), code: "overloaded" },
  welcome: { type: "welcome", epoch: epochNumber(0), view: viewNumber(4), executed: sequenceNumber(2 ** 53 - 1) },
  "epoch-links": EPOCH_LINKS,
  "state-read": { type: "state-read", read: READ },
  "join-claim": { type: "join-claim", claim: { change: CHANGES.join, possession: signature(0x2c) } },
  "no-claim": { type: "no-claim", reason: "epoch-other" },
};
const READ_REFUSALS: { readonly [R in ReadRefusal]: true } = {
  "no-checkpoint": true,
  "no-state": true,
  "over-budget": true,
  "not-readable": true,
  "too-large": true,
};
const NO_CLAIMS: { readonly [R in Exclude<NoClaimReason, "epoch-other">]: ServerFrame } = {
  member: { type: "no-claim", reason: "member" },
  "not-level": { type: "no-claim", reason: "not-level" },
  "no-address": { type: "no-claim", reason: "no-address" },
};
const REFUSALS: { readonly [C in RefusalCode]: ServerFrame } = {
  overloaded: { type: "refused", requestDigest: hash(0x62), code: "overloaded" },
};
const CLIENT_FRAMES: Each<ClientFrame> = {
  request: { type: "request", request: REQUESTS.operations },
  "fetch-epochs": FETCH_EPOCHS,
  "read-state": {
    type: "read-state",
    read: { id: 9, query: { type: "keys", keys: [text("there"), new Uint8Array(0)] } },
  },
  "fetch-claim": { type: "fetch-claim", fetch: { epoch: epochNumber(3), id: replicaId(2 ** 31 - 1) } },
};
const LOG_RECORDS: Each<LogRecord> = {
  "pre-prepared": { type: "pre-prepared", envelope: PRE_PREPARE, batch: BATCH },
  prepared: { type: "prepared", certificate: { prePrepare: PRE_PREPARE, prepares: SIGNATURES } },
  stable: { type: "stable", checkpoint: CHECKPOINT },
  "view-change": { type: "view-change", at: sequenceNumber(256), viewChange: VIEW_CHANGE },
  "new-view": { type: "new-view", at: sequenceNumber(384), newView: NEW_VIEW },
  mute: { type: "mute", at: sequenceNumber(384), replies: [REPLY_STABLE, BARE_REPLY_STABLE] },
  released: { type: "released", epoch: epochNumber(3), at: sequenceNumber(1_280), nonce: hash(0x1c) },
};
const { signature: _one, from: _from, view: _view, ...RECEIPT } = REPLY;
const EVIDENCE: Each<Evidence> = {
  equivocation: {
    type: "equivocation",
    first: enveloped(MESSAGES.prepare),
    second: enveloped({ ...MESSAGES.prepare, digest: hash(0x71) }),
  },
  "unjustified-new-view": {
    type: "unjustified-new-view",
    newView: enveloped(MESSAGES["new-view"], 1),
    viewChanges: VIEW_CHANGES,
  },
};

/** What the codec encodes, as the names of its methods tell; and the type of each. */
export type Kind = { [M in keyof Codec]: M extends `encode${infer K}` ? K : never }[keyof Codec];
type ValueOf<K extends Kind> = Parameters<Codec[`encode${K}`]>[0];

/** Every kind with at least one value of each of its types: a new method or type does not compile until it is here. */
export const SAMPLES: { readonly [K in Kind]: { readonly [name: string]: ValueOf<K> } } = {
  ReplicaFrame: {
    ...REPLICA_FRAMES,
    ...mapValues(SIGNED, (envelope): ReplicaFrame => ({ type: "signed", envelope })),
    registration: { type: "request", request: REQUESTS.registration },
    "ordered checkpoint": { type: "request", request: REQUESTS.checkpoint },
    "null batch": { type: "batch-body", batch: NULL_BATCH },
    "settled status": {
      type: "signed",
      envelope: enveloped({
        ...MESSAGES.status,
        target: MESSAGES.status.view,
        viewChangesOf: [],
        executionDigest: undefined,
      }),
    },
    "bare view-change": { type: "view-change", viewChange: BARE_VIEW_CHANGE },
    "bare new-view": { type: "new-view", newView: BARE_NEW_VIEW },
    "fetch-state of plain chunks": {
      type: "fetch-state",
      fetch: {
        ...{ request: 8, seq: sequenceNumber(256), bytesMax: 1000, takesDeflated: false },
        items: [{ type: "page", prefix: new Uint8Array(0) }],
      },
    },
    "bare state-chunk": { type: "state-chunk", chunk: { ...CHUNK, items: [], left: 1 } },
    "bare reply-stable": { type: "reply-stable", reply: BARE_REPLY_STABLE },
    reconfigurations: {
      type: "batch-body",
      batch: { ...BATCH, requests: [REQUESTS.operations, changing(CHANGES.leave), changing(CHANGES.admins)] },
    },
    "no epoch-links": { type: "epoch-links", links: [] },
  } satisfies Each<ReplicaFrame> & { readonly [T in Signed]: ReplicaFrame } & { readonly [name: string]: ReplicaFrame },
  ClientFrame: {
    ...CLIENT_FRAMES,
    registration: { type: "request", request: REQUESTS.registration },
    "ordered checkpoint": { type: "request", request: REQUESTS.checkpoint },
    ...mapValues(CHANGES, (change): ClientFrame => ({ type: "request", request: changing(change) })),
    "read-state of a range": {
      type: "read-state",
      read: { id: 10, query: { type: "range", from: text("a"), to: text("q"), limit: 2 } },
    },
    "read-state to the end": {
      type: "read-state",
      read: { id: 11, query: { type: "range", from: new Uint8Array(0), to: undefined, limit: 64 } },
    },
    "change without approvals": {
      type: "request",
      request: { ...changing(CHANGES.join), approvals: [] },
    },
  },
  ServerFrame: {
    ...SERVER_FRAMES,
    ...mapValues(REFUSALS, (frame) => frame),
    ...mapValues(NO_CLAIMS, (frame) => frame),
    ...Object.fromEntries(
      Object.keys(READ_REFUSALS).map((reason): [string, ServerFrame] => [
        `unavailable: ${reason}`,
        { type: "state-read", read: { id: 9, type: "unavailable", reason: reason as ReadRefusal } },
      ]),
    ),
    "state-read of a range": { type: "state-read", read: RANGE_READ },
    "state-read of an empty range": { type: "state-read", read: { ...RANGE_READ, entries: [], next: undefined } },
    ...Object.fromEntries(
      statuses.map((status): [string, ServerFrame] => [
        status,
        { type: "reply", reply: { ...REPLY, results: [{ status, value: text("why") }] } },
      ]),
    ),
  },
  LogRecord: LOG_RECORDS,
  CommittedEntry: { entry: ENTRY },
  CheckpointCertificate: { certificate: CHECKPOINT, genesis: { ...CHECKPOINT, signatures: [] } },
  EpochLink: { first: LINKS[0]!, later: LINKS[1]! },
  Receipt: { receipt: { ...RECEIPT, signatures: SIGNATURES } },
  Evidence: {
    ...EVIDENCE,
    "of checkpoints": {
      type: "equivocation",
      first: SIGNED.checkpoint,
      second: enveloped({ ...MESSAGES.checkpoint, stateRoot: hash(0x72) }),
    },
    "of view changes": {
      type: "equivocation",
      first: enveloped(MESSAGES["view-change"]),
      second: enveloped({ ...MESSAGES["view-change"], prepared: [] }),
    },
    "of new views": {
      type: "equivocation",
      first: enveloped(MESSAGES["new-view"]),
      second: enveloped({ ...MESSAGES["new-view"], digests: [] }),
    },
  },
};

function mapValues<K extends string, A, B>(record: { readonly [P in K]: A }, f: (value: A) => B): { [P in K]: B } {
  const entries = (Object.keys(record) as K[]).map((key) => [key, f(record[key])]);
  return Object.fromEntries(entries) as { [P in K]: B };
}

/** One kind with its two directions, for tests that treat all alike. */
export interface Shape {
  readonly kind: Kind;
  readonly samples: { readonly [name: string]: unknown };
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): Decoded<unknown>;
}
export const SHAPES: readonly Shape[] = (Object.keys(SAMPLES) as Kind[]).map((kind) => ({
  kind,
  samples: SAMPLES[kind],
  encode: (value) => (CODEC[`encode${kind}`] as (value: unknown) => Uint8Array)(value),
  decode: (bytes) => CODEC[`decode${kind}`](bytes),
}));
export const SAMPLE_LIST: readonly { readonly shape: Shape; readonly name: string; readonly value: unknown }[] =
  SHAPES.flatMap((shape) => Object.entries(shape.samples).map(([name, value]) => ({ shape, name, value })));
