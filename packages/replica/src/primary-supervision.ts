import type { Decision, Ordering } from "@quorate/pbft-core";
import { type Effect, type Membership, type ServedRequest, type ViewNumber, viewNumber } from "@quorate/protocol";
import {
  type LeaveCause,
  PrimaryJudge,
  type PrimaryJudgeOptions,
  type ViewChangeStep,
  type ViewChanging,
} from "@quorate/view-change";
import type { LostDisks } from "./lost-disks.ts";
import type { Muteness } from "./muteness.ts";
import { PrimaryWatch } from "./primary-watch.ts";

/** What is asked of the parts. */
export interface SupervisedParts {
  readonly membership: Membership;
  readonly ordering: Pick<Ordering, "isPrimary" | "oldestWaitAtMs" | "clockedCount">;
  readonly viewChanging: Pick<ViewChanging, "target" | "isSettled" | "timeOutMs" | "excused" | "onFailed" | "onJudged">;
}

/**
 * Holds the primary to its work: to what waits, by a clock, and to what others could do, by judgement (protocol rule 7.4).
 * It says when to leave the view, and remembers why views were left.
 */
export class PrimarySupervision {
  readonly #parts: SupervisedParts;
  readonly #muteness: Pick<Muteness, "isMute">;
  readonly #lostDisks: Pick<LostDisks, "waitsSinceMs">;
  readonly #watch = new PrimaryWatch();
  readonly #judge: PrimaryJudge;
  /** The view that it left another one for, or entered. */
  #target: ViewNumber;
  #leaveCause: LeaveCause | "followed" = "followed";

  constructor(
    options: PrimaryJudgeOptions,
    parts: SupervisedParts,
    muteness: Pick<Muteness, "isMute">,
    lostDisks: Pick<LostDisks, "waitsSinceMs">,
  ) {
    this.#parts = parts;
    this.#muteness = muteness;
    this.#lostDisks = lostDisks;
    this.#judge = new PrimaryJudge(options, parts.membership);
    this.#target = parts.viewChanging.target;
  }

  /** Why a view was given up last; `followed`: a later view had begun without this replica. */
  get leaveCause(): LeaveCause | "followed" {
    return this.#leaveCause;
  }

  /** A backup holds the primary to what others could do, too; the primary learns from itself what that is. */
  onExecuted({ batch }: Decision, served: readonly ServedRequest[], atMs: number): ViewChangeStep | undefined {
    const { ordering, viewChanging } = this.#parts;
    if (!viewChanging.isSettled) return undefined;
    const verdict = this.#judge.onExecuted(batch, served, atMs, viewChanging.timeOutMs);
    return verdict === undefined || ordering.isPrimary ? undefined : viewChanging.onJudged(verdict);
  }

  /** The clock of what waits has run out: has the oldest waited for too long? */
  onTimeout(token: number, atMs: number): ViewChangeStep | undefined {
    const { ordering, viewChanging } = this.#parts;
    const isLate = this.#watch.onTimeout(token, this.#oldestWaitAtMs(atMs), atMs, viewChanging.timeOutMs);
    return isLate && !ordering.isPrimary && viewChanging.isSettled ? viewChanging.onFailed() : undefined;
  }

  /** To be called after each step. */
  onStep(atMs: number, out: Effect[]): void {
    const { ordering, viewChanging } = this.#parts;
    this.#judge.onStep(ordering.clockedCount > 0, atMs);
    const { excused } = viewChanging;
    if (excused !== undefined) this.#judge.onExcused(excused);
    if (ordering.isPrimary || !viewChanging.isSettled || this.#muteness.isMute) return;
    this.#watch.watch(this.#oldestWaitAtMs(atMs), atMs, viewChanging.timeOutMs, out);
  }

  /** The view is given up for `target`. */
  onLeft(target: ViewNumber, cause: LeaveCause, out: Effect[]): void {
    this.#watch.stop(out);
    this.#remember(target, cause);
  }

  onEntered(atMs: number, out: Effect[]): void {
    const { target } = this.#parts.viewChanging;
    // Others left without it: it was cut off, or slower than they.
    if (target > this.#target) this.#remember(target, "followed");
    this.#watch.stop(out);
    this.#judge.onEntered(atMs);
  }

  #remember(target: ViewNumber, cause: LeaveCause | "followed"): void {
    this.#target = target;
    this.#leaveCause = cause;
    this.#judge.onLeft(viewNumber(target - 1), cause);
  }

  #oldestWaitAtMs(atMs: number): number | undefined {
    const waits = [this.#parts.ordering.oldestWaitAtMs, this.#lostDisks.waitsSinceMs(atMs)].filter(
      (at) => at !== undefined,
    );
    return waits.length === 0 ? undefined : Math.min(...waits);
  }
}
