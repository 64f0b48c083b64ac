/** What an alarm asks of the world, and where it says so. */
interface AlarmEffects<T extends string> {
  push(
    effect:
      | { readonly type: "start-timer"; readonly timer: T; readonly token: number; readonly afterMs: number }
      | { readonly type: "cancel-timer"; readonly timer: T },
  ): unknown;
}

/** The longest that common runtimes can wait; a longer one rings early and is set again. */
const AFTER_MAX_MS = 2 ** 31 - 1;

/**
 * One timer for everything that may become due. It may ring early, never late: it is left running when nothing is due
 * any more, for the next request would start it again, and an idle client is woken once.
 */
export class Alarm<T extends string> {
  readonly #timer: T;
  #token = 0;
  #setForMs: number | undefined;

  constructor(timer: T) {
    this.#timer = timer;
  }

  /** Whether this time-out is of the running timer and not of one that was replaced. */
  rings(token: number): boolean {
    if (this.#setForMs === undefined || token !== this.#token) return false;
    this.#setForMs = undefined;
    return true;
  }

  /** Sees to it that the timer rings at `dueMs` at the latest; undefined when nothing is due. */
  set(dueMs: number | undefined, nowMs: number, effects: AlarmEffects<T>): void {
    if (dueMs === undefined || (this.#setForMs !== undefined && this.#setForMs <= dueMs)) return;
    const afterMs = Math.min(Math.max(1, dueMs - nowMs), AFTER_MAX_MS);
    this.#setForMs = nowMs + afterMs;
    this.#token++;
    effects.push({ type: "start-timer", timer: this.#timer, token: this.#token, afterMs });
  }

  /** Nothing will ever be due again. */
  cancel(effects: AlarmEffects<T>): void {
    if (this.#setForMs !== undefined) effects.push({ type: "cancel-timer", timer: this.#timer });
    this.#setForMs = undefined;
  }
}
