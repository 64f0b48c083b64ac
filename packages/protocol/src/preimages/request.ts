import type { ClusterId, Digest } from "../ids.ts";
import { PreimageWriter } from "../preimage-writer.ts";
import type { CheckpointRequest, OperationsRequest, RegistrationRequest } from "../request.ts";
import { HASH, headed, TAG, TAGS, U32, U64 } from "./head.ts";

/** The part of a request that its signature and digest cover. */
export type Unsigned<T> = Omit<T, "signature">;

/** Hashed to the `operationsDigest` of a request: count, then each operation with its length. */
export function operationsPreimage(operations: readonly Uint8Array[]): Uint8Array {
  let size = TAG + U32;
  for (const operation of operations) size += U32 + operation.length;
  const writer = new PreimageWriter(size).tag(TAGS.operations).u32(operations.length);
  for (const operation of operations) writer.sized(operation);
  return writer.finish();
}

/** What a client signs for its operations, and what is hashed to the request digest. */
export function operationsRequestPreimage(
  cluster: ClusterId,
  request: Unsigned<OperationsRequest>,
  operationsDigest: Digest,
): Uint8Array {
  return headed(TAGS.request, cluster, 2 * HASH + U64 + HASH)
    .hex32(request.client)
    .hex32(request.session)
    .u64(request.number)
    .hex32(operationsDigest)
    .finish();
}

/** What a client signs to open a session, and what is hashed to the request digest. */
export function registrationRequestPreimage(cluster: ClusterId, request: Unsigned<RegistrationRequest>): Uint8Array {
  return headed(TAGS.registration, cluster, 2 * HASH + U64)
    .hex32(request.client)
    .hex32(request.nonce)
    .u64(request.lastValid)
    .finish();
}

/** What an admin or a member signs to order a checkpoint, and what is hashed to the request digest. */
export function checkpointRequestPreimage(cluster: ClusterId, request: Unsigned<CheckpointRequest>): Uint8Array {
  return headed(TAGS.checkpointRequest, cluster, HASH + 2 * U64)
    .hex32(request.client)
    .u64(request.epoch)
    .u64(request.above)
    .finish();
}
