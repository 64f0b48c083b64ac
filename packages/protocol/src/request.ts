import type { Digest, Epoch, PublicKey, RequestNumber, SequenceNumber, SessionId, TimestampMs } from "./ids.ts";
import type { ReconfigurationRequest } from "./reconfiguration.ts";

/** One or more operations of one session, under one client signature (protocol rule 3.1). */
export interface OperationsRequest {
  readonly type: "operations";
  readonly client: PublicKey;
  readonly session: SessionId;
  /** Contiguous in the session, from 1. */
  readonly number: RequestNumber;
  /** At least one. */
  readonly operations: readonly Uint8Array[];
  /** 64 bytes over `operationsRequestPreimage`. */
  readonly signature: Uint8Array;
}

/** Opens a session when it executes (protocol rule 3.2). */
export interface RegistrationRequest {
  readonly type: "registration";
  readonly client: PublicKey;
  /** 32 fresh random bytes: two processes with one key get two sessions. */
  readonly nonce: Digest;
  /** The last sequence number at which this registration may open a session. */
  readonly lastValid: SequenceNumber;
  /** 64 bytes over `registrationRequestPreimage`. */
  readonly signature: Uint8Array;
}

/**
 * Orders a checkpoint at once, wherever the request comes to stand (protocol rule 9.1). It asks for a checkpoint above a
 * number, so the one that it brings about answers every repeat of it, and nothing has to be remembered.
 */
export interface CheckpointRequest {
  readonly type: "checkpoint";
  /** The key of an admin or of a member. */
  readonly client: PublicKey;
  readonly epoch: Epoch;
  /** A number that was executed when it was signed; the request has no effect once there is a checkpoint above it. */
  readonly above: SequenceNumber;
  /** 64 bytes over `checkpointRequestPreimage`. */
  readonly signature: Uint8Array;
}

export type Request = OperationsRequest | RegistrationRequest | CheckpointRequest | ReconfigurationRequest;

/** A request with the digest of its preimage. The digest does not cover the signature (protocol rule 2.3). */
export interface DigestedRequest {
  readonly request: Request;
  readonly digest: Digest;
}

/**
 * What one sequence number orders. The digest covers all of it, and execution sees nothing else. The null batch is
 * `timestampMs` 0 without requests; no other batch is empty.
 */
export interface Batch {
  /** The primary's clock when it proposed; the agreed time is the greater of this and the previous batch's. */
  readonly timestampMs: TimestampMs;
  readonly requests: readonly Request[];
}
