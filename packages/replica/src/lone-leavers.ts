import type { Ordering } from "@quorate/pbft-core";
import type { HandOver, Membership, Outbox, Signer, VerifiedEnvelope, ViewNumber } from "@quorate/protocol";
import type { ViewChangeStep } from "@quorate/view-change";

/** In time-outs: the longest that a primary lets members be away before it hands over for their sake. */
const PATIENCE_MAX = 256;
/** Patience halves when it has not been tried for so many times n times itself, in time-outs as primary. */
const CALM_FACTOR = 16;
/** In time-outs: by so much the sum of many ticks may fall short. */
const ROUNDING = 1e-6;

/** What `LoneLeavers` needs of `ViewChanging`. */
export interface LeftViews {
  readonly ownViewLeftByFew: ViewNumber | undefined;
  readonly timeOutMs: number;
  handOverToLeavers(asked: VerifiedEnvelope<HandOver>, out: Outbox): ViewChangeStep | undefined;
}

/** What is asked of the parts. */
export interface LeftParts {
  readonly membership: Membership;
  readonly ordering: Pick<Ordering, "isPrimary">;
  readonly viewChanging: LeftViews;
}

/**
 * What a primary does for members that gave up its view, too few for the others to join them: it hands the view over, and
 * they vote again in the next one (protocol rule 7.5). Whether they had a reason nobody can tell. So it waits for a
 * time-out first, then for twice as long each time, and comes back from that slowly, in its own views only: f liars end
 * few views, and buy nothing by keeping one that is theirs.
 *
 * It counts status ticks, which come to an idle replica too, and to one whose wall clock is wrong; each as the part that it
 * is of the time-out of that moment.
 */
export class LoneLeavers {
  readonly #signer: Signer;
  readonly #parts: LeftParts;
  readonly #tickMs: number;
  /** In time-outs. */
  #patience = 1;
  /** The view that somebody is away from. */
  #view: ViewNumber | undefined;
  /** In time-outs: how long without a break. */
  #away = 0;
  /** In time-outs: how long this replica was primary since patience changed. */
  #calm = 0;

  constructor(signer: Signer, parts: LeftParts, statusIntervalMs: number) {
    this.#signer = signer;
    this.#parts = parts;
    this.#tickMs = statusIntervalMs;
  }

  /** At each status tick. */
  onTick(out: Outbox): ViewChangeStep | undefined {
    const { membership, viewChanging } = this.#parts;
    const tick = this.#tickMs / viewChanging.timeOutMs;
    this.#calmDown(tick);
    const view = viewChanging.ownViewLeftByFew;
    this.#away = view === this.#view ? this.#away + tick : 0;
    this.#view = view;
    if (view === undefined || this.#away < this.#patience - ROUNDING) return undefined;
    this.#setPatience(Math.min(2 * this.#patience, PATIENCE_MAX));
    const { epoch } = membership;
    return viewChanging.handOverToLeavers(this.#signer.sign({ type: "hand-over", epoch, view }), out);
  }

  /** @param tick in time-outs. */
  #calmDown(tick: number): void {
    if (!this.#parts.ordering.isPrimary) return;
    this.#calm += tick;
    const needed = CALM_FACTOR * this.#parts.membership.members.length * this.#patience;
    if (this.#patience > 1 && this.#calm >= needed - ROUNDING) this.#setPatience(this.#patience / 2);
  }

  #setPatience(patience: number): void {
    this.#patience = patience;
    this.#calm = 0;
  }
}
