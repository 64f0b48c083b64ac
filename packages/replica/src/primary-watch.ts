import type { Outbox } from "@quorate/protocol";

/**
 * Holds the primary to its work with one timer: it runs while something waits, and looks when it fires whether the
 * oldest of what waits has waited for too long (OSDI'99 §4.4, protocol rule 7.4).
 */
export class PrimaryWatch {
  #token = 0;
  #isRunning = false;

  /** To be called after each step: starts the timer when work waits and none runs. */
  watch(oldestAtMs: number | undefined, atMs: number, timeOutMs: number, out: Outbox): void {
    if (this.#isRunning || oldestAtMs === undefined) return;
    this.#isRunning = true;
    this.#token += 1;
    const afterMs = Math.max(1, oldestAtMs + timeOutMs - atMs);
    out.push({ type: "start-timer", timer: "progress", token: this.#token, afterMs });
  }

  /** @returns whether the oldest of what waits now has waited for `timeOutMs`. */
  onTimeout(token: number, oldestAtMs: number | undefined, atMs: number, timeOutMs: number): boolean {
    if (!this.#isRunning || token !== this.#token) return false;
    this.#isRunning = false;
    return oldestAtMs !== undefined && atMs - oldestAtMs >= timeOutMs;
  }

  /** Another primary, or none: what waits is judged afresh. */
  stop(out: Outbox): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    out.push({ type: "cancel-timer", timer: "progress" });
  }
}
