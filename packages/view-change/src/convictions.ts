import type { Envelope, Fill, NewView, Outbox, ReplicaId, ViewChange, ViewNumber } from "@quorate/protocol";

type Said = ViewChange | NewView;

/**
 * Who has been caught about which view, so that each lie is put on record once. Of each kind of message for itself: who
 * contradicts itself in VIEW-CHANGEs for a view may still be its primary, and what it says as such counts, and is judged.
 * Bounded by one view of each member and kind.
 */
export class Convictions {
  readonly #views: Record<Said["type"], Map<ReplicaId, ViewNumber>> = {
    "view-change": new Map(),
    "new-view": new Map(),
  };

  /** @param members how many may be convicted. */
  fill(members: number): Fill {
    const { "view-change": viewChanges, "new-view": newViews } = this.#views;
    return { of: "convictions in view changes", size: viewChanges.size + newViews.size, max: 2 * members };
  }

  /** Whether a lie of this sender about this message's view, in messages of its kind, is on record. */
  has({ from, message }: Envelope<Said>): boolean {
    return this.#views[message.type].get(from) === message.view;
  }

  /** One sender, one view, two contents. */
  onContradiction<M extends Said>(first: Envelope<M>, second: Envelope<M>, out: Outbox): void {
    const { from, message } = second;
    out.push({ type: "rejected", rejection: { code: `${message.type}.conflicting`, from, view: message.view } });
    if (this.#isNews(second)) out.push({ type: "evidence", evidence: { type: "equivocation", first, second } });
  }

  /** A NEW-VIEW that does not follow from the VIEW-CHANGEs that it names. */
  onUnjustified(newView: Envelope<NewView>, viewChanges: readonly Envelope<ViewChange>[], out: Outbox): void {
    if (this.#isNews(newView))
      out.push({ type: "evidence", evidence: { type: "unjustified-new-view", newView, viewChanges } });
  }

  #isNews(envelope: Envelope<Said>): boolean {
    if (this.has(envelope)) return false;
    this.#views[envelope.message.type].set(envelope.from, envelope.message.view);
    return true;
  }
}
