import type { Digest, Epoch, ReplicaId, SequenceNumber, ViewNumber } from "./ids.ts";

/** The primary's proposal: `digest` is ordered at `seq` in `view`. The batch itself travels beside it. OSDI'99 §4.2. */
export interface PrePrepare {
  readonly type: "pre-prepare";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  readonly digest: Digest;
}
/** A backup's agreement to the proposal. OSDI'99 §4.2. */
export interface Prepare {
  readonly type: "prepare";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  readonly digest: Digest;
}
/** "I hold a prepared certificate, durably." OSDI'99 §4.2. */
export interface Commit {
  readonly type: "commit";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  readonly digest: Digest;
}
export type ThreePhaseMessage = PrePrepare | Prepare | Commit;

/** "My durable state after executing `seq` has this root." OSDI'99 §4.3. */
export interface Checkpoint {
  readonly type: "checkpoint";
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  readonly stateRoot: Digest;
}

/** What a replica lacks of one sequence number, see `Status`. */
export interface Lack {
  readonly seq: SequenceNumber;
  /** The pre-prepare (with its batch), enough prepares, enough commits. */
  readonly prePrepare: boolean;
  readonly prepares: boolean;
  readonly commits: boolean;
}
/** Periodic: where the sender stands and what it lacks, so that nothing depends on a message arriving (TOCS'02 §5.2). */
export interface Status {
  readonly type: "status";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  /** The last sequence number it has executed. */
  readonly executed: SequenceNumber;
  /** Its low watermark h. */
  readonly stable: SequenceNumber;
  /** The highest number for which it knows a pre-prepare. */
  readonly accepted: SequenceNumber;
  /** Numbers that have not moved since its previous status, ascending, at most `STATUS_LACKS_MAX`. */
  readonly lacks: readonly Lack[];
  /** The view it moves to; equal to `view` while it orders. */
  readonly target: ViewNumber;
  /** Whose VIEW-CHANGE for `target` it holds, ascending by id; empty while it orders. */
  readonly viewChangesOf: readonly ReplicaId[];
  /**
   * The hash chain over all its statements up to `executed`: what others compare with their own (protocol rule 9.5). Undefined
   * where it does not know, or says nothing because it was quarantined there.
   */
  readonly executionDigest: Digest | undefined;
}
/** Asks for the batch with this digest; answered by a `batch-body` frame. */
export interface FetchBatch {
  readonly type: "fetch-batch";
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  readonly digest: Digest;
}
/** Asks for committed batches with their certificates, `first … last`; answered by `committed` and `below-history`. */
export interface FetchCommitted {
  readonly type: "fetch-committed";
  readonly epoch: Epoch;
  readonly first: SequenceNumber;
  readonly last: SequenceNumber;
}

/** "At `seq` this digest prepared here, last in `view`": one element of the set P (OSDI'99 §4.4). */
export interface PreparedClaim {
  readonly seq: SequenceNumber;
  readonly view: ViewNumber;
  readonly digest: Digest;
}

/** A checkpoint by its content: what its certificate proves. */
export interface CheckpointClaim {
  readonly seq: SequenceNumber;
  readonly stateRoot: Digest;
}

/**
 * The sender leaves all views below `view` and says what it promised in them. It signs the claims; the certificates that
 * prove them travel beside it, see `JustifiedViewChange` (OSDI'99 §4.4, protocol rule 7.1).
 */
export interface ViewChange {
  readonly type: "view-change";
  readonly epoch: Epoch;
  /** The view it moves to; at least 1. */
  readonly view: ViewNumber;
  /** Its stable checkpoint. */
  readonly stable: CheckpointClaim;
  /** What prepared above it, one claim a number with the highest view, ascending by number. */
  readonly prepared: readonly PreparedClaim[];
}

/** A VIEW-CHANGE by its sender and the digest of its preimage. */
export interface ViewChangeReference {
  readonly from: ReplicaId;
  readonly digest: Digest;
}

/**
 * The new primary's conclusion from a quorum of VIEW-CHANGEs: what is proposed again in `view`. Everyone draws it again
 * for himself (OSDI'99 §4.4, protocol rule 7.2).
 */
export interface NewView {
  readonly type: "new-view";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  /** The VIEW-CHANGEs that it follows from, a quorum of distinct members, ascending by id. */
  readonly viewChanges: readonly ViewChangeReference[];
  /** The stable checkpoint that the view starts from. */
  readonly start: SequenceNumber;
  /** The batch digests proposed again at `start + 1`, `start + 2`, …; the null batch's in the gaps. At most L. */
  readonly digests: readonly Digest[];
}

/**
 * "I am the primary of `view`, and ask to be relieved": only that primary signs it. Whoever is in that view, or moves to
 * it, leaves for the next one without counting a failure (protocol rule 7.6). It says nothing else, so two of them never
 * contradict each other, and nothing has to be remembered about it.
 */
export interface HandOver {
  readonly type: "hand-over";
  readonly epoch: Epoch;
  readonly view: ViewNumber;
}

/**
 * "My disk was lost, and I am mute": where do you stand? `until` and `view` say what it still waits for, as far as it knows
 * (TOCS'02 §4.3.2, protocol rule 8.5).
 */
export interface QueryStable {
  readonly type: "query-stable";
  readonly epoch: Epoch;
  /** Drawn and stored after the loss: an answer that names it was made after the loss. */
  readonly nonce: Digest;
  /** It votes once a checkpoint at or above this is stable; 0 while it does not know. */
  readonly until: SequenceNumber;
  /** It votes in this view and later ones; 0 while it does not know. */
  readonly view: ViewNumber;
}

/** The answer: nothing above this view was ever moved to by the sender, and this is the highest checkpoint it can prove. */
export interface ReplyStable {
  readonly type: "reply-stable";
  readonly epoch: Epoch;
  /** Of the question. */
  readonly nonce: Digest;
  /** Its certificate travels beside it. */
  readonly stable: CheckpointClaim;
  /** The view it moves to, at or above that of every VIEW-CHANGE it has sent. */
  readonly view: ViewNumber;
}

/** What replicas sign and send to each other. */
export type ReplicaMessage =
  | PrePrepare
  | Prepare
  | Commit
  | Checkpoint
  | Status
  | FetchBatch
  | FetchCommitted
  | ViewChange
  | NewView
  | HandOver
  | QueryStable
  | ReplyStable;
export type ReplicaMessageType = ReplicaMessage["type"];

/** The most `lacks` a status carries. */
export const STATUS_LACKS_MAX = 64;
/** The most sequence numbers one `fetch-committed` asks for. */
export const FETCH_COMMITTED_MAX = 64;

/** A message, its sender and the sender's signature over `replicaMessagePreimage`. Proves nothing until verified. */
export interface Envelope<M extends ReplicaMessage = ReplicaMessage> {
  readonly from: ReplicaId;
  readonly message: M;
  readonly signature: Uint8Array;
}
