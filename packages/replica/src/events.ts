import type {
  Digest,
  ExecutionProgress,
  QueryStable,
  ReplicaId,
  RequestStanding,
  SequenceNumber,
  TimerName,
  VerifiedBatch,
  VerifiedCheckpointCertificate,
  VerifiedCommittedEntry,
  VerifiedEnvelope,
  VerifiedNewView,
  VerifiedReplyStable,
  VerifiedRequest,
  VerifiedViewChange,
} from "@quorate/protocol";

/** Everything that can happen to a replica; when, is told beside it (see `Replica.step`). */
export type ReplicaEvent =
  | { readonly type: "start" }
  /** A client's request, from the client or passed on by a replica, with the state machine's judgement of it. */
  | { readonly type: "request"; readonly request: VerifiedRequest; readonly standing: RequestStanding }
  /** `batch` comes beside a pre-prepare; undefined when its body did not verify. */
  | { readonly type: "message"; readonly envelope: VerifiedEnvelope; readonly batch?: VerifiedBatch | undefined }
  | { readonly type: "batch-body"; readonly from: ReplicaId; readonly batch: VerifiedBatch }
  | { readonly type: "committed"; readonly from: ReplicaId; readonly entry: VerifiedCommittedEntry }
  | {
      readonly type: "certificate";
      readonly from: ReplicaId;
      readonly certificate: VerifiedCheckpointCertificate;
      /** It came in answer to a fetch whose entries have left the peer's history. */
      readonly isBelowHistory: boolean;
    }
  | { readonly type: "view-change"; readonly from: ReplicaId; readonly viewChange: VerifiedViewChange }
  | { readonly type: "new-view"; readonly from: ReplicaId; readonly newView: VerifiedNewView }
  /** The operator wants another primary, and this replica to hand over if it is the primary. */
  | { readonly type: "hand-over-asked" }
  /** Anyone may pass it on; only from its own link does it say something about the present. */
  | { readonly type: "query-stable"; readonly from: ReplicaId; readonly envelope: VerifiedEnvelope<QueryStable> }
  | { readonly type: "reply-stable"; readonly from: ReplicaId; readonly reply: VerifiedReplyStable }
  | { readonly type: "timeout"; readonly timer: TimerName; readonly token: number }
  /**
   * The state machine has executed `seq`; the digest is over all that it has put out so far, undefined if it puts `seq` off. If a change
   * was ordered in this epoch, at `seq` or before, `activation` says where it takes effect (protocol rule 11.2).
   */
  | {
      readonly type: "executed";
      readonly seq: SequenceNumber;
      readonly progress: ExecutionProgress;
      readonly executionDigest: Digest | undefined;
      readonly activation?: SequenceNumber | undefined;
    }
  /** The state after executing `seq` is durable and has this root; only for numbers executed with `checkpoint`. */
  | { readonly type: "state-durable"; readonly seq: SequenceNumber; readonly stateRoot: Digest };
