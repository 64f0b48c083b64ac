import {
  BATCH_RECONFIGURATIONS_MAX,
  type Envelope,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  FETCH_COMMITTED_MAX,
  type LogRecord,
  RESULT_STATUS_CODES,
  type ReplicaFrame,
  type ReplicaMessage,
  type ServerFrame,
  STATUS_LACKS_MAX,
} from "@quorate/protocol";
import fc from "fast-check";
import type { Kind } from "./samples.ts";

/** Counters with the edges of every width. */
const counter: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
);
const replica = fc.oneof(fc.nat(5), fc.nat(2 ** 31 - 1));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 });
const bytes = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ maxLength: 300 }));

const signatures = fc
  .uniqueArray(fc.record({ from: replica, signature }), { selector: ({ from }) => from, maxLength: 8 })
  .map((list) => list.sort((a, b) => a.from - b.from));

const threePhase = <T extends string>(type: T) =>
  fc.record({ type: fc.constant(type), epoch: counter, view: counter, seq: counter, digest: hash });
const checkpoint = fc.record({ type: fc.constant("checkpoint"), epoch: counter, seq: counter, stateRoot: hash });
const lack = fc.record({ seq: counter, prePrepare: fc.boolean(), prepares: fc.boolean(), commits: fc.boolean() });
const replicas = fc.uniqueArray(replica, { maxLength: 8 }).map((list) => list.sort((a, b) => a - b));
const status = fc
  .record({
    type: fc.constant("status"),
    epoch: counter,
    view: counter,
    executed: counter,
    stable: counter,
    accepted: counter,
    lacks: fc
      .uniqueArray(lack, { selector: ({ seq }) => seq, maxLength: STATUS_LACKS_MAX })
      .map((list) => list.sort((a, b) => a.seq - b.seq)),
    target: counter,
    viewChangesOf: replicas,
    executionDigest: fc.option(hash, { nil: undefined }),
  })
  .map(({ view, target, viewChangesOf, ...rest }) => ({
    ...rest,
    view: Math.min(view, target),
    target: Math.max(view, target),
    viewChangesOf: view === target ? [] : viewChangesOf,
  }));
const fetchBatch = fc.record({ type: fc.constant("fetch-batch"), epoch: counter, seq: counter, digest: hash });
const handOver = fc.record({ type: fc.constant("hand-over"), epoch: counter, view: counter });
const fetchCommitted = fc
  .record({
    first: fc.maxSafeNat().map((n) => Math.max(0, n - FETCH_COMMITTED_MAX)),
    count: fc.integer({ min: 1, max: FETCH_COMMITTED_MAX }),
    epoch: counter,
  })
  .map(({ first, count, epoch }) => ({ type: "fetch-committed", epoch, first, last: first + count - 1 }));

const enveloped = (message: fc.Arbitrary<object>): fc.Arbitrary<Envelope> =>
  fc.record({ from: replica, message, signature }) as unknown as fc.Arbitrary<Envelope>;
const signedMessage = fc.oneof(
  threePhase("prepare"),
  threePhase("commit"),
  checkpoint,
  status,
  fetchBatch,
  fetchCommitted,
  handOver,
) as unknown as fc.Arbitrary<ReplicaMessage>;
const prePrepare = enveloped(threePhase("pre-prepare"));
const contradicting = enveloped(
  fc.oneof(threePhase("pre-prepare"), threePhase("prepare"), threePhase("commit"), checkpoint),
);

const request = fc.oneof(
  fc.record({
    type: fc.constant("operations"),
    client: hash,
    session: hash,
    number: counter,
    operations: fc.array(bytes, { minLength: 1, maxLength: 6 }),
    signature,
  }),
  fc.record({ type: fc.constant("registration"), client: hash, nonce: hash, lastValid: counter, signature }),
  fc.record({ type: fc.constant("checkpoint"), client: hash, epoch: counter, above: counter, signature }),
  reconfiguration(),
);
const isReconfiguration = ({ type }: { readonly type: string }): boolean => type === "reconfiguration";
const requests = fc
  .array(request, { minLength: 1, maxLength: 5 })
  .filter((list) => list.filter(isReconfiguration).length <= BATCH_RECONFIGURATIONS_MAX);
const batch = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ timestampMs: 0, requests: [] }) },
  {
    weight: 9,
    arbitrary: fc.record({ timestampMs: counter, requests: requests }),
  },
);
const commitCertificate = fc.record({ epoch: counter, view: counter, seq: counter, digest: hash, signatures });
const checkpointCertificate = fc.record({ epoch: counter, seq: counter, stateRoot: hash, signatures });
const entry = fc.record({ batch, certificate: commitCertificate });

/** Of epochs one after the other. */
const epochLinks = fc
  .record({ first: counter.map((epoch) => Math.min(epoch, 2 ** 50)), links: fc.array(epochLink(), { maxLength: 8 }) })
  .map(({ first, links }) =>
    links.map((link, i) => ({ ...link, certificate: { ...link.certificate, epoch: first + i } })),
  );

/** Ascending by number. */
const claims = fc
  .uniqueArray(fc.record({ seq: counter, view: counter, digest: hash }), { selector: ({ seq }) => seq, maxLength: 5 })
  .map((list) => list.sort((a, b) => a.seq - b.seq));
const viewChangeMessage = fc.record({
  type: fc.constant("view-change"),
  epoch: counter,
  view: counter,
  stable: fc.record({ seq: counter, stateRoot: hash }),
  prepared: claims,
});
const queryStable = fc.record({
  type: fc.constant("query-stable"),
  epoch: counter,
  nonce: hash,
  until: counter,
  view: counter,
});
const replyStable = fc
  .record({
    from: replica,
    epoch: counter,
    nonce: hash,
    stable: fc.record({ seq: counter, stateRoot: hash }),
    view: counter,
    signature,
    checkpointEpoch: counter,
    signatures,
  })
  .map(({ from, signature: signed, checkpointEpoch, signatures: signers, ...message }) => ({
    envelope: { from, message: { type: "reply-stable", ...message }, signature: signed },
    checkpoint: { epoch: checkpointEpoch, ...message.stable, signatures: signers },
  }));
/** One of a member, ascending by sender. */
const repliesStable = fc
  .uniqueArray(replyStable, { selector: ({ envelope }) => envelope.from, maxLength: 4 })
  .map((list) => list.sort((a, b) => a.envelope.from - b.envelope.from));
const viewChangeOf = (from: fc.Arbitrary<number>) => fc.record({ from, message: viewChangeMessage, signature });
/** A certificate of each claim. */
const certificatesOf = (proven: readonly { readonly seq: number; readonly view: number; readonly digest: string }[]) =>
  fc.tuple(
    ...proven.map((claim) =>
      fc.record({
        prePrepare: fc.record({
          from: replica,
          message: fc.record({
            type: fc.constant("pre-prepare"),
            epoch: counter,
            seq: fc.constant(claim.seq),
            view: fc.constant(claim.view),
            digest: fc.constant(claim.digest),
          }),
          signature,
        }),
        prepares: signatures,
      }),
    ),
  );
const justifiedViewChange = viewChangeOf(replica).chain((envelope) =>
  fc.record({
    envelope: fc.constant(envelope),
    checkpoint: fc.record({
      epoch: counter,
      seq: fc.constant(envelope.message.stable.seq),
      stateRoot: fc.constant(envelope.message.stable.stateRoot),
      signatures,
    }),
    certificates: certificatesOf(envelope.message.prepared),
  }),
);
/** A NEW-VIEW with the VIEW-CHANGEs that it refers to. */
const newViewWithItsViewChanges = fc
  .record({ senders: replicas, digests: fc.array(hash, { maxLength: 5 }) })
  .chain(({ senders, digests }) =>
    fc.record({
      envelope: fc.record({
        from: replica,
        message: fc.record({
          type: fc.constant("new-view"),
          epoch: counter,
          view: counter,
          viewChanges: fc.tuple(...senders.map((from) => fc.record({ from: fc.constant(from), digest: hash }))),
          start: counter.map((start) => Math.min(start, Number.MAX_SAFE_INTEGER - digests.length)),
          digests: fc.constant(digests),
        }),
        signature,
      }),
      viewChanges: fc.tuple(...senders.map((from) => viewChangeOf(fc.constant(from)))),
    }),
  );
const justifiedNewView = fc
  .record({ parts: newViewWithItsViewChanges, checkpoint: checkpointCertificate, proven: claims })
  .chain(({ parts, checkpoint, proven }) =>
    fc.record({
      envelope: fc.constant(parts.envelope),
      viewChanges: fc.constant(parts.viewChanges),
      checkpoint: fc.constant(checkpoint),
      certificates: certificatesOf(proven),
      prePrepareSignatures: fc.tuple(...parts.envelope.message.digests.map(() => signature)),
    }),
  );
const evidence = fc.oneof(
  fc.record({ type: fc.constant("equivocation"), first: contradicting, second: contradicting }),
  fc.record({
    type: fc.constant("equivocation"),
    first: viewChangeOf(replica),
    second: newViewWithItsViewChanges.map(({ envelope }) => envelope),
  }),
  newViewWithItsViewChanges.map(({ envelope, viewChanges }) => ({
    type: "unjustified-new-view",
    newView: envelope,
    viewChanges,
  })),
);

const results = fc.oneof(
  fc.array(fc.record({ status: fc.constantFrom("ok", "failed"), value: bytes }), { minLength: 1, maxLength: 6 }),
  fc.tuple(fc.record({ status: fc.constantFrom(...Object.keys(RESULT_STATUS_CODES)), value: bytes })),
);
const path = fc
  .record({ size: fc.integer({ min: 1, max: 2 ** 31 }), at: fc.nat(), siblings: fc.array(hash, { maxLength: 31 }) })
  .map(({ size, at, siblings }) => ({ index: at % size, size, siblings }));
const statement = fc.record({ epoch: counter, seq: counter, historyDigest: hash, outputsRoot: hash });
const answered = { statement, session: hash, number: counter, requestDigest: hash, results, path };

const places = (max: number, minLength: number): fc.Arbitrary<number[]> =>
  fc.uniqueArray(fc.nat(63), { minLength, maxLength: max }).map((found) => found.sort((a, b) => a - b));
const prefix = fc.uint8Array({ maxLength: 33 });
const fetchState = fc.record({
  ...{ request: counter, seq: counter, bytesMax: counter, takesDeflated: fc.boolean() },
  items: fc.array(
    fc.oneof(
      fc.record({ type: fc.constantFrom("page", "whole"), prefix }),
      fc.record({ type: fc.constant("values"), prefix, indexes: places(64, 1) }),
    ),
    { minLength: 1, maxLength: 16 },
  ),
});
const stateChunk = fc.record({
  ...{ request: counter, seq: counter, left: fc.nat(1_000_000) },
  items: fc.array(
    fc.oneof(
      fc.record({ type: fc.constant("missing") }),
      fc.record({ type: fc.constant("page"), page: bytes }),
      fc.record({
        ...{ type: fc.constant("values"), missing: places(8, 0) },
        values: fc.array(bytes, { minLength: 1, maxLength: 20 }),
      }),
      fc.record({ type: fc.constant("values"), missing: places(8, 1), values: fc.constant([]) }),
      fc.record({
        ...{ type: fc.constant("whole"), page: bytes, missing: places(8, 0) },
        values: fc.array(bytes, { minLength: 1, maxLength: 20 }),
      }),
    ),
    { maxLength: 16 },
  ),
});

const deflatedChunk = fc.record({
  ...{ request: counter, seq: counter, length: fc.integer({ min: 100, max: 1_000_000 }) },
  deflated: fc.uint8Array({ minLength: 1, maxLength: 99 }),
});

const fetchHistory = fc
  .tuple(counter, fc.integer({ min: 0, max: 2 ** 52 }), fc.integer({ min: 0, max: 63 }))
  .map(([epoch, first, more]) => ({ type: "fetch-history", fetch: { epoch, first, last: first + more } }));

const replicaFrame = fc.oneof(
  fc.record({ type: fc.constant("pre-prepare"), envelope: prePrepare, batch }),
  fc.record({ type: fc.constant("signed"), envelope: enveloped(signedMessage) }),
  fc.record({ type: fc.constant("query-stable"), envelope: enveloped(queryStable) }),
  fc.record({ type: fc.constant("reply-stable"), reply: replyStable }),
  fc.record({ type: fc.constant("fetch-state"), fetch: fetchState }),
  fc.record({ type: fc.constant("state-chunk"), chunk: stateChunk }),
  fc.record({ type: fc.constant("deflated-chunk"), chunk: deflatedChunk }),
  fc.record({ type: fc.constant("state-unavailable"), unavailable: fc.record({ seq: counter, stable: counter }) }),
  fc.record({ type: fc.constant("fetch-epochs"), fetch: fc.record({ above: counter }) }),
  fc.record({ type: fc.constant("epoch-links"), links: epochLinks }),
  fetchHistory,
  fc.record({ type: fc.constant("request"), request }),
  fc.record({ type: fc.constant("batch-body"), batch }),
  fc.record({ type: fc.constant("committed"), entry }),
  fc.record({ type: fc.constantFrom("below-history", "stable-checkpoint"), checkpoint: checkpointCertificate }),
  fc.record({ type: fc.constant("view-change"), viewChange: justifiedViewChange }),
  fc.record({ type: fc.constant("new-view"), newView: justifiedNewView }),
) as unknown as fc.Arbitrary<ReplicaFrame>;
const readState = fc.record({
  id: counter,
  query: fc.oneof(
    fc.record({ type: fc.constant("keys"), keys: fc.array(bytes, { minLength: 1, maxLength: 64 }) }),
    fc.record({
      ...{ type: fc.constant("range"), from: bytes, to: fc.option(bytes, { nil: undefined }) },
      limit: fc.integer({ min: 1, max: 64 }),
    }),
  ),
});
const stateRead = fc.oneof(
  fc.record({
    ...{ id: counter, type: fc.constant("values"), certificate: checkpointCertificate },
    values: fc.array(fc.record({ value: fc.option(bytes, { nil: undefined }), proof: stateProof() }), {
      ...{ minLength: 1, maxLength: 5 },
    }),
  }),
  fc.record({
    ...{ id: counter, type: fc.constant("entries"), certificate: checkpointCertificate },
    entries: fc.array(fc.record({ key: bytes, value: bytes, proof: stateProof() }), { maxLength: 5 }),
    next: fc.option(bytes, { nil: undefined }),
  }),
  fc.record({
    ...{ id: counter, type: fc.constant("unavailable") },
    reason: fc.constantFrom("no-checkpoint", "no-state", "over-budget", "not-readable", "too-large"),
  }),
);

const serverFrame = fc.oneof(
  fc.record({ type: fc.constant("reply"), reply: fc.record({ ...answered, from: replica, signature, view: counter }) }),
  fc.record({
    type: fc.constant("refused"),
    requestDigest: hash,
    code: fc.constant("overloaded"),
  }),
  fc.record({ type: fc.constant("welcome"), epoch: counter, view: counter, executed: counter }),
  fc.record({ type: fc.constant("epoch-links"), links: epochLinks }),
  fc.record({ type: fc.constant("state-read"), read: stateRead }),
  fc.record({ type: fc.constant("join-claim"), claim: fc.record({ change: joining(), possession: signature }) }),
  fc.record({
    type: fc.constant("no-claim"),
    reason: fc.constantFrom("member", "not-level", "no-address", "epoch-other"),
  }),
) as unknown as fc.Arbitrary<ServerFrame>;
const logRecord = fc.oneof(
  fc.record({ type: fc.constant("mute"), at: counter, replies: repliesStable }),
  fc.record({ type: fc.constant("released"), epoch: counter, at: counter, nonce: hash }),
  fc.record({ type: fc.constant("pre-prepared"), envelope: prePrepare, batch }),
  fc.record({ type: fc.constant("prepared"), certificate: fc.record({ prePrepare, prepares: signatures }) }),
  fc.record({ type: fc.constant("stable"), checkpoint: checkpointCertificate }),
  fc.record({ type: fc.constant("view-change"), at: counter, viewChange: justifiedViewChange }),
  fc.record({ type: fc.constant("new-view"), at: counter, newView: justifiedNewView }),
) as unknown as fc.Arbitrary<LogRecord>;

/** Any legal value of each kind. */
export const VALUES: { readonly [K in Kind]: fc.Arbitrary<unknown> } = {
  ReplicaFrame: replicaFrame,
  ClientFrame: fc.oneof(
    fc.record({ type: fc.constant("request"), request }),
    fc.record({ type: fc.constant("fetch-epochs"), fetch: fc.record({ above: counter }) }),
    fc.record({ type: fc.constant("read-state"), read: readState }),
    fc.record({ type: fc.constant("fetch-claim"), fetch: fc.record({ epoch: counter, id: replica }) }),
  ),
  ServerFrame: serverFrame,
  LogRecord: logRecord,
  CommittedEntry: entry,
  CheckpointCertificate: checkpointCertificate,
  EpochLink: epochLink(),
  Receipt: fc.record({ ...answered, signatures }),
  Evidence: evidence,
};

/** With text of every width, and what looks like a byte order mark. */
function joining() {
  const address = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.string({ unit: "binary", maxLength: 60 }).map((rest) => `\uFEFF${rest}`),
  );
  return fc.record(
    {
      type: fc.constant("join" as const),
      member: fc.record({ id: replica, publicKey: hash, address }),
      checkpoint: fc.record({ seq: counter, stateRoot: hash }),
      loss: hash,
    },
    { requiredKeys: ["type", "member", "checkpoint"] },
  );
}

function reconfiguration() {
  const keys = fc.array(hash, { maxLength: 8 });
  const id = replica;
  const change = fc.oneof(
    joining(),
    fc.record({ type: fc.constant("leave"), id, mayLowerFaultThreshold: fc.boolean() }),
    fc.record({ type: fc.constant("rejoin"), id, loss: hash }),
    fc.record({ type: fc.constant("rotate-key"), id, publicKey: hash }),
    fc.record({ type: fc.constant("admins"), admins: fc.record({ threshold: fc.nat(64), keys }) }),
    fc.record({ type: fc.constant("parameters"), checkpointInterval: counter, windowSize: counter }),
    fc.record({ type: fc.constantFrom("admit", "expel"), client: hash }),
  );
  const approvals = fc
    .uniqueArray(fc.record({ key: hash, signature }), { selector: ({ key }) => key, maxLength: 5 })
    .map((list) => list.sort((a, b) => (a.key < b.key ? -1 : 1)));
  return fc
    .record({
      ...{ type: fc.constant("reconfiguration"), client: hash, epoch: counter, nonce: hash },
      ...{ change, approvals, possession: signature, signature },
    })
    .map((request) => ({
      ...request,
      possession: ["join", "rotate-key"].includes(request.change.type) ? request.possession : new Uint8Array(0),
    }));
}

function stateProof() {
  const excerpt = fc.record({
    head: fc.nat(255).map((byte) => new Uint8Array(EXCERPT_HEAD_BYTES).fill(byte)),
    group: fc.nat(255).map((byte) => new Uint8Array(EXCERPT_GROUP_BYTES).fill(byte)),
  });
  return fc.record({
    excerpts: fc.array(excerpt, { minLength: 1, maxLength: 5 }),
    slots: fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }), { nil: undefined }),
  });
}

function epochLink() {
  return fc.record({
    certificate: checkpointCertificate,
    record: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    proof: stateProof(),
  });
}
