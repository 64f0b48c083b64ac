import type {
  CheckpointCertificate,
  CommitCertificate,
  JustifiedNewView,
  JustifiedReplyStable,
  JustifiedViewChange,
} from "./certificates.ts";
import type { EpochLink, FetchEpochs } from "./epoch-link.ts";
import type { Epoch, SequenceNumber } from "./ids.ts";
import { assertNever } from "./invariant.ts";
import type {
  Envelope,
  NewView,
  PrePrepare,
  QueryStable,
  ReplicaMessage,
  ReplyStable,
  ViewChange,
} from "./messages.ts";
import type { Batch, Request } from "./request.ts";
import type { DeflatedChunk, FetchState, StateChunk, StateUnavailable } from "./state-transfer.ts";

/** A committed batch with what proves it to anyone: the unit of the history. */
export interface CommittedEntry {
  readonly batch: Batch;
  readonly certificate: CommitCertificate;
}

/**
 * Asks for committed batches of an epoch with their certificates, `first … last`, as a `fetch-committed` does, and is answered as that is. Not
 * signed: for those who are no members of the epoch, and have nothing to sign with.
 */
export interface FetchHistory {
  readonly epoch: Epoch;
  readonly first: SequenceNumber;
  /** At most `FETCH_COMMITTED_MAX` numbers. */
  readonly last: SequenceNumber;
}

/** What travels from replica to replica. Those without an envelope prove themselves, by digest or certificate. */
export type ReplicaFrame =
  | { readonly type: "pre-prepare"; readonly envelope: Envelope<PrePrepare>; readonly batch: Batch }
  | { readonly type: "signed"; readonly envelope: Envelope<SignedMessage> }
  | { readonly type: "request"; readonly request: Request }
  | { readonly type: "batch-body"; readonly batch: Batch }
  | { readonly type: "committed"; readonly entry: CommittedEntry }
  /** The sender's latest stable checkpoint, for one whose own is older. */
  | { readonly type: "stable-checkpoint"; readonly checkpoint: CheckpointCertificate }
  /** What was asked for has left the history: only the state at this checkpoint or later can help. */
  | { readonly type: "below-history"; readonly checkpoint: CheckpointCertificate }
  /** Anyone may pass these two on: they are as convincing from a third. */
  | { readonly type: "view-change"; readonly viewChange: JustifiedViewChange }
  | { readonly type: "new-view"; readonly newView: JustifiedNewView }
  /** And this one: what a primary proposes for its sake, it proposes with it. */
  | { readonly type: "query-stable"; readonly envelope: Envelope<QueryStable> }
  | { readonly type: "reply-stable"; readonly reply: JustifiedReplyStable }
  /** These four are from the other end of the link alone. */
  | { readonly type: "fetch-state"; readonly fetch: FetchState }
  | { readonly type: "state-chunk"; readonly chunk: StateChunk }
  | { readonly type: "deflated-chunk"; readonly chunk: DeflatedChunk }
  | { readonly type: "state-unavailable"; readonly unavailable: StateUnavailable }
  /** Links prove themselves, whoever brings them. */
  | { readonly type: "fetch-epochs"; readonly fetch: FetchEpochs }
  | { readonly type: "epoch-links"; readonly links: readonly EpochLink[] }
  | { readonly type: "fetch-history"; readonly fetch: FetchHistory };

/** Messages that need nothing beside them, and are taken from their own signer alone. */
export type SignedMessage = Exclude<ReplicaMessage, PrePrepare | ViewChange | NewView | QueryStable | ReplyStable>;

/**
 * The epoch whose members signed what is in a frame; undefined for what belongs to none: requests, bodies, parts of the state, and
 * links, which prove themselves.
 */
export function epochOfFrame(frame: ReplicaFrame): Epoch | undefined {
  switch (frame.type) {
    case "pre-prepare":
    case "signed":
    case "query-stable":
      return frame.envelope.message.epoch;
    case "committed":
      return frame.entry.certificate.epoch;
    case "stable-checkpoint":
    case "below-history":
      return frame.checkpoint.epoch;
    case "view-change":
      return frame.viewChange.envelope.message.epoch;
    case "new-view":
      return frame.newView.envelope.message.epoch;
    case "reply-stable":
      return frame.reply.envelope.message.epoch;
    case "fetch-history":
      return frame.fetch.epoch;
    case "request":
    case "batch-body":
    case "fetch-state":
    case "state-chunk":
    case "deflated-chunk":
    case "state-unavailable":
    case "fetch-epochs":
    case "epoch-links":
      return undefined;
    default:
      return assertNever(frame);
  }
}
