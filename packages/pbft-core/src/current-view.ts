import { type Membership, primaryOf, type ReplicaId, type ViewNumber } from "@quorate/protocol";

/** The view that a replica orders in, and whether it still does. */
export class CurrentView {
  readonly membership: Membership;
  readonly #self: ReplicaId;
  #number: ViewNumber;
  #isActive = true;
  /** Of the membership and the view; asked for with every message. */
  #primary: ReplicaId;

  constructor(membership: Membership, self: ReplicaId, number: ViewNumber) {
    this.membership = membership;
    this.#self = self;
    this.#number = number;
    this.#primary = primaryOf(membership, number);
  }

  get number(): ViewNumber {
    return this.#number;
  }
  get primary(): ReplicaId {
    return this.#primary;
  }
  /** No VIEW-CHANGE has left it. */
  get isActive(): boolean {
    return this.#isActive;
  }
  /** Whether this replica orders in the view and is its primary. */
  get isPrimary(): boolean {
    return this.#isActive && this.#primary === this.#self;
  }

  /** The primary of this view or of another one. */
  primaryIn(view: ViewNumber): ReplicaId {
    return view === this.#number ? this.#primary : primaryOf(this.membership, view);
  }

  leave(): void {
    this.#isActive = false;
  }

  enter(view: ViewNumber): void {
    this.#number = view;
    this.#primary = primaryOf(this.membership, view);
    this.#isActive = true;
  }
}
