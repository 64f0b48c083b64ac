import type {
  CheckpointCertificate,
  CommitCertificate,
  JustifiedNewView,
  JustifiedViewChange,
} from "./certificates.ts";
import type { Envelope, NewView, PrePrepare, ReplicaMessage, ViewChange } from "./messages.ts";
import type { Batch, Request } from "./request.ts";

/** A committed batch with what proves it to anyone: the unit of the history. */
export interface CommittedEntry {
  readonly batch: Batch;
  readonly certificate: CommitCertificate;
}

/** What travels from replica to replica. Those without an envelope prove themselves, by digest or certificate. */
export type ReplicaFrame =
  | { readonly type: "pre-prepare"; readonly envelope: Envelope<PrePrepare>; readonly batch: Batch }
  | { readonly type: "signed"; readonly envelope: Envelope<Exclude<ReplicaMessage, PrePrepare | ViewChange | NewView>> }
  | { readonly type: "request"; readonly request: Request }
  | { readonly type: "batch-body"; readonly batch: Batch }
  | { readonly type: "committed"; readonly entry: CommittedEntry }
  /** The sender's latest stable checkpoint, for one whose own is older. */
  | { readonly type: "stable-checkpoint"; readonly checkpoint: CheckpointCertificate }
  /** What was asked for has left the history: only the state at this checkpoint or later can help. */
  | { readonly type: "below-history"; readonly checkpoint: CheckpointCertificate }
  /** Anyone may pass these two on: they are as convincing from a third. */
  | { readonly type: "view-change"; readonly viewChange: JustifiedViewChange }
  | { readonly type: "new-view"; readonly newView: JustifiedNewView };
