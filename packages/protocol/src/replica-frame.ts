import type { CheckpointCertificate, CommitCertificate } from "./certificates.ts";
import type { Envelope, PrePrepare, ReplicaMessage } from "./messages.ts";
import type { Batch, Request } from "./request.ts";

/** A committed batch with what proves it to anyone: the unit of the history. */
export interface CommittedEntry {
  readonly batch: Batch;
  readonly certificate: CommitCertificate;
}

/** What travels from replica to replica. The last four prove themselves (by digest or certificate): no signature of their own. */
export type ReplicaFrame =
  | { readonly type: "pre-prepare"; readonly envelope: Envelope<PrePrepare>; readonly batch: Batch }
  | { readonly type: "signed"; readonly envelope: Envelope<Exclude<ReplicaMessage, PrePrepare>> }
  | { readonly type: "request"; readonly request: Request }
  | { readonly type: "batch-body"; readonly batch: Batch }
  | { readonly type: "committed"; readonly entry: CommittedEntry }
  /** The sender's latest stable checkpoint, for one whose own is older. */
  | { readonly type: "stable-checkpoint"; readonly checkpoint: CheckpointCertificate }
  /** What was asked for has left the history: only the state at this checkpoint or later can help. */
  | { readonly type: "below-history"; readonly checkpoint: CheckpointCertificate };
