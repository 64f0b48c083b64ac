/** What is hashed, by name: each function is one preimage of `@quorate/protocol` under one hasher. */
import {
  assertNever,
  type Batch,
  batchPreimage,
  type CheckpointRequest,
  type ClusterId,
  checkpointRequestPreimage,
  type Digest,
  type DigestedCertifiedBatch,
  executionPreimage,
  type Genesis,
  genesisPreimage,
  type Hasher,
  historyPreimage,
  type OperationResult,
  type OperationsRequest,
  type OutputLeaf,
  operationsPreimage,
  operationsRequestPreimage,
  outputLeafPreimage,
  type PublicKey,
  type ReconfigurationRequest,
  type RegistrationRequest,
  type ReplicaId,
  reconfigurationRequestPreimage,
  registrationRequestPreimage,
  replicaMessagePreimage,
  resultPreimage,
  type SequenceNumber,
  type SessionId,
  type Statement,
  seedPreimage,
  sessionPreimage,
  statementPreimage,
  type TimestampMs,
  timestampMs as timestampOf,
  type Unsigned,
  type ViewChange,
} from "@quorate/protocol";
import { merkleRoot } from "./merkle.ts";

/** A request of any type, without its signature. */
export type UnsignedRequest =
  | Unsigned<OperationsRequest>
  | Unsigned<RegistrationRequest>
  | Unsigned<CheckpointRequest>
  | Unsigned<ReconfigurationRequest>;

/** The cluster id: the digest of the genesis document. */
export function clusterIdOf(hasher: Hasher, genesis: Genesis): ClusterId {
  return hasher.digest(genesisPreimage(genesis)) as string as ClusterId;
}

/** The digest of a request's operations, in order. */
export function operationsDigest(hasher: Hasher, operations: readonly Uint8Array[]): Digest {
  return hasher.digest(operationsPreimage(operations));
}

/** What the client of `request` signs, whichever type it is. */
export function requestPreimage(hasher: Hasher, cluster: ClusterId, request: UnsignedRequest): Uint8Array {
  switch (request.type) {
    case "operations":
      return operationsRequestPreimage(cluster, request, operationsDigest(hasher, request.operations));
    case "registration":
      return registrationRequestPreimage(cluster, request);
    case "checkpoint":
      return checkpointRequestPreimage(cluster, request);
    case "reconfiguration":
      return reconfigurationRequestPreimage(cluster, request);
    default:
      return assertNever(request);
  }
}

/** The digest that names a request; it does not cover the signature (protocol rule 2.3). */
export function requestDigest(hasher: Hasher, cluster: ClusterId, request: UnsignedRequest): Digest {
  return hasher.digest(requestPreimage(hasher, cluster, request));
}

/** The digest that names a batch: its time and the digests of its requests, in order. */
export function batchDigest(
  hasher: Hasher,
  cluster: ClusterId,
  timestampMs: TimestampMs,
  requestDigests: readonly Digest[],
): Digest {
  return hasher.digest(batchPreimage(cluster, timestampMs, requestDigests));
}

/** The digest of the null batch: what a new view proposes where nothing prepared. */
export function nullBatchDigest(hasher: Hasher, cluster: ClusterId): Digest {
  return batchDigest(hasher, cluster, timestampOf(0), []);
}

/** The digest that a NEW-VIEW refers to the VIEW-CHANGE of `from` by; it does not cover the signature. */
export function viewChangeDigest(hasher: Hasher, cluster: ClusterId, from: ReplicaId, message: ViewChange): Digest {
  return hasher.digest(replicaMessagePreimage(cluster, from, message));
}

/**
 * A batch with all its digests and no signature looked at: worth something only beside a commit certificate, or for the
 * batches of one's own log.
 */
export function digestBatch(hasher: Hasher, cluster: ClusterId, batch: Batch): DigestedCertifiedBatch {
  const requests = batch.requests.map((request) => ({ request, digest: requestDigest(hasher, cluster, request) }));
  const { timestampMs } = batch;
  const digests = requests.map((request) => request.digest);
  return { digest: batchDigest(hasher, cluster, timestampMs, digests), timestampMs, requests, batch };
}

/** The history digest after `batch` was executed at `seq`. */
export function historyDigest(
  hasher: Hasher,
  cluster: ClusterId,
  previous: Digest,
  seq: SequenceNumber,
  batch: Digest,
): Digest {
  return hasher.digest(historyPreimage(cluster, previous, seq, batch));
}

/** The execution digest after the batch of this statement was executed. */
export function executionDigest(hasher: Hasher, cluster: ClusterId, previous: Digest, statement: Statement): Digest {
  return hasher.digest(executionPreimage(cluster, previous, statement));
}

/** The agreed random seed of the batch at `seq`. */
export function seedDigest(hasher: Hasher, cluster: ClusterId, history: Digest, seq: SequenceNumber): Digest {
  return hasher.digest(seedPreimage(cluster, history, seq));
}

/** The session that the registration at `index` of the batch at `seq` opens (protocol rule 3.2). */
export function sessionIdOf(
  hasher: Hasher,
  cluster: ClusterId,
  client: PublicKey,
  nonce: Digest,
  seq: SequenceNumber,
  index: number,
): SessionId {
  return hasher.digest(sessionPreimage(cluster, client, nonce, seq, index)) as string as SessionId;
}

/** The root over the results of one request's operations. */
export function resultDigestOf(hasher: Hasher, results: readonly OperationResult[]): Digest {
  return merkleRoot(hasher, results.map(resultPreimage));
}

/** The root over the outputs of one batch; for the paths too, build a `MerkleTree` over `outputLeafPreimage`. */
export function outputsRootOf(hasher: Hasher, leaves: readonly OutputLeaf[]): Digest {
  return merkleRoot(hasher, leaves.map(outputLeafPreimage));
}

/** The leaf that a reply or a receipt claims to stand in its statement's tree. */
export function outputLeafOf(
  hasher: Hasher,
  output: Omit<OutputLeaf, "resultDigest"> & { readonly results: readonly OperationResult[] },
): OutputLeaf {
  const { session, number, requestDigest, results } = output;
  return { session, number, requestDigest, resultDigest: resultDigestOf(hasher, results) };
}

/** Names a statement, for caches and comparisons. */
export function statementDigest(hasher: Hasher, cluster: ClusterId, statement: Statement): Digest {
  return hasher.digest(statementPreimage(cluster, statement));
}
