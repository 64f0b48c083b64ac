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

/** Stability: once faults have ended, primaries that are correct lose their place a bounded number of times. */
export class ViewsChecker implements Checker {
  readonly #isPrimaryCorrect: (view: ViewNumber) => boolean;
  readonly #takesTurns: boolean;
  readonly #judged = new Map<ReplicaId, number>();
  #highest = viewNumber(0);
  #correctLeft = 0;
  #isHealed = false;

  /** @param takesTurns whether genesis lets primaries take turns: then views end by themselves, however many. */
  constructor(isPrimaryCorrect: (view: ViewNumber) => boolean, takesTurns = false) {
    this.#isPrimaryCorrect = isPrimaryCorrect;
    this.#takesTurns = takesTurns;
  }

  onHealed(): void {
    this.#isHealed = true;
  }

  onViewChange(replica: ReplicaId, turn: ViewTurn): void {
    if (!this.#isHealed || turn.type === "entered" || !isVerdict(turn.cause)) return;
    if (!this.#isPrimaryCorrect(viewNumber(turn.target - 1))) return;
    const judged = (this.#judged.get(replica) ?? 0) + 1;
    this.#judged.set(replica, judged);
    demand(judged <= CORRECT_JUDGED_MAX, "views.correct-primaries-judged", { replica, turn, judged });
  }

  onStatus(replica: ReplicaId, { view }: ReplicaStatus): void {
    if (this.#takesTurns) return;
    for (; this.#highest < view; this.#highest = viewNumber(this.#highest + 1))
      if (this.#isHealed && this.#isPrimaryCorrect(this.#highest)) this.#correctLeft += 1;
    const correctLeft = this.#correctLeft;
    demand(correctLeft <= CORRECT_LEFT_MAX, "views.correct-primaries-left", { replica, view, correctLeft });
  }
}
