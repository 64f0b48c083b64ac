import type {
  CheckpointClaim,
  Lack,
  PreparedClaim,
  ReplicaMessage,
  ReplicaMessageType,
  ViewChangeReference,
} from "@quorate/protocol";
import { counter, fields, flag, hex32, listOf, type Mutations, member, optional } from "./mutation.ts";

const lack = fields<Lack>({ seq: counter(), prePrepare: flag(), prepares: flag(), commits: flag() });
const preparedClaim = fields<PreparedClaim>({ seq: counter(), view: counter(), digest: hex32() });
const checkpointClaim = fields<CheckpointClaim>({ seq: counter(), stateRoot: hex32() });
const viewChangeReference = fields<ViewChangeReference>({ from: member(), digest: hex32() });

type OfType<T extends ReplicaMessageType> = Extract<ReplicaMessage, { readonly type: T }>;

/** What can be wrong in each message that replicas sign, by type: a new type or field has to be listed to compile. */
export const MESSAGE_MUTATIONS: { readonly [T in ReplicaMessageType]: Mutations<OfType<T>> } = {
  "pre-prepare": fields<OfType<"pre-prepare">>({ epoch: counter(), view: counter(), seq: counter(), digest: hex32() }),
  prepare: fields<OfType<"prepare">>({ epoch: counter(), view: counter(), seq: counter(), digest: hex32() }),
  commit: fields<OfType<"commit">>({ epoch: counter(), view: counter(), seq: counter(), digest: hex32() }),
  checkpoint: fields<OfType<"checkpoint">>({ epoch: counter(), seq: counter(), stateRoot: hex32() }),
  status: fields<OfType<"status">>({
    epoch: counter(),
    view: counter(),
    executed: counter(),
    stable: counter(),
    accepted: counter(),
    lacks: listOf(lack),
    target: counter(),
    viewChangesOf: listOf(member()),
    executionDigest: optional(hex32()),
  }),
  "fetch-batch": fields<OfType<"fetch-batch">>({ epoch: counter(), seq: counter(), digest: hex32() }),
  "fetch-committed": fields<OfType<"fetch-committed">>({ epoch: counter(), first: counter(), last: counter() }),
  "hand-over": fields<OfType<"hand-over">>({ epoch: counter(), view: counter() }),
  "query-stable": fields<OfType<"query-stable">>({
    epoch: counter(),
    nonce: hex32(),
    until: counter(),
    view: counter(),
  }),
  "reply-stable": fields<OfType<"reply-stable">>({
    epoch: counter(),
    nonce: hex32(),
    stable: checkpointClaim,
    view: counter(),
  }),
  "view-change": fields<OfType<"view-change">>({
    epoch: counter(),
    view: counter(),
    stable: checkpointClaim,
    prepared: listOf(preparedClaim),
  }),
  "new-view": fields<OfType<"new-view">>({
    epoch: counter(),
    view: counter(),
    viewChanges: listOf(viewChangeReference),
    start: counter(),
    digests: listOf(hex32()),
  }),
};
