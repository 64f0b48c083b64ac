import type { HandOver, Membership, Outbox, Signer, VerifiedEnvelope, ViewNumber } from "@quorate/protocol";
import type { ViewChangeStep } from "@quorate/view-change";

/** In time-outs: the longest that a primary lets members be away before it hands over for their sake. */
const PATIENCE_MAX = 256;
/** Patience halves when it has not been tried for so many times n times itself, in time-outs. */
const CALM_FACTOR = 16;
/** In time-outs: by so much the sum of many ticks may fall short. */
const ROUNDING = 1e-6;

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
 * It counts status ticks, which come to an idle replica too, and to one whose wall clock is wrong; each as the part that it
 * is of the time-out of that moment.
 */
export class LoneLeavers {
  readonly #signer: Signer;
  readonly #membership: Membership;
  readonly #views: LeftViews;
  readonly #tickMs: number;
  /** In time-outs. */
  #patience = 1;
  /** The view that somebody is away from. */
  #view: ViewNumber | undefined;
  /** In time-outs: how long without a break. */
  #away = 0;
  /** In time-outs: since patience changed. */
  #calm = 0;

  constructor(signer: Signer, membership: Membership, views: LeftViews, statusIntervalMs: number) {
    this.#signer = signer;
    this.#membership = membership;
    this.#views = views;
    this.#tickMs = statusIntervalMs;
  }

  /** At each status tick. */
  onTick(out: Outbox): ViewChangeStep | undefined {
    const tick = this.#tickMs / this.#views.timeOutMs;
    this.#calmDown(tick);
    const view = this.#views.ownViewLeftByFew;
    this.#away = view === this.#view ? this.#away + tick : 0;
    this.#view = view;
    if (view === undefined || this.#away < this.#patience - ROUNDING) return undefined;
    this.#setPatience(Math.min(2 * this.#patience, PATIENCE_MAX));
    const { epoch } = this.#membership;
    return this.#views.handOverToLeavers(this.#signer.sign({ type: "hand-over", epoch, view }), out);
  }

  /** @param tick in time-outs. */
  #calmDown(tick: number): void {
    this.#calm += tick;
    const needed = CALM_FACTOR * this.#membership.members.length * this.#patience;
    if (this.#patience > 1 && this.#calm >= needed - ROUNDING) this.#setPatience(this.#patience / 2);
  }

  #setPatience(patience: number): void {
    this.#patience = patience;
    this.#calm = 0;
  }
}
