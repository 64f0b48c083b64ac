/** Identifiers and counters. Branded, so that a view can never be passed where a sequence number is meant. */
import { invariant } from "./invariant.ts";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A replica's number in the cluster; never reused, even after the replica has left. An integer in `0 … 2^31 - 1`. */
export type ReplicaId = Brand<number, "ReplicaId">;
/** Counts the primaries of an epoch. An integer in `0 … 2^53 - 1`. */
export type ViewNumber = Brand<number, "ViewNumber">;
/** A place in the total order of batches; the first batch is 1, genesis is 0. An integer in `0 … 2^53 - 1`. */
export type SequenceNumber = Brand<number, "SequenceNumber">;
/** Counts the memberships of a cluster; genesis is 0. */
export type Epoch = Brand<number, "Epoch">;
/** A request's place in its session; the first is 1, a registration counts as 0. */
export type RequestNumber = Brand<number, "RequestNumber">;
/** A SHA-256 as 64 lower-case hex digits: a string, so that `===`, Map keys and traces just work. */
export type Digest = Brand<string, "Digest">;
/** An ed25519 public key as 64 lower-case hex digits. Says nothing about its admissibility. */
export type PublicKey = Brand<string, "PublicKey">;
/** The digest of the genesis document; part of every preimage. */
export type ClusterId = Brand<string, "ClusterId">;
/** The digest that names a session, see `sessionIdOf`. */
export type SessionId = Brand<string, "SessionId">;
/** Wall-clock milliseconds since 1970, an integer. */
export type TimestampMs = Brand<number, "TimestampMs">;

/** The greatest replica id: four bytes in a preimage, and a number that every language has. */
export const REPLICA_ID_MAX: number = 2 ** 31 - 1;

/** Whether `value` is a counter: an integer in `0 … 2^53 - 1` and not `-0` (protocol rule 2.5). */
export function isCounter(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

/** @throws InvariantViolation for anything but an integer in `0 … REPLICA_ID_MAX`; parse foreign input before. */
export function replicaId(value: number): ReplicaId {
  invariant(isCounter(value) && value <= REPLICA_ID_MAX, "ids.replica-id", { value });
  return value as ReplicaId;
}
/** @throws InvariantViolation unless `value` is a counter. */
export function viewNumber(value: number): ViewNumber {
  invariant(isCounter(value), "ids.view-number", { value });
  return value as ViewNumber;
}
/** @throws InvariantViolation unless `value` is a counter. */
export function sequenceNumber(value: number): SequenceNumber {
  invariant(isCounter(value), "ids.sequence-number", { value });
  return value as SequenceNumber;
}
/** @throws InvariantViolation unless `value` is a counter. */
export function epochNumber(value: number): Epoch {
  invariant(isCounter(value), "ids.epoch", { value });
  return value as Epoch;
}
/** @throws InvariantViolation unless `value` is a counter. */
export function requestNumber(value: number): RequestNumber {
  invariant(isCounter(value), "ids.request-number", { value });
  return value as RequestNumber;
}
/** @throws InvariantViolation unless `value` is a counter. */
export function timestampMs(value: number): TimestampMs {
  invariant(isCounter(value), "ids.timestamp", { value });
  return value as TimestampMs;
}

const HEX_32 = /^[0-9a-f]{64}$/;

/** Whether `value` is 32 bytes in lower-case hex. */
export function isHex32(value: unknown): value is string {
  return typeof value === "string" && HEX_32.test(value);
}
/** @throws InvariantViolation unless `value` is 64 lower-case hex digits. */
export function digest(value: string): Digest {
  invariant(isHex32(value), "ids.digest", { value });
  return value as Digest;
}
/** @throws InvariantViolation unless `value` is 64 lower-case hex digits. */
export function publicKey(value: string): PublicKey {
  invariant(isHex32(value), "ids.public-key", { value });
  return value as PublicKey;
}
/** @throws InvariantViolation unless `value` is 64 lower-case hex digits. */
export function clusterId(value: string): ClusterId {
  invariant(isHex32(value), "ids.cluster-id", { value });
  return value as ClusterId;
}
/** @throws InvariantViolation unless `value` is 64 lower-case hex digits. */
export function sessionId(value: string): SessionId {
  invariant(isHex32(value), "ids.session-id", { value });
  return value as SessionId;
}
/** The sequence number after `seq`. */
export function nextSequenceNumber(seq: SequenceNumber): SequenceNumber {
  return sequenceNumber(seq + 1);
}
