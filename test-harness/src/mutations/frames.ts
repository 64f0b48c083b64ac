import {
  type AdminKeys,
  type Approval,
  type Batch,
  type CheckpointCertificate,
  type CheckpointClaim,
  type CheckpointRequest,
  type CommitCertificate,
  type CommittedEntry,
  type DeflatedChunk,
  type Envelope,
  type EpochLink,
  type FetchEpochs,
  type FetchHistory,
  type FetchState,
  type FetchStateItem,
  type JoinClaim,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type Member,
  type MemberSignature,
  type MerklePath,
  type NoClaimReason,
  type OperationResult,
  type OperationsRequest,
  type PageExcerpt,
  type PreparedCertificate,
  type ProvenEntry,
  type ProvenValue,
  RESULT_STATUS_CODES,
  type ReadRefusal,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type RegistrationRequest,
  type ReplicaFrame,
  type ReplicaMessage,
  type ReplicaMessageType,
  type Reply,
  type Request,
  type ResultStatus,
  type ServerFrame,
  type StateChunk,
  type StateChunkItem,
  type Statement,
  type StateProof,
  type StateRead,
  type StateUnavailable,
} from "@quorate/protocol";
import { MESSAGE_MUTATIONS } from "./messages.ts";
import {
  bytes,
  counter,
  fields,
  flag,
  hex32,
  listOf,
  type Mutations,
  member,
  oneOf,
  optional,
  places,
  possibleSignature,
  signature,
  text,
  word,
} from "./mutation.ts";

type FrameOf<T extends ReplicaFrame["type"]> = Extract<ReplicaFrame, { readonly type: T }>;
type FetchStateItemOf<T extends FetchStateItem["type"]> = Extract<FetchStateItem, { readonly type: T }>;
type StateChunkItemOf<T extends StateChunkItem["type"]> = Extract<StateChunkItem, { readonly type: T }>;
type ServerFrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { readonly type: T }>;

type StateReadOf<T extends StateRead["type"]> = Extract<StateRead, { readonly type: T }>;

type ChangeOf<T extends ReconfigurationChange["type"]> = Extract<ReconfigurationChange, { readonly type: T }>;

const joining = fields<ChangeOf<"join">>({
  member: fields<Member>({ id: member(), publicKey: hex32(), address: text() }),
  checkpoint: fields<CheckpointClaim>({ seq: counter(), stateRoot: hex32() }),
  loss: optional(hex32()),
});
const change = oneOf<ReconfigurationChange>({
  join: joining,
  leave: fields<ChangeOf<"leave">>({ id: member(), mayLowerFaultThreshold: flag() }),
  rejoin: fields<ChangeOf<"rejoin">>({ id: member(), loss: hex32() }),
  "rotate-key": fields<ChangeOf<"rotate-key">>({ id: member(), publicKey: hex32() }),
  admins: fields<ChangeOf<"admins">>({
    admins: fields<AdminKeys>({ threshold: counter(), keys: listOf(hex32()) }),
  }),
  parameters: fields<ChangeOf<"parameters">>({ checkpointInterval: counter(), windowSize: counter() }),
  admit: fields<ChangeOf<"admit">>({ client: hex32() }),
  expel: fields<ChangeOf<"expel">>({ client: hex32() }),
});

/** What can be wrong in a request. */
export const REQUEST_MUTATIONS: Mutations<Request> = oneOf<Request>({
  operations: fields<OperationsRequest>({
    client: hex32(),
    session: hex32(),
    number: counter(),
    operations: listOf(bytes()),
    signature: signature(),
  }),
  registration: fields<RegistrationRequest>({
    client: hex32(),
    nonce: hex32(),
    lastValid: counter(),
    signature: signature(),
  }),
  checkpoint: fields<CheckpointRequest>({
    client: hex32(),
    epoch: counter(),
    above: counter(),
    signature: signature(),
  }),
  reconfiguration: fields<ReconfigurationRequest>({
    client: hex32(),
    epoch: counter(),
    nonce: hex32(),
    change,
    approvals: listOf(fields<Approval>({ key: hex32(), signature: signature() })),
    possession: possibleSignature(),
    signature: signature(),
  }),
});

const batch = fields<Batch>({ timestampMs: counter(), requests: listOf(REQUEST_MUTATIONS) });
const memberSignature = fields<MemberSignature>({ from: member(), signature: signature() });

const prePrepareEnvelope = envelopeOf("pre-prepare");
const viewChangeEnvelope = envelopeOf("view-change");

const commitCertificate = fields<CommitCertificate>({
  epoch: counter(),
  view: counter(),
  seq: counter(),
  digest: hex32(),
  signatures: listOf(memberSignature),
});
const preparedCertificate = fields<PreparedCertificate>({
  prePrepare: prePrepareEnvelope,
  prepares: listOf(memberSignature),
});
const checkpointCertificate = fields<CheckpointCertificate>({
  epoch: counter(),
  seq: counter(),
  stateRoot: hex32(),
  signatures: listOf(memberSignature),
});
const justifiedViewChange = fields<JustifiedViewChange>({
  envelope: viewChangeEnvelope,
  checkpoint: checkpointCertificate,
  certificates: listOf(preparedCertificate),
});
const justifiedNewView = fields<JustifiedNewView>({
  envelope: envelopeOf("new-view"),
  viewChanges: listOf(viewChangeEnvelope),
  checkpoint: checkpointCertificate,
  certificates: listOf(preparedCertificate),
  prePrepareSignatures: listOf(signature()),
});

const justifiedReplyStable = fields<JustifiedReplyStable>({
  envelope: envelopeOf("reply-stable"),
  checkpoint: checkpointCertificate,
});

const stateProof = fields<StateProof>({
  // They keep their size: what has another is no excerpt, and is not decoded.
  excerpts: listOf(fields<PageExcerpt>({ head: signature(), group: signature() })),
  slots: optional(bytes()),
});

const epochLinks = listOf(
  fields<EpochLink>({
    certificate: checkpointCertificate,
    record: bytes(),
    proof: stateProof,
  }),
);

/** What can be wrong in each frame from replica to replica. Of signed messages it is the message, not its signature. */
export const FRAME_MUTATIONS: Mutations<ReplicaFrame> = oneOf<ReplicaFrame>({
  "pre-prepare": fields<FrameOf<"pre-prepare">>({ envelope: prePrepareEnvelope, batch }),
  signed: fields<FrameOf<"signed">>({ envelope: signedEnvelope() }),
  request: fields<FrameOf<"request">>({ request: REQUEST_MUTATIONS }),
  "batch-body": fields<FrameOf<"batch-body">>({ batch }),
  committed: fields<FrameOf<"committed">>({
    entry: fields<CommittedEntry>({ batch, certificate: commitCertificate }),
  }),
  "stable-checkpoint": fields<FrameOf<"stable-checkpoint">>({ checkpoint: checkpointCertificate }),
  "below-history": fields<FrameOf<"below-history">>({ checkpoint: checkpointCertificate }),
  "view-change": fields<FrameOf<"view-change">>({ viewChange: justifiedViewChange }),
  "new-view": fields<FrameOf<"new-view">>({ newView: justifiedNewView }),
  "query-stable": fields<FrameOf<"query-stable">>({ envelope: envelopeOf("query-stable") }),
  "reply-stable": fields<FrameOf<"reply-stable">>({ reply: justifiedReplyStable }),
  "fetch-state": fields<FrameOf<"fetch-state">>({
    fetch: fields<FetchState>({
      request: counter(),
      seq: counter(),
      bytesMax: counter(),
      takesDeflated: flag(),
      items: listOf(
        oneOf<FetchStateItem>({
          page: fields<FetchStateItemOf<"page">>({ prefix: bytes() }),
          whole: fields<FetchStateItemOf<"whole">>({ prefix: bytes() }),
          values: fields<FetchStateItemOf<"values">>({ prefix: bytes(), indexes: listOf(counter()) }),
        }),
      ),
    }),
  }),
  "state-chunk": fields<FrameOf<"state-chunk">>({
    chunk: fields<StateChunk>({
      request: counter(),
      seq: counter(),
      items: listOf(
        oneOf<StateChunkItem>({
          // There is nothing in it; that it is there at all is what `listOf` makes wrong.
          missing: [],
          page: fields<StateChunkItemOf<"page">>({ page: bytes() }),
          whole: fields<StateChunkItemOf<"whole">>({
            page: bytes(),
            values: listOf(bytes()),
            missing: places(),
          }),
          values: fields<StateChunkItemOf<"values">>({ values: listOf(bytes()), missing: places() }),
        }),
      ),
      left: counter(),
    }),
  }),
  "deflated-chunk": fields<FrameOf<"deflated-chunk">>({
    chunk: fields<DeflatedChunk>({ request: counter(), seq: counter(), length: counter(), deflated: bytes() }),
  }),
  "state-unavailable": fields<FrameOf<"state-unavailable">>({
    unavailable: fields<StateUnavailable>({ seq: counter(), stable: counter() }),
  }),
  "fetch-epochs": fields<FrameOf<"fetch-epochs">>({ fetch: fields<FetchEpochs>({ above: counter() }) }),
  "epoch-links": fields<FrameOf<"epoch-links">>({ links: epochLinks }),
  "fetch-history": fields<FrameOf<"fetch-history">>({
    fetch: fields<FetchHistory>({ epoch: counter(), first: counter(), last: counter() }),
  }),
});

const statement = fields<Statement>({
  epoch: counter(),
  seq: counter(),
  historyDigest: hex32(),
  outputsRoot: hex32(),
});
const result = fields<OperationResult>({
  status: word(Object.keys(RESULT_STATUS_CODES) as ResultStatus[]),
  value: bytes(),
});

const stateRead = oneOf<StateRead>({
  values: fields<StateReadOf<"values">>({
    id: counter(),
    certificate: checkpointCertificate,
    values: listOf(fields<ProvenValue>({ value: optional(bytes()), proof: stateProof })),
  }),
  entries: fields<StateReadOf<"entries">>({
    id: counter(),
    certificate: checkpointCertificate,
    entries: listOf(fields<ProvenEntry>({ key: bytes(), value: bytes(), proof: stateProof })),
    next: optional(bytes()),
  }),
  unavailable: fields<StateReadOf<"unavailable">>({
    id: counter(),
    reason: word<ReadRefusal>(["no-checkpoint", "no-state", "over-budget", "not-readable", "too-large"]),
  }),
});

/** What can be wrong in each frame from replica to client. */
export const SERVER_FRAME_MUTATIONS: Mutations<ServerFrame> = oneOf<ServerFrame>({
  reply: fields<ServerFrameOf<"reply">>({
    reply: fields<Reply>({
      from: member(),
      statement,
      signature: signature(),
      session: hex32(),
      number: counter(),
      requestDigest: hex32(),
      results: listOf(result),
      path: fields<MerklePath>({ index: counter(), size: counter(), siblings: listOf(hex32()) }),
      view: counter(),
    }),
  }),
  // There is one code so far, so no wrong one.
  refused: fields<ServerFrameOf<"refused">>({ requestDigest: hex32(), code: [] }),
  welcome: fields<ServerFrameOf<"welcome">>({ epoch: counter(), view: counter(), executed: counter() }),
  "epoch-links": fields<ServerFrameOf<"epoch-links">>({ links: epochLinks }),
  "state-read": fields<ServerFrameOf<"state-read">>({ read: stateRead }),
  "join-claim": fields<ServerFrameOf<"join-claim">>({
    claim: fields<JoinClaim>({ change: joining, possession: signature() }),
  }),
  "no-claim": fields<ServerFrameOf<"no-claim">>({
    reason: word<NoClaimReason>(["member", "not-level", "no-address", "epoch-other"]),
  }),
});

function envelopeOf<T extends ReplicaMessageType>(
  type: T,
): Mutations<Envelope<Extract<ReplicaMessage, { readonly type: T }>>> {
  type M = Extract<ReplicaMessage, { readonly type: T }>;
  return fields<Envelope<M>>({ from: member(), message: MESSAGE_MUTATIONS[type], signature: signature() });
}

/** Of those that travel alone each type has mutations of its own. */
function signedEnvelope(): Mutations<FrameOf<"signed">["envelope"]> {
  type E = FrameOf<"signed">["envelope"];
  const {
    "pre-prepare": _proposal,
    "view-change": _leaving,
    "new-view": _conclusion,
    "query-stable": _query,
    "reply-stable": _reply,
    ...messages
  } = MESSAGE_MUTATIONS;
  return fields<E>({ from: member(), message: oneOf<E["message"]>(messages), signature: signature() });
}
