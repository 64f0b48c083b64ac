import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import {
  ADDRESS_BYTES_MAX,
  APPROVALS_MAX,
  BATCH_RECONFIGURATIONS_MAX,
  type CheckpointCertificate,
  type ClientFrame,
  CONFIGURATION_BYTES_MAX,
  type CommittedEntry,
  DEFAULT_LIMITS,
  digest,
  EPOCH_LINKS_MAX,
  type EpochLink,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  epochNumber,
  FETCH_STATE_ITEMS_MAX,
  type FetchState,
  type JustifiedNewView,
  type JustifiedViewChange,
  type Limits,
  type NewView,
  PROOF_SLOTS_BYTES_MAX,
  type PreparedCertificate,
  type PreparedClaim,
  type ProvenValue,
  proofBytes,
  publicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
  replicaId,
  requestNumber,
  type ServerFrame,
  STATE_BUCKET_VALUES_MAX,
  STATE_KEY_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  STATE_READ_KEYS_MAX,
  type StateQuery,
  type StateRead,
  sequenceNumber,
  sessionId,
  stateChunkBytesMax,
  stateReadBytesMax,
  timestampMs,
  type ViewChange,
  viewNumber,
  WINDOW_SIZE_MAX,
  windowSizeMaxOf,
} from "@quorate/protocol";
import { expect } from "chai";
import { header } from "./cbor-bytes.ts";

const COUNTER = Number.MAX_SAFE_INTEGER;
const HASH = digest("ff".repeat(32));
const SIGNATURE = new Uint8Array(64).fill(0xff);
const SIGNATURES = Array.from({ length: 64 }, (_, i) => ({ from: replicaId(2 ** 31 - 64 + i), signature: SIGNATURE }));

function request(operations: readonly Uint8Array[]): Request {
  return {
    type: "operations",
    client: publicKey(HASH),
    session: sessionId(HASH),
    number: requestNumber(COUNTER),
    operations,
    signature: SIGNATURE,
  };
}

/** A committed frame with everything at its limit: `batchBytesMax` in as many operations as are legal. */
function largestFrame(limits: Limits, operations: number): ReplicaFrame {
  const size = Math.floor(limits.batchBytesMax / operations);
  const perRequest = Math.ceil(operations / limits.batchRequestsMax);
  const requests = Array.from({ length: limits.batchRequestsMax }, () =>
    request(Array.from({ length: perRequest }, () => new Uint8Array(size).fill(0xa5))),
  );
  return {
    type: "committed",
    entry: {
      batch: { timestampMs: timestampMs(COUNTER), requests },
      certificate: {
        epoch: epochNumber(COUNTER),
        view: viewNumber(COUNTER),
        seq: sequenceNumber(COUNTER),
        digest: HASH,
        signatures: SIGNATURES,
      },
    },
  };
}

/** With as much of everything as is legal. */
function largestReconfiguration(type: "join" | "admins"): Request {
  const keys = Array.from({ length: APPROVALS_MAX }, (_, i) => publicKey((0xf00 + i).toString(16).padStart(64, "f")));
  const address = "a".repeat(ADDRESS_BYTES_MAX);
  const changes = {
    join: {
      type: "join",
      member: { id: replicaId(2 ** 31 - 1), publicKey: publicKey(HASH), address },
      checkpoint: { seq: sequenceNumber(COUNTER), stateRoot: HASH },
      loss: HASH,
    },
    admins: { type: "admins", admins: { threshold: APPROVALS_MAX, keys } },
  } as const;
  return {
    type: "reconfiguration",
    client: publicKey(HASH),
    epoch: epochNumber(COUNTER),
    nonce: HASH,
    change: changes[type],
    approvals: keys.map((key) => ({ key, signature: SIGNATURE })),
    possession: type === "join" ? SIGNATURE : new Uint8Array(0),
    signature: SIGNATURE,
  };
}

/** A batch full of operations beside as many reconfigurations as are legal. */
function largestMixedEntry(limits: Limits, type: "join" | "admins"): CommittedEntry {
  const full = largestFrame(limits, limits.batchOperationsMax);
  if (full.type !== "committed") throw new Error("the frame is another");
  const count = Math.min(limits.batchRequestsMax, BATCH_RECONFIGURATIONS_MAX);
  const changes = new Array(count).fill(largestReconfiguration(type));
  // With a single place there are either operations or a change.
  const operations = full.entry.batch.requests.slice(count);
  const batch = { timestampMs: timestampMs(COUNTER), requests: [...operations, ...changes] };
  return { ...full.entry, batch };
}

function largestLinks(): readonly EpochLink[] {
  return Array.from({ length: EPOCH_LINKS_MAX }, (_, i) => ({
    certificate: { ...CHECKPOINT, epoch: epochNumber(COUNTER - EPOCH_LINKS_MAX + i) },
    record: new Uint8Array(CONFIGURATION_BYTES_MAX),
    proof: {
      excerpts: new Array(STATE_PROOF_EXCERPTS_MAX).fill({
        head: new Uint8Array(EXCERPT_HEAD_BYTES),
        group: new Uint8Array(EXCERPT_GROUP_BYTES),
      }),
      slots: new Uint8Array(PROOF_SLOTS_BYTES_MAX),
    },
  }));
}

/** Full, of as many values and entries as there can be. */
function largestReads(limits: Limits): readonly StateRead[] {
  const certificate = CHECKPOINT;
  const [{ proof }] = largestLinks() as [EpochLink];
  const key = new Uint8Array(STATE_KEY_BYTES_MAX);
  const left = stateReadBytesMax(limits) - proofBytes(proof);
  const small: ProvenValue = {
    value: new Uint8Array(0),
    proof: { excerpts: proof.excerpts.slice(0, 1), slots: undefined },
  };
  const others = Array.from({ length: STATE_READ_KEYS_MAX - 1 }, () => small);
  const value = new Uint8Array(left - others.length * proofBytes(small.proof));
  const entry = { key, value: new Uint8Array(left - key.length), proof };
  return [
    { id: COUNTER, type: "values", certificate, values: [{ value, proof }, ...others] },
    { id: COUNTER, type: "entries", certificate, entries: [entry], next: key },
  ];
}

/** The greatest L of a cluster with the default limits. */
const WINDOW = windowSizeMaxOf(DEFAULT_LIMITS);
const CLAIMS: readonly PreparedClaim[] = Array.from({ length: WINDOW }, (_, i) => ({
  seq: sequenceNumber(COUNTER - WINDOW + 1 + i),
  view: viewNumber(COUNTER - 1),
  digest: HASH,
}));
const CHECKPOINT: CheckpointCertificate = {
  epoch: epochNumber(COUNTER),
  seq: sequenceNumber(COUNTER - WINDOW),
  stateRoot: HASH,
  signatures: SIGNATURES,
};
const CERTIFICATES: readonly PreparedCertificate[] = CLAIMS.map((claim) => ({
  prePrepare: {
    from: replicaId(2 ** 31 - 1),
    message: { type: "pre-prepare", epoch: epochNumber(COUNTER), ...claim },
    signature: SIGNATURE,
  },
  prepares: SIGNATURES,
}));

/** A claim for each number of the window. */
function largestViewChange(from: ReplicaId): JustifiedViewChange {
  const message: ViewChange = {
    type: "view-change",
    epoch: epochNumber(COUNTER),
    view: viewNumber(COUNTER),
    stable: { seq: CHECKPOINT.seq, stateRoot: HASH },
    prepared: CLAIMS,
  };
  return { envelope: { from, message, signature: SIGNATURE }, checkpoint: CHECKPOINT, certificates: CERTIFICATES };
}

/** All members claim all that the window holds. */
function largestNewView(): JustifiedNewView {
  const message: NewView = {
    type: "new-view",
    epoch: epochNumber(COUNTER),
    view: viewNumber(COUNTER),
    viewChanges: SIGNATURES.map(({ from }) => ({ from, digest: HASH })),
    start: CHECKPOINT.seq,
    digests: CLAIMS.map(({ digest: each }) => each),
  };
  return {
    envelope: { from: replicaId(2 ** 31 - 1), message, signature: SIGNATURE },
    viewChanges: SIGNATURES.map(({ from }) => largestViewChange(from).envelope),
    checkpoint: CHECKPOINT,
    certificates: CERTIFICATES,
    prePrepareSignatures: CLAIMS.map(() => SIGNATURE),
  };
}

const ITEMS = Array.from({ length: FETCH_STATE_ITEMS_MAX }, (_, i) => i);
const LARGEST_FETCH: FetchState = {
  request: COUNTER,
  seq: sequenceNumber(COUNTER),
  bytesMax: COUNTER,
  takesDeflated: true,
  items: ITEMS.map(() => ({
    type: "values",
    prefix: new Uint8Array(33),
    indexes: Array.from({ length: STATE_BUCKET_VALUES_MAX }, (_, i) => i),
  })),
};

/** All content that is legal, in so many values of each item. */
function largestChunk(bytes: number, perItem: number): ReplicaFrame {
  const size = Math.floor(bytes / perItem / FETCH_STATE_ITEMS_MAX);
  const items = ITEMS.map(() => ({
    type: "values" as const,
    missing: [],
    values: Array.from({ length: perItem }, () => new Uint8Array(size)),
  }));
  return { type: "state-chunk", chunk: { request: COUNTER, seq: sequenceNumber(COUNTER), items, left: bytes } };
}

/** The fastest of three, so that a busy machine fails nobody; the bounds are for complexity, not for speed. */
function millisecondsOf(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const FOUR_MEGABYTES: Limits = { ...DEFAULT_LIMITS, batchBytesMax: 4 << 20, requestBytesMax: 4 << 20 };
/** The least that genesis may have of what a frame's size depends on. */
const LEAST: Limits = {
  ...DEFAULT_LIMITS,
  ...{ batchBytesMax: 1024, batchRequestsMax: 1, batchOperationsMax: 1 },
  ...{ requestOperationsMax: 1, requestBytesMax: 1024, resultBytesMax: 1024 },
};

describe("codec limits", () => {
  it("computes the sizes that docs/wire.md states for the default limits", () => {
    const limits = wireLimitsOf({ limits: DEFAULT_LIMITS });

    expect(limits.replicaFrameBytesMax).to.equal(8_730_840);
    expect(limits.clientFrameBytesMax).to.equal(547_325);
    expect(limits.serverFrameBytesMax).to.equal(1_377_944);
    expect(limits.epochLink.bytesMax).to.equal(76_410);
    const { clientFrameBytesMax } = wireLimitsOf({ limits: LEAST });
    // 64 of the longest keys to read.
    expect(clientFrameBytesMax).to.equal(3 * (1 + 9) + 5 + 64 * 1_029);
  });

  it("leaves room for the largest frame of every division of the bytes", () => {
    for (const limits of [DEFAULT_LIMITS, FOUR_MEGABYTES]) {
      const codec = createCodec(wireLimitsOf({ limits }));
      for (const operations of [512, 512 * 7, limits.batchOperationsMax]) {
        const bytes = codec.encodeReplicaFrame(largestFrame(limits, operations));
        expect(codec.decodeReplicaFrame(bytes).ok, `${operations} operations`).to.equal(true);
      }
    }
  });

  it("leaves room for the largest request and the largest reply", () => {
    const codec = createCodec(wireLimitsOf({ limits: DEFAULT_LIMITS }));
    const { requestOperationsMax, requestBytesMax, resultBytesMax } = DEFAULT_LIMITS;
    for (const count of [1, 2, requestOperationsMax]) {
      const size = requestBytesMax / count;
      const bytes = codec.encodeClientFrame({ type: "request", request: request(split(count, size)) });
      expect(codec.decodeClientFrame(bytes).ok, `${count} operations`).to.equal(true);
    }
    const bytes = codec.encodeServerFrame(
      reply([new Uint8Array(resultBytesMax), ...split(requestOperationsMax - 1, 256)]),
    );
    expect(codec.decodeServerFrame(bytes).ok).to.equal(true);
  });

  it("leaves room for the largest reconfiguration, and for as many of them as one batch may have", () => {
    for (const limits of [DEFAULT_LIMITS, LEAST, { ...LEAST, batchRequestsMax: 5, batchOperationsMax: 5 }]) {
      const codec = createCodec(wireLimitsOf({ limits }));
      for (const type of ["join", "admins"] as const) {
        const frame: ClientFrame = { type: "request", request: largestReconfiguration(type) };
        expect(codec.decodeClientFrame(codec.encodeClientFrame(frame)).ok, type).to.equal(true);
        // No other kind of frame may lend it room.
        const entry = largestMixedEntry(limits, type);
        expect(codec.decodeCommittedEntry(codec.encodeCommittedEntry(entry)).ok, type).to.equal(true);
      }
    }
  });

  it("leaves room for as many of the largest links as one answer may have", () => {
    const links = largestLinks();
    for (const limits of [DEFAULT_LIMITS, LEAST]) {
      const codec = createCodec(wireLimitsOf({ limits }));
      const frame = { type: "epoch-links", links } as const;
      expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(frame)).ok).to.equal(true);
      expect(codec.decodeServerFrame(codec.encodeServerFrame(frame)).ok).to.equal(true);
      for (const link of links) expect(codec.decodeEpochLink(codec.encodeEpochLink(link)).ok).to.equal(true);
    }
    // What a link to a client carries at most.
    const { serverFrameBytesMax } = wireLimitsOf({ limits: LEAST });
    expect(serverFrameBytesMax).to.be.lessThan(4 * 1024 * 1024);
  });

  it("leaves room for the largest reads of the state, and for what they bring", () => {
    const key = new Uint8Array(STATE_KEY_BYTES_MAX);
    const id = COUNTER;
    const queries: StateQuery[] = [
      { type: "keys", keys: new Array(STATE_READ_KEYS_MAX).fill(key) },
      { type: "range", from: key, to: key, limit: STATE_READ_KEYS_MAX },
    ];
    for (const limits of [DEFAULT_LIMITS, FOUR_MEGABYTES, LEAST]) {
      const codec = createCodec(wireLimitsOf({ limits }));
      for (const query of queries) {
        const frame: ClientFrame = { type: "read-state", read: { id, query } };
        expect(codec.decodeClientFrame(codec.encodeClientFrame(frame)).ok, query.type).to.equal(true);
      }
      for (const read of largestReads(limits)) {
        const decoded = codec.decodeServerFrame(codec.encodeServerFrame({ type: "state-read", read }));
        expect(decoded.ok, read.type).to.equal(true);
      }
    }
  });

  it("refuses an answer with more keys, values and proofs than it may have in all", () => {
    const codec = createCodec(wireLimitsOf({ limits: FOUR_MEGABYTES }));
    const [read] = largestReads(FOUR_MEGABYTES);
    if (read?.type !== "values") throw new Error("the read is another");
    const [{ value = new Uint8Array(0), proof }, ...values] = read.values as [ProvenValue, ...ProvenValue[]];
    const longer = { ...read, values: [{ value: new Uint8Array(value.length + 1), proof }, ...values] };

    const decoded = codec.decodeServerFrame(codec.encodeServerFrame({ type: "state-read", read: longer }));

    expect(decoded).to.deep.include({ ok: false });
    if (!decoded.ok) expect(decoded.error).to.deep.include({ code: "too-many", path: "frame.read.values" });
  });

  it("leaves room for the largest VIEW-CHANGE and NEW-VIEW, in frames, in the log and as evidence", () => {
    const codec = createCodec(wireLimitsOf({ limits: DEFAULT_LIMITS }));
    const viewChange = largestViewChange(replicaId(2 ** 31 - 1));
    const newView = largestNewView();
    const { envelope, viewChanges } = newView;

    for (const frame of [
      { type: "view-change", viewChange },
      { type: "new-view", newView },
    ] as const) {
      const decoded = codec.decodeReplicaFrame(codec.encodeReplicaFrame(frame));
      expect(decoded.ok, frame.type).to.equal(true);
      const record = { ...frame, at: sequenceNumber(COUNTER) };
      expect(codec.decodeLogRecord(codec.encodeLogRecord(record)).ok, frame.type).to.equal(true);
    }
    for (const evidence of [
      { type: "unjustified-new-view", newView: envelope, viewChanges },
      { type: "equivocation", first: envelope, second: envelope },
      { type: "equivocation", first: viewChange.envelope, second: viewChange.envelope },
    ] as const)
      expect(codec.decodeEvidence(codec.encodeEvidence(evidence)).ok, evidence.type).to.equal(true);
  });

  it("leaves room for the largest request for state and the largest chunk", () => {
    for (const limits of [DEFAULT_LIMITS, FOUR_MEGABYTES]) {
      const codec = createCodec(wireLimitsOf({ limits }));
      const fetch: ReplicaFrame = { type: "fetch-state", fetch: LARGEST_FETCH };
      expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(fetch)).ok).to.equal(true);
      for (const perItem of [1, 8, STATE_BUCKET_VALUES_MAX]) {
        const frame = largestChunk(stateChunkBytesMax(limits), perItem);
        expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(frame)).ok, `${perItem} an item`).to.equal(true);
      }
    }
  });

  it("has room in its own cost for them, whatever other frames may take", () => {
    const codec = createCodec(wireLimitsOf({ limits: LEAST }));
    const frame = largestChunk(stateChunkBytesMax(LEAST), STATE_BUCKET_VALUES_MAX);
    expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(frame)).ok).to.equal(true);
    const fetch: ReplicaFrame = { type: "fetch-state", fetch: LARGEST_FETCH };
    expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(fetch)).ok).to.equal(true);
  });

  it("keeps the widest window's NEW-VIEW within a frame of 32 MiB, the most that a link carries", () => {
    const limits = { ...DEFAULT_LIMITS, batchBytesMax: 512 * 1024 };
    const { replicaFrameBytesMax, windowSizeMax } = wireLimitsOf({ limits });

    expect(windowSizeMax).to.equal(WINDOW_SIZE_MAX);
    expect(replicaFrameBytesMax).to.be.lessThan(32 * 1024 * 1024);
  });

  it("is not much larger than the largest frame", () => {
    const { replicaFrameBytesMax, clientFrameBytesMax, serverFrameBytesMax } = wireLimitsOf({
      limits: DEFAULT_LIMITS,
    });

    const codec = createCodec(wireLimitsOf({ limits: DEFAULT_LIMITS }));
    const largest = codec.encodeReplicaFrame({ type: "new-view", newView: largestNewView() }).length;
    expect(replicaFrameBytesMax).to.be.lessThan(largest * 1.1);
    expect(clientFrameBytesMax).to.be.lessThan(DEFAULT_LIMITS.requestBytesMax * 1.1);
    expect(serverFrameBytesMax).to.be.lessThan(DEFAULT_LIMITS.resultBytesMax * 1.4);
  });

  it("encodes and decodes the largest legal frames in bounded time", () => {
    const codec = createCodec(wireLimitsOf({ limits: FOUR_MEGABYTES }));
    const newView: ReplicaFrame = { type: "new-view", newView: largestNewView() };
    const usual = createCodec(wireLimitsOf({ limits: DEFAULT_LIMITS }));
    const newViewBytes = usual.encodeReplicaFrame(newView);
    expect(millisecondsOf(() => usual.decodeReplicaFrame(newViewBytes))).to.be.lessThan(3000);
    expect(millisecondsOf(() => usual.encodeReplicaFrame(newView))).to.be.lessThan(3000);

    for (const [operations, boundMs] of [
      [512, 500],
      [FOUR_MEGABYTES.batchOperationsMax, 3000],
    ] as const) {
      const frame = largestFrame(FOUR_MEGABYTES, operations);
      const bytes = codec.encodeReplicaFrame(frame);
      expect(bytes.length).to.be.greaterThan(4 << 20);

      expect(millisecondsOf(() => codec.decodeReplicaFrame(bytes))).to.be.lessThan(boundMs);
      expect(millisecondsOf(() => codec.encodeReplicaFrame(frame))).to.be.lessThan(boundMs);
    }
  });

  it("refuses the nastiest illegal frames in bounded time", () => {
    const { replicaFrameBytesMax: size } = wireLimitsOf({ limits: FOUR_MEGABYTES });
    const codec = createCodec(wireLimitsOf({ limits: FOUR_MEGABYTES }));
    const nasty: Readonly<Record<string, Uint8Array>> = {
      "nested arrays": new Uint8Array(size).fill(0x81),
      "nested tags": new Uint8Array(size).fill(0xc1),
      "empty arrays": listOf(500_000, [0x80]),
      "empty strings in place of requests": frameOf(codec, listOf(500_000, [0x40])),
      "wrong operations": frameOf(codec, listOf(500_000, [0x00])),
      "a long text": Uint8Array.from([...header(3, size - 5), ...new Uint8Array(size - 5).fill(0x61)]),
      "one byte too many": new Uint8Array(size + 1),
      "the largest frame but for its last byte": codec
        .encodeReplicaFrame(largestFrame(FOUR_MEGABYTES, FOUR_MEGABYTES.batchOperationsMax))
        .slice(0, -1),
    };
    for (const [name, bytes] of Object.entries(nasty)) {
      expect(codec.decodeReplicaFrame(bytes).ok, name).to.equal(false);
      expect(
        millisecondsOf(() => codec.decodeReplicaFrame(bytes)),
        name,
      ).to.be.lessThan(500);
    }
  });
});

function split(count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(size));
}

function reply(values: readonly Uint8Array[]): ServerFrame {
  return {
    type: "reply",
    reply: {
      from: replicaId(2 ** 31 - 1),
      statement: {
        epoch: epochNumber(COUNTER),
        seq: sequenceNumber(COUNTER),
        historyDigest: HASH,
        outputsRoot: HASH,
      },
      signature: SIGNATURE,
      session: sessionId(HASH),
      number: requestNumber(COUNTER),
      requestDigest: HASH,
      results: values.map((value) => ({ status: "ok", value })),
      path: { index: 2 ** 31 - 1, size: 2 ** 31, siblings: new Array(31).fill(HASH) },
      view: viewNumber(COUNTER),
    },
  };
}

function listOf(count: number, item: readonly number[]): Uint8Array {
  const head = header(4, count);
  const bytes = new Uint8Array(head.length + count * item.length);
  bytes.set(head);
  for (let i = 0; i < count; i++) bytes.set(item, head.length + i * item.length);
  return bytes;
}

/** A batch-body frame with this in place of the requests. */
function frameOf(codec: Codec, requests: Uint8Array): Uint8Array {
  const empty = codec.encodeReplicaFrame({ type: "batch-body", batch: { timestampMs: timestampMs(0), requests: [] } });
  const bytes = new Uint8Array(empty.length - 1 + requests.length);
  bytes.set(empty.subarray(0, -1));
  bytes.set(requests, empty.length - 1);
  return bytes;
}
