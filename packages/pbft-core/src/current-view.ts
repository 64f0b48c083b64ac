import {
  type Membership,
  primaryOf,
  type ReplicaId,
  type SequenceNumber,
  sequenceNumber,
  type ViewNumber,
} from "@quorate/protocol";

/** The last number of a view that does not end by itself. */
const NO_END = sequenceNumber(Number.MAX_SAFE_INTEGER);

/** The view that a replica orders in, and whether it still does. */
export class CurrentView {
  readonly membership: Membership;
  readonly #self: ReplicaId;
  /** How many numbers a primary orders before the next one has its turn; 0 for ever. */
  readonly #rotateEvery: number;
  #number: ViewNumber;
  #isActive = true;
  #isMute: boolean;
  /** Of the membership and the view; asked for with every message. */
  #primary: ReplicaId;
  #last: SequenceNumber;

  constructor(membership: Membership, self: ReplicaId, number: ViewNumber, rotateEvery: number, isMute: boolean) {
    this.membership = membership;
    this.#self = self;
    this.#rotateEvery = rotateEvery;
    this.#number = number;
    this.#isMute = isMute;
    this.#primary = primaryOf(membership, number);
    // View 0 begins with what its epoch begins with; where a later one began, its NEW-VIEW tells (`beganAt`): until then it does not end.
    const start = membership.start?.seq ?? sequenceNumber(0);
    this.#last = number === 0 ? this.#lastAfter(start) : NO_END;
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
  /** It follows what is ordered and votes for nothing (protocol rule 8.5). */
  get isMute(): boolean {
    return this.#isMute;
  }
  /** Whether this replica may vote in the view. */
  get mayVote(): boolean {
    return this.#isActive && !this.#isMute;
  }
  /** The last number that is ordered in this view: the next one is for the next primary (protocol rule 7.6). */
  get last(): SequenceNumber {
    return this.#last;
  }
  /** Whether this replica orders in the view and is its primary. */
  get isPrimary(): boolean {
    return this.mayVote && this.#primary === this.#self;
  }

  /** The primary of this view or of another one. */
  primaryIn(view: ViewNumber): ReplicaId {
    return view === this.#number ? this.#primary : primaryOf(this.membership, view);
  }

  unmute(): void {
    this.#isMute = false;
  }

  leave(): void {
    this.#isActive = false;
  }

  /** @param taken the last number that its NEW-VIEW proposes again, or starts from. */
  enter(view: ViewNumber, taken: SequenceNumber): void {
    this.#number = view;
    this.#primary = primaryOf(this.membership, view);
    this.#isActive = true;
    this.#last = this.#lastAfter(taken);
  }

  /** After a restart: the view is the one that began so. */
  beganAt(taken: SequenceNumber): void {
    this.#last = this.#lastAfter(taken);
  }

  /** What a NEW-VIEW proposes again was ordered before: the turn of its primary begins behind it. */
  #lastAfter(taken: SequenceNumber): SequenceNumber {
    return this.#rotateEvery === 0 ? NO_END : sequenceNumber(Math.min(taken + this.#rotateEvery, NO_END));
  }
}
