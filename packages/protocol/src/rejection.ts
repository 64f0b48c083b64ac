import type { Digest, Epoch, ReplicaId, SequenceNumber, ViewNumber } from "./ids.ts";
import type { NewViewFault, ViewChangeFault } from "./new-view.ts";

/**
 * Why a verified input was dropped. Never thrown: bad input from others is counted per sender and code, and changes
 * nothing.
 */
export type Rejection = {
  readonly from: ReplicaId | undefined;
} & (
  | { readonly code: "membership.stranger" }
  | { readonly code: "epoch.other"; readonly epoch: Epoch }
  | { readonly code: "view.past"; readonly view: ViewNumber }
  /** Above the last number of its view: that is for the next primary. */
  | { readonly code: "view.over"; readonly seq: SequenceNumber }
  /** Above the last number of its epoch: its members have no say in what follows. */
  | { readonly code: "epoch.over"; readonly seq: SequenceNumber }
  | { readonly code: "window.below"; readonly seq: SequenceNumber }
  | { readonly code: "window.above"; readonly seq: SequenceNumber }
  | { readonly code: "pre-prepare.not-from-primary"; readonly seq: SequenceNumber }
  | { readonly code: "pre-prepare.digest-mismatch"; readonly seq: SequenceNumber; readonly digest: Digest }
  | { readonly code: "pre-prepare.empty-batch"; readonly seq: SequenceNumber }
  | { readonly code: "prepare.from-primary"; readonly seq: SequenceNumber }
  | { readonly code: "vote.conflicting"; readonly seq: SequenceNumber }
  | { readonly code: "checkpoint.conflicting"; readonly seq: SequenceNumber }
  /** A newer vote of the same member took its place. */
  | { readonly code: "checkpoint.displaced"; readonly seq: SequenceNumber }
  /** A vote or a question, for one that is no member and follows what others have decided. */
  | { readonly code: "observer.not-for-this-one" }
  | { readonly code: "backlog.full" }
  /** Not an input but an own message, which stood behind a flush that takes too long: others ask for it again. */
  | { readonly code: "gate.full" }
  | { readonly code: "request.queue-full" }
  /** It waited, and gave way to another; whoever wants it sends it again. */
  | { readonly code: "request.displaced" }
  | { readonly code: "status.over-budget" }
  | { readonly code: "fetch.over-budget" }
  /** It asks for what this replica has not, or not any more. */
  | { readonly code: "fetch.not-here" }
  | { readonly code: "body.not-asked-for"; readonly digest: Digest }
  | { readonly code: "committed.not-asked-for"; readonly seq: SequenceNumber }
  | { readonly code: "view-change.past"; readonly view: ViewNumber }
  | { readonly code: "view-change.malformed"; readonly view: ViewNumber; readonly fault: ViewChangeFault }
  | { readonly code: "view-change.conflicting"; readonly view: ViewNumber }
  | { readonly code: "new-view.past"; readonly view: ViewNumber }
  | { readonly code: "new-view.malformed"; readonly view: ViewNumber; readonly fault: NewViewFault }
  | { readonly code: "new-view.conflicting"; readonly view: ViewNumber }
  | { readonly code: "hand-over.not-from-primary"; readonly view: ViewNumber }
  /** Of a view that is left already, or that is not reached. */
  | { readonly code: "hand-over.other-view"; readonly view: ViewNumber }
  /** This replica was asked to hand over, and is not the primary of the view that it is in. */
  | { readonly code: "hand-over.not-primary"; readonly view: ViewNumber }
  | { readonly code: "query-stable.over-budget" }
  /** Mute, it asks for more than what one that lost its disk needs, or too soon again: nothing is done for it. */
  | { readonly code: "query-stable.too-much"; readonly until: SequenceNumber; readonly view: ViewNumber }
  /** This replica is mute itself and cannot answer, or is the one that asks. */
  | { readonly code: "query-stable.not-for-this-one" }
  | { readonly code: "reply-stable.not-asked-for" }
  | { readonly code: StateChunkFault; readonly seq: SequenceNumber }
);

/** What can be wrong with a part of the state that was fetched. */
export type StateChunkFault =
  | "state-chunk.not-asked-for"
  /** Of another checkpoint, or with other items than were asked for. */
  | "state-chunk.other-than-asked"
  | "state-chunk.oversized"
  /** What is deflated is not the frame of that chunk, of the length that it says. */
  | "state-chunk.bad-deflate"
  /** It says that something did not fit which would have. */
  | "state-chunk.incomplete"
  /** What it said was too large to fit has another size. */
  | "state-chunk.false-size"
  | "state-chunk.wrong-page"
  | "state-chunk.wrong-value";

export type RejectionCode = Rejection["code"];
