import type { DigestedRequest, PublicKey, RequestStanding, SequenceNumber, VerifiedRequest } from "@quorate/protocol";

/** A request that waits to be ordered, and what is known of it. */
export interface PendingRequest {
  readonly request: VerifiedRequest;
  readonly client: PublicKey;
  readonly bytes: number;
  /** The highest number that carries it and has not been executed. */
  proposedAt: SequenceNumber | undefined;
  ready: boolean;
  /** Its turn does not depend on its session: it is to be answered again, or refused. */
  isAlone: boolean;
  /** As far as this replica knows it would not only be refused. */
  isClockable: boolean;
  /** Its session was evicted, or it came too late: it has no clock any more, whatever is said of it. */
  isOver: boolean;
}

/** As it comes: neither proposed nor ready. */
export function pendingRequest(request: VerifiedRequest, standing: RequestStanding): PendingRequest {
  return {
    request,
    client: request.request.client,
    bytes: bytesOf(request),
    proposedAt: undefined,
    ready: false,
    isAlone: request.request.type !== "operations" || standing.type === "answer-lost",
    // What would only be refused is nobody's business but its client's.
    isClockable: standing.type !== "refusable",
    isOver: false,
  };
}

export function operationsOf({ request }: DigestedRequest): number {
  return request.type === "operations" ? request.operations.length : 0;
}

/** Of an approval: a key and a signature. */
const APPROVAL_BYTES = 32 + 64;

/** Of its operations, or approvals. */
export function bytesOf({ request }: DigestedRequest): number {
  if (request.type === "reconfiguration") return 1 + request.approvals.length * APPROVAL_BYTES;
  if (request.type !== "operations") return 1;
  let bytes = 0;
  for (const operation of request.operations) bytes += operation.length;
  return bytes;
}
