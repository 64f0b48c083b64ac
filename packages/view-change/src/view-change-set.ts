import {
  type Fill,
  invariant,
  type Membership,
  type ReplicaId,
  type VerifiedViewChange,
  type ViewNumber,
  viewNumber,
  weakQuorumSize,
} from "@quorate/protocol";

/** Of each member the newest VIEW-CHANGE, the own one included (OSDI'99 §4.4). Bounded by n. */
export class ViewChangeSet {
  readonly #membership: Membership;
  readonly #newest = new Map<ReplicaId, VerifiedViewChange>();

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  get fill(): Fill {
    return { of: "VIEW-CHANGEs", size: this.#newest.size, max: this.#membership.members.length };
  }

  newestOf(from: ReplicaId): VerifiedViewChange | undefined {
    return this.#newest.get(from);
  }

  /** Takes the place of what its sender said before. */
  add(verified: VerifiedViewChange): void {
    this.#newest.set(verified.viewChange.envelope.from, verified);
  }

  /** Those for this very view, ascending by sender. */
  of(view: ViewNumber): VerifiedViewChange[] {
    return [...this.#newest.values()]
      .filter((held) => viewOf(held) === view)
      .sort((a, b) => a.viewChange.envelope.from - b.viewChange.envelope.from);
  }

  /** How many members have left all views below this one. */
  countAtOrBeyond(view: ViewNumber): number {
    let count = 0;
    for (const held of this.#newest.values()) if (viewOf(held) >= view) count += 1;
    return count;
  }

  /** Whether anyone's is for this very view. */
  hasFor(view: ViewNumber): boolean {
    for (const held of this.#newest.values()) if (viewOf(held) === view) return true;
    return false;
  }

  /** The smallest view that f+1 have gone beyond `view` for: one of them is correct (OSDI'99 §4.5.2). */
  joinableBeyond(view: ViewNumber): ViewNumber | undefined {
    const beyond = [...this.#newest.values()].map(viewOf).filter((other) => other > view);
    if (beyond.length < weakQuorumSize(this.#membership)) return undefined;
    return viewNumber(Math.min(...beyond));
  }

  /** The view is entered: those that led to it, or to one before it, have done their work. */
  forget(view: ViewNumber): void {
    for (const [id, held] of this.#newest) if (viewOf(held) <= view) this.#newest.delete(id);
  }

  checkInvariants(): void {
    const { size } = this.#newest;
    invariant(size <= this.#membership.members.length, "view-change.too-many", { size });
  }
}

function viewOf({ viewChange }: VerifiedViewChange): ViewNumber {
  return viewChange.envelope.message.view;
}
