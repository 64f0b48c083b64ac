import type { Epoch, ReplicaId } from "./ids.ts";
import type { Checkpoint, Commit, Envelope, NewView, PrePrepare, Prepare, ViewChange } from "./messages.ts";
import { isSameNewView, isSameViewChange } from "./new-view.ts";

/** What a member signs at most once with one content for one place. */
export type UniqueMessage = PrePrepare | Prepare | Commit | Checkpoint | ViewChange | NewView;

/**
 * What no correct replica can have signed (protocol rule 13.2). Anyone with the genesis document can verify it.
 */
export type Evidence =
  /** One sender, one type, one place, two contents. */
  | {
      readonly type: "equivocation";
      readonly first: Envelope<UniqueMessage>;
      readonly second: Envelope<UniqueMessage>;
    }
  /** A NEW-VIEW that does not follow from the VIEW-CHANGEs that it names; see `newViewFault`. */
  | {
      readonly type: "unjustified-new-view";
      readonly newView: Envelope<NewView>;
      /** Those that it refers to, in the same order. */
      readonly viewChanges: readonly Envelope<ViewChange>[];
    };
export type Equivocation = Extract<Evidence, { type: "equivocation" }>;

/** Whom the evidence convicts, once it is verified. */
export function accusedOf(evidence: Evidence): ReplicaId {
  return evidence.type === "equivocation" ? evidence.first.from : evidence.newView.from;
}

/** The epoch whose members' keys judge the evidence. */
export function epochOfEvidence(evidence: Evidence): Epoch {
  return (evidence.type === "equivocation" ? evidence.first : evidence.newView).message.epoch;
}

/**
 * Whether two envelopes contradict each other by their content; the signatures are for `crypto` to verify. A replica
 * that lost its disk may sign one checkpoint twice (rule 9.5), so a pair of checkpoints is divergence, which is told
 * apart by its message type.
 */
export function isContradiction({ first, second }: Equivocation): boolean {
  const a = first.message;
  const b = second.message;
  if (first.from !== second.from || a.epoch !== b.epoch) return false;
  switch (a.type) {
    case "checkpoint":
      return b.type === "checkpoint" && a.seq === b.seq && a.stateRoot !== b.stateRoot;
    case "view-change":
      return b.type === "view-change" && a.view === b.view && !isSameViewChange(a, b);
    case "new-view":
      return b.type === "new-view" && a.view === b.view && !isSameNewView(a, b);
    default:
      return b.type === a.type && a.seq === b.seq && a.view === b.view && a.digest !== b.digest;
  }
}
