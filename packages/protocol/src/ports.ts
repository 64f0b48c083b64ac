import type { CheckpointCertificate, PreparedCertificate } from "./certificates.ts";
import type { Digest, PublicKey, ReplicaId, TimestampMs } from "./ids.ts";
import type { NewView, ReplicaMessage, ViewChange } from "./messages.ts";
import type { Statement } from "./outputs.ts";
import type { Unsigned } from "./preimage.ts";
import type { Approval, ReconfigurationRequest } from "./reconfiguration.ts";
import type { CheckpointRequest, OperationsRequest, RegistrationRequest } from "./request.ts";
import type {
  VerifiedBatch,
  VerifiedEnvelope,
  VerifiedNewView,
  VerifiedRequest,
  VerifiedViewChange,
} from "./verified.ts";

/** SHA-256, pure. */
export interface Hasher {
  /** The digest of `bytes` as lower-case hex. */
  digest(bytes: Uint8Array): Digest;
  /** Writes the 32 bytes of that digest into `target`: half the cost where nobody needs it spelled. */
  digestInto(bytes: Uint8Array, target: Uint8Array, offset: number): void;
}

/** A replica's key: synchronous, pure and deterministic, so that re-signing after a restart gives the same bytes. */
export interface Signer {
  readonly self: ReplicaId;
  sign<M extends ReplicaMessage>(message: M): VerifiedEnvelope<M>;
  /** 64 bytes over `statementPreimage`. */
  signStatement(statement: Statement): Uint8Array;
}

/** Puts verified requests together: the batch of verified parts is verified. Pure. */
export interface BatchComposer {
  compose(timestampMs: TimestampMs, requests: readonly VerifiedRequest[]): VerifiedBatch;
}

/** Puts the messages of a view change together and signs them: what is made of verified parts is verified. Pure. */
export interface ViewChangeComposer {
  readonly self: ReplicaId;
  viewChange(
    message: ViewChange,
    checkpoint: CheckpointCertificate,
    certificates: readonly PreparedCertificate[],
  ): VerifiedViewChange;
  /** Signs the NEW-VIEW and the PRE-PREPARE of each of its digests. */
  newView(
    message: NewView,
    viewChanges: readonly VerifiedViewChange[],
    checkpoint: CheckpointCertificate,
    certificates: readonly PreparedCertificate[],
  ): VerifiedNewView;
}

/** A client's key. */
export interface ClientSigner {
  readonly publicKey: PublicKey;
  signOperations(request: Omit<Unsigned<OperationsRequest>, "client" | "type">): VerifiedRequest;
  signRegistration(request: Omit<Unsigned<RegistrationRequest>, "client" | "type">): VerifiedRequest;
  /** Ordered only if the key is an admin's or a member's (protocol rule 9.1). */
  signCheckpoint(request: Omit<Unsigned<CheckpointRequest>, "client" | "type">): VerifiedRequest;
  /** Whoever submits it has verified the signatures of others in it. */
  signReconfiguration(request: Omit<Unsigned<ReconfigurationRequest>, "client" | "type">): VerifiedRequest;
  /** As an admin's key (protocol rule 11.1). */
  approve(request: Pick<ReconfigurationRequest, "epoch" | "nonce" | "change">): Approval;
}

/** One change of an ordered store; `undefined` deletes. */
export interface Change {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Reads of an ordered map from byte strings to byte strings, in `compareBytes` order. */
export interface OrderedReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries with `from ≤ key < to`, ascending; `to` undefined means to the end. Values must not be modified. */
  range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** An ordered map that can be read without its values, which may be large. */
export interface KeyReader extends OrderedReader {
  /** The keys of `range`, of which no value is read. */
  keys(from: Uint8Array, to: Uint8Array | undefined): Iterable<Uint8Array>;
}

/** An ordered map whose writes are atomic groups. Reads see all writes at once, durable or not. */
export interface OrderedStore extends KeyReader {
  /** Applies all changes or, after a crash, none of them. Groups become durable in the order of their writes. */
  write(changes: readonly Change[]): void;
}

/** One end of an authenticated, ordered, lossy stream of frames. */
export interface Link {
  /** Queues a frame; false when it was dropped because the queue is full or the link is down. Counts what it drops. */
  send(frame: Uint8Array): boolean;
  close(reason: string): void;
}
