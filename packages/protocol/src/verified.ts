import type {
  CheckpointCertificate,
  CommitCertificate,
  JustifiedNewView,
  JustifiedReplyStable,
  JustifiedViewChange,
  PreparedCertificate,
} from "./certificates.ts";
import type { Digest, TimestampMs } from "./ids.ts";
import type { Envelope, PrePrepare, ReplicaMessage } from "./messages.ts";
import type { Reply } from "./outputs.ts";
import type { Batch, DigestedRequest } from "./request.ts";

declare const verified: unique symbol;

/**
 * A value whose every signature was verified under the one validity rule, or that this process signed itself. Only
 * `crypto` makes one (through `@quorate/protocol/verification`, which the import rules keep from everyone else), so
 * unverified bytes cannot reach a function that takes one. Verified is not bounded: window, epoch and membership are
 * still for the receiver to check.
 */
export type Verified<T> = T & { readonly [verified]: true };

export type VerifiedEnvelope<M extends ReplicaMessage = ReplicaMessage> = Verified<Envelope<M>>;
export type VerifiedRequest = Verified<DigestedRequest>;

/** A batch with its digest recomputed and all its requests verified. */
export interface DigestedBatch {
  readonly digest: Digest;
  readonly timestampMs: TimestampMs;
  readonly requests: readonly VerifiedRequest[];
  /** As it came from the wire, for the log, the history and resends. */
  readonly batch: Batch;
}
export type VerifiedBatch = Verified<DigestedBatch>;

export type VerifiedCommitCertificate = Verified<CommitCertificate>;
export type VerifiedPreparedCertificate = Verified<PreparedCertificate>;
export type VerifiedCheckpointCertificate = Verified<CheckpointCertificate>;
export type VerifiedReply = Verified<Reply>;

/** The envelope and the certificate are verified, and the certificate is of the checkpoint that the message names. */
export type VerifiedReplyStable = Verified<JustifiedReplyStable>;

/** A VIEW-CHANGE with the digest that a NEW-VIEW refers to it by. */
export interface DigestedViewChange {
  /** Of `replicaMessagePreimage`. */
  readonly digest: Digest;
  readonly viewChange: JustifiedViewChange;
}
/** The envelope, the certificate of each claim and of the checkpoint are verified, and each certifies its claim. */
export type VerifiedViewChange = Verified<DigestedViewChange>;

/** A NEW-VIEW with its PRE-PREPAREs written out. */
export interface ExpandedNewView {
  readonly newView: JustifiedNewView;
  /** At `start + 1`, `start + 2`, … */
  readonly prePrepares: readonly VerifiedEnvelope<PrePrepare>[];
}
/**
 * All signatures are verified, the VIEW-CHANGEs are those that are referred to. Whether the conclusion follows from them
 * is for the receiver to judge, see `newViewFault`.
 */
export type VerifiedNewView = Verified<ExpandedNewView>;

/** A committed entry: the certificate verified, and the batch's digest found equal to the certificate's. */
export interface CertifiedBatch {
  readonly batch: DigestedCertifiedBatch;
  readonly certificate: VerifiedCommitCertificate;
}
/**
 * A batch proven by a commit certificate. With a certificate no client signature is needed (protocol rule 4.4), so its
 * requests carry digests only.
 */
export interface DigestedCertifiedBatch {
  readonly digest: Digest;
  readonly timestampMs: TimestampMs;
  readonly requests: readonly DigestedRequest[];
  readonly batch: Batch;
}
export type VerifiedCommittedEntry = Verified<CertifiedBatch>;
