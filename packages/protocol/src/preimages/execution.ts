import type { ClusterId, Digest, PublicKey, SequenceNumber, TimestampMs } from "../ids.ts";
import { type OperationResult, type OutputLeaf, RESULT_STATUS_CODES, type Statement } from "../outputs.ts";
import { PreimageWriter } from "../preimage-writer.ts";
import { HASH, headed, TAG, TAGS, U32, U64 } from "./head.ts";

/** Hashed to the batch digest: the time and the request digests in order. Nothing that execution sees lies outside. */
export function batchPreimage(cluster: ClusterId, time: TimestampMs, requestDigests: readonly Digest[]): Uint8Array {
  const writer = headed(TAGS.batch, cluster, U64 + U32 + requestDigests.length * HASH)
    .u64(time)
    .u32(requestDigests.length);
  for (const requestDigest of requestDigests) writer.hex32(requestDigest);
  return writer.finish();
}

/** Hashed to the history digest at `seq`: one link of the chain over all executed batches. */
export function historyPreimage(cluster: ClusterId, previous: Digest, seq: SequenceNumber, batch: Digest): Uint8Array {
  return headed(TAGS.history, cluster, HASH + U64 + HASH)
    .hex32(previous)
    .u64(seq)
    .hex32(batch)
    .finish();
}

/** Hashed to the execution digest at `seq`: one link of the chain over all statements, signed or not (protocol rule 9.5). */
export function executionPreimage(cluster: ClusterId, previous: Digest, s: Statement): Uint8Array {
  return headed(TAGS.execution, cluster, HASH + U64 + 2 * HASH)
    .hex32(previous)
    .u64(s.seq)
    .hex32(s.historyDigest)
    .hex32(s.outputsRoot)
    .finish();
}

/** Hashed to the agreed seed of batch `seq`: unpredictable before the history up to it is. */
export function seedPreimage(cluster: ClusterId, historyDigest: Digest, seq: SequenceNumber): Uint8Array {
  return headed(TAGS.seed, cluster, HASH + U64)
    .hex32(historyDigest)
    .u64(seq)
    .finish();
}

/** Hashed to the agreed seed of one operation: the batch's seed and the operation's place in the batch. */
export function operationSeedPreimage(batchSeed: Digest, requestIndex: number, operationIndex: number): Uint8Array {
  return new PreimageWriter(TAG + HASH + 2 * U32)
    .tag(TAGS.operationSeed)
    .hex32(batchSeed)
    .u32(requestIndex)
    .u32(operationIndex)
    .finish();
}

/** Hashed to the state root that a CHECKPOINT names: the root of the tree over the state, 32 bytes. */
export function stateRootPreimage(cluster: ClusterId, treeRoot: Digest): Uint8Array {
  return headed(TAGS.stateRoot, cluster, HASH).hex32(treeRoot).finish();
}

/** What each replica signs for an executed batch (protocol rule 5.1). */
export function statementPreimage(cluster: ClusterId, s: Statement): Uint8Array {
  return headed(TAGS.statement, cluster, 2 * U64 + 2 * HASH)
    .u64(s.epoch)
    .u64(s.seq)
    .hex32(s.historyDigest)
    .hex32(s.outputsRoot)
    .finish();
}

/** The content of a leaf of the outputs tree; hashed as a Merkle leaf. */
export function outputLeafPreimage(leaf: OutputLeaf): Uint8Array {
  return new PreimageWriter(TAG + 3 * HASH + U64)
    .tag(TAGS.outputLeaf)
    .hex32(leaf.session)
    .u64(leaf.number)
    .hex32(leaf.requestDigest)
    .hex32(leaf.resultDigest)
    .finish();
}

/** The content of a leaf of a request's results tree; hashed as a Merkle leaf. */
export function resultPreimage(result: OperationResult): Uint8Array {
  return new PreimageWriter(TAG + 1 + U32 + result.value.length)
    .tag(TAGS.result)
    .u8(RESULT_STATUS_CODES[result.status])
    .sized(result.value)
    .finish();
}

/** Hashed to the session id: (client key, nonce, sequence number, index in the batch), protocol rule 3.2. */
export function sessionPreimage(
  cluster: ClusterId,
  client: PublicKey,
  nonce: Digest,
  seq: SequenceNumber,
  index: number,
): Uint8Array {
  return headed(TAGS.session, cluster, 2 * HASH + U64 + U32)
    .hex32(client)
    .hex32(nonce)
    .u64(seq)
    .u32(index)
    .finish();
}
