import { type ReplicaId, type ViewNumber, viewNumber } from "@quorate/protocol";
import { isVerdict, type ReplicaStatus } from "@quorate/replica";
import type { ViewTurn } from "@quorate/server/host";
import { type Checker, demand } from "./checker.ts";

/**
 * The most views of correct primaries that are left once faults have ended: those that were under way, those that fail
 * until the time-out exceeds the delays of the network, and those that fail while more waits than one time-out clears.
 */
export const CORRECT_LEFT_MAX = 36;
/**
 * The most that one replica judges correct primaries to be slow or unfair then: f+1 of them at each step of what is
 * tolerated, up to the time-out, and as many more as have their throughput compared.
 */
export const CORRECT_JUDGED_MAX = 6;

/**
 * The most views of correct primaries that fail once faults have ended, where primaries take turns: there views end by
 * themselves, and only those count that f+1 correct replicas gave up because nothing came. So many at once, and beyond that
 * one of so many: a primary whose clock is ahead by more than its backups tolerate fails in each of its turns (seed 1144, 21 of
 * 130), and one in which nothing ever comes is stuck.
 */
export const CORRECT_FAILED_IN_TURNS_MAX = 12;
export const FAILED_OF_TURNS_MAX: number = 1 / 4;

/** Where genesis lets primaries take turns. */
export interface TurnsOfPrimaries {
  /** f+1: one that gives a view up alone may be the one that is behind. */
  readonly weakQuorum: number;
}

/** Stability: once faults have ended, primaries that are correct lose their place a bounded number of times. */
export class ViewsChecker implements Checker {
  readonly #isPrimaryCorrect: (view: ViewNumber, epoch: number) => boolean;
  readonly #turns: TurnsOfPrimaries | undefined;
  /** Who gave up which view because nothing came of it, while faults were over; bounded by the length of a run. */
  readonly #gaveUp = new Map<ViewNumber, Set<ReplicaId>>();
  readonly #judged = new Map<ReplicaId, number>();
  readonly #epochOf = new Map<ReplicaId, number>();
  /** The latest that anyone is in. Views begin again with each. */
  #epoch = 0;
  #highest = viewNumber(0);
  #correctLeft = 0;
  #correctFailed = 0;
  /** The first one that was left since. */
  #firstLeft: ViewNumber | undefined;
  #isHealed = false;

  /** @param turns given where genesis lets primaries take turns. */
  constructor(isPrimaryCorrect: (view: ViewNumber, epoch: number) => boolean, turns?: TurnsOfPrimaries) {
    this.#isPrimaryCorrect = isPrimaryCorrect;
    this.#turns = turns;
  }

  onHealed(): void {
    this.#isHealed = true;
  }

  onViewChange(replica: ReplicaId, turn: ViewTurn): void {
    // Of an earlier epoch: whoever is left in it is brought out of it.
    if (!this.#isHealed || turn.type === "entered" || (this.#epochOf.get(replica) ?? 0) < this.#epoch) return;
    const left = viewNumber(turn.target - 1);
    this.#firstLeft ??= left;
    if (!this.#isPrimaryCorrect(left, this.#epoch)) return;
    if (turn.cause === "failed") this.#onGivenUp(replica, left);
    if (!isVerdict(turn.cause)) return;
    const judged = (this.#judged.get(replica) ?? 0) + 1;
    this.#judged.set(replica, judged);
    demand(judged <= CORRECT_JUDGED_MAX, "views.correct-primaries-judged", { replica, turn, judged });
  }

  onStatus(replica: ReplicaId, { epoch, view }: ReplicaStatus): void {
    this.#epochOf.set(replica, epoch);
    if (epoch > this.#epoch) this.#beginEpoch(epoch);
    if (this.#turns !== undefined || epoch < this.#epoch) return;
    for (; this.#highest < view; this.#highest = viewNumber(this.#highest + 1))
      if (this.#isHealed && this.#isPrimaryCorrect(this.#highest, this.#epoch)) this.#correctLeft += 1;
    const correctLeft = this.#correctLeft;
    demand(correctLeft <= CORRECT_LEFT_MAX, "views.correct-primaries-left", { replica, view, correctLeft });
  }

  #beginEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#highest = viewNumber(0);
    this.#firstLeft = undefined;
    this.#gaveUp.clear();
  }

  #onGivenUp(replica: ReplicaId, view: ViewNumber): void {
    if (this.#turns === undefined) return;
    const by = this.#gaveUp.get(view) ?? new Set();
    if (by.has(replica)) return;
    this.#gaveUp.set(view, by.add(replica));
    if (by.size !== this.#turns.weakQuorum) return;
    this.#correctFailed += 1;
    const correctFailed = this.#correctFailed;
    const turns = view - (this.#firstLeft ?? view);
    const most = CORRECT_FAILED_IN_TURNS_MAX + turns * FAILED_OF_TURNS_MAX;
    demand(correctFailed <= most, "views.correct-primaries-failed", { view, turns, correctFailed });
  }
}
