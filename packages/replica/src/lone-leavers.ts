import type { HandOver, Membership, Outbox, Signer, VerifiedEnvelope, ViewNumber } from "@quorate/protocol";
import type { ViewChangeStep } from "@quorate/view-change";

/** In time-outs: the longest that a primary lets members be away before it hands over for their sake. */
const PATIENCE_MAX = 256;
/** Patience halves when it has not been tried for so many times n times itself, in time-outs. */
const CALM_FACTOR = 16;

/** What `LoneLeavers` needs of `ViewChanging`. */
export interface LeftViews {
  readonly ownViewLeftByFew: ViewNumber | undefined;
  readonly timeOutMs: number;
  handOverToLeavers(asked: VerifiedEnvelope<HandOver>, out: Outbox): ViewChangeStep | undefined;
}

/**
 * What a primary does for members that gave up its view, too few for the others to join them: it hands the view over, and
 * they vote again in the next one (protocol rule 7.5). Whether they had a reason nobody can tell. So it waits for a
 * time-out first, then for twice as long each time, and comes back from that slowly: f liars end few views.
 *
 * It counts status ticks, which come to an idle replica too, and to one whose wall clock is wrong.
 */
export class LoneLeavers {
  readonly #signer: Signer;
  readonly #membership: Membership;
  readonly #views: LeftViews;
  readonly #tickMs: number;
  /** In time-outs. */
  #patience = 1;
  /** The view that the ticks are of. */
  #view: ViewNumber | undefined;
  /** In a row, at which somebody was away from the view. */
  #ticksAway = 0;
  /** Since patience changed. */
  #ticksCalm = 0;

  constructor(signer: Signer, membership: Membership, views: LeftViews, statusIntervalMs: number) {
    this.#signer = signer;
    this.#membership = membership;
    this.#views = views;
    this.#tickMs = statusIntervalMs;
  }

  /** At each status tick. */
  onTick(out: Outbox): ViewChangeStep | undefined {
    this.#calmDown();
    const view = this.#views.ownViewLeftByFew;
    this.#ticksAway = view === this.#view ? this.#ticksAway + 1 : 0;
    this.#view = view;
    if (view === undefined || this.#ticksAway * this.#tickMs < this.#patience * this.#views.timeOutMs) return undefined;
    this.#setPatience(Math.min(2 * this.#patience, PATIENCE_MAX));
    const { epoch } = this.#membership;
    return this.#views.handOverToLeavers(this.#signer.sign({ type: "hand-over", epoch, view }), out);
  }

  #calmDown(): void {
    this.#ticksCalm += 1;
    const calmMs = this.#ticksCalm * this.#tickMs;
    const neededMs = CALM_FACTOR * this.#membership.members.length * this.#patience * this.#views.timeOutMs;
    if (this.#patience > 1 && calmMs >= neededMs) this.#setPatience(this.#patience / 2);
  }

  #setPatience(patience: number): void {
    this.#patience = patience;
    this.#ticksCalm = 0;
  }
}
