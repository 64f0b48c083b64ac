import type { VerifiedNewView, ViewNumber } from "@quorate/protocol";

/** The NEW-VIEWs that a replica holds: the one that it entered its view by, and one that it cannot enter by yet. */
export class HeldNewViews {
  #entered: VerifiedNewView | undefined;
  #waiting: VerifiedNewView | undefined;

  /** @param entered of the view that the replica is in; undefined in view 0, which has none. */
  constructor(entered: VerifiedNewView | undefined) {
    this.#entered = entered;
  }

  /** Of the view entered last, for those who missed it. */
  get entered(): VerifiedNewView | undefined {
    return this.#entered;
  }
  /** A valid one that starts above the own stable checkpoint (protocol rule 7.2); the one of the highest view. */
  get waiting(): VerifiedNewView | undefined {
    return this.#waiting;
  }

  of(view: ViewNumber): VerifiedNewView | undefined {
    return [this.#entered, this.#waiting].find((held) => held !== undefined && viewOf(held) === view);
  }

  /** An older one that someone repeats must not make us forget the newer. */
  wait(newView: VerifiedNewView): void {
    if (this.#waiting === undefined || viewOf(newView) > viewOf(this.#waiting)) this.#waiting = newView;
  }

  /** A VIEW-CHANGE for `target` gives up all views below it. */
  leaveFor(target: ViewNumber): void {
    if (this.#waiting !== undefined && viewOf(this.#waiting) < target) this.#waiting = undefined;
  }

  enter(newView: VerifiedNewView): void {
    this.#entered = newView;
    if (this.#waiting !== undefined && viewOf(this.#waiting) <= viewOf(newView)) this.#waiting = undefined;
  }
}

function viewOf({ newView }: VerifiedNewView): ViewNumber {
  return newView.envelope.message.view;
}
