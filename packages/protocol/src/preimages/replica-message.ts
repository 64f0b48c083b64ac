import type { ClusterId, ReplicaId } from "../ids.ts";
import { assertNever } from "../invariant.ts";
import type {
  Checkpoint,
  FetchBatch,
  FetchCommitted,
  HandOver,
  NewView,
  QueryStable,
  ReplicaMessage,
  ReplyStable,
  Status,
  ThreePhaseMessage,
  ViewChange,
} from "../messages.ts";
import type { PreimageWriter } from "../preimage-writer.ts";
import { HASH, headed, TAGS, U32, U64 } from "./head.ts";

/** The byte of each replica message type in its preimage and on the wire; append only. */
export const MESSAGE_TYPE_CODES: Readonly<Record<ReplicaMessage["type"], number>> = {
  "pre-prepare": 1,
  prepare: 2,
  commit: 3,
  checkpoint: 4,
  status: 5,
  "fetch-batch": 6,
  "fetch-committed": 7,
  "view-change": 8,
  "new-view": 9,
  "hand-over": 10,
  "query-stable": 11,
  "reply-stable": 12,
};

/** What `from` signs for `message`: tag, cluster, type, epoch, sender, then the type's own fields. */
export function replicaMessagePreimage(cluster: ClusterId, from: ReplicaId, message: ReplicaMessage): Uint8Array {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return threePhaseFields(started(cluster, from, message, 2 * U64 + HASH), message);
    case "checkpoint":
      return checkpointFields(started(cluster, from, message, U64 + HASH), message);
    case "status":
      return statusFields(started(cluster, from, message, statusSize(message)), message);
    case "fetch-batch":
      return fetchBatchFields(started(cluster, from, message, U64 + HASH), message);
    case "fetch-committed":
      return fetchCommittedFields(started(cluster, from, message, 2 * U64), message);
    case "view-change": {
      const size = 2 * U64 + HASH + U32 + message.prepared.length * (2 * U64 + HASH);
      return viewChangeFields(started(cluster, from, message, size), message);
    }
    case "new-view": {
      const size = 2 * U64 + 2 * U32 + message.viewChanges.length * (U32 + HASH) + message.digests.length * HASH;
      return newViewFields(started(cluster, from, message, size), message);
    }
    case "hand-over":
      return handOverFields(started(cluster, from, message, U64), message);
    case "query-stable":
      return queryStableFields(started(cluster, from, message, HASH + 2 * U64), message);
    case "reply-stable":
      return replyStableFields(started(cluster, from, message, 2 * HASH + 2 * U64), message);
    default:
      return assertNever(message);
  }
}

/** The fields that messages of all types have, with room for `own` bytes of the type's own. */
function started(cluster: ClusterId, from: ReplicaId, message: ReplicaMessage, own: number): PreimageWriter {
  return headed(TAGS.message, cluster, 1 + U64 + U32 + own)
    .u8(MESSAGE_TYPE_CODES[message.type])
    .u64(message.epoch)
    .u32(from);
}

function threePhaseFields(writer: PreimageWriter, m: ThreePhaseMessage): Uint8Array {
  return writer.u64(m.view).u64(m.seq).hex32(m.digest).finish();
}
function checkpointFields(writer: PreimageWriter, m: Checkpoint): Uint8Array {
  return writer.u64(m.seq).hex32(m.stateRoot).finish();
}
function statusSize({ lacks, viewChangesOf, executionDigest }: Status): number {
  const digest = 1 + (executionDigest === undefined ? 0 : HASH);
  return 5 * U64 + 2 * U32 + lacks.length * (U64 + 1) + viewChangesOf.length * U32 + digest;
}
function statusFields(writer: PreimageWriter, m: Status): Uint8Array {
  writer.u64(m.view).u64(m.executed).u64(m.stable).u64(m.accepted).u32(m.lacks.length);
  for (const lack of m.lacks)
    writer.u64(lack.seq).u8((lack.prePrepare ? 1 : 0) | (lack.prepares ? 2 : 0) | (lack.commits ? 4 : 0));
  writer.u64(m.target).u32(m.viewChangesOf.length);
  for (const id of m.viewChangesOf) writer.u32(id);
  writer.u8(m.executionDigest === undefined ? 0 : 1);
  if (m.executionDigest !== undefined) writer.hex32(m.executionDigest);
  return writer.finish();
}
function viewChangeFields(writer: PreimageWriter, m: ViewChange): Uint8Array {
  writer.u64(m.view).u64(m.stable.seq).hex32(m.stable.stateRoot).u32(m.prepared.length);
  for (const claim of m.prepared) writer.u64(claim.seq).u64(claim.view).hex32(claim.digest);
  return writer.finish();
}
function newViewFields(writer: PreimageWriter, m: NewView): Uint8Array {
  writer.u64(m.view).u32(m.viewChanges.length);
  for (const { from, digest } of m.viewChanges) writer.u32(from).hex32(digest);
  writer.u64(m.start).u32(m.digests.length);
  for (const digest of m.digests) writer.hex32(digest);
  return writer.finish();
}
function handOverFields(writer: PreimageWriter, m: HandOver): Uint8Array {
  return writer.u64(m.view).finish();
}
function queryStableFields(writer: PreimageWriter, m: QueryStable): Uint8Array {
  return writer.hex32(m.nonce).u64(m.until).u64(m.view).finish();
}
function replyStableFields(writer: PreimageWriter, m: ReplyStable): Uint8Array {
  return writer.hex32(m.nonce).u64(m.stable.seq).hex32(m.stable.stateRoot).u64(m.view).finish();
}
function fetchBatchFields(writer: PreimageWriter, m: FetchBatch): Uint8Array {
  return writer.u64(m.seq).hex32(m.digest).finish();
}
function fetchCommittedFields(writer: PreimageWriter, m: FetchCommitted): Uint8Array {
  return writer.u64(m.first).u64(m.last).finish();
}
