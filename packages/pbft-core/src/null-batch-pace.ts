import type { Outbox } from "@quorate/protocol";

/** The least between two null batches while clients are served, in milliseconds. */
const PAUSE_MS = 50;

/**
 * How fast numbers are filled with null batches (protocol rules 8.5 and 11.2). Each costs what ordering a batch costs: while nobody
 * asks for anything they follow each other as fast as they are decided, and while requests come, which fill numbers too, twenty a second
 * at most, in the pauses of a loop of clients.
 */
export class NullBatchPace {
  #nullAtMs = Number.NEGATIVE_INFINITY;
  #requestsAtMs = Number.NEGATIVE_INFINITY;
  #isTimerRunning = false;
  /** The timer has fired, and nothing was proposed since: whatever the clock says now, the pause is over. */
  #isOver = false;

  /** Requests were proposed. */
  onRequests(atMs: number): void {
    this.#requestsAtMs = atMs;
  }

  /** Whether a null batch may be proposed now, which it is then; if not, the timer runs. */
  take(atMs: number, out: Outbox): boolean {
    const dueMs = Math.min(this.#nullAtMs, this.#requestsAtMs) + PAUSE_MS;
    if (dueMs > atMs && !this.#isOver) {
      if (!this.#isTimerRunning)
        out.push({ type: "start-timer", timer: "null-batch", token: atMs, afterMs: Math.min(dueMs - atMs, PAUSE_MS) });
      this.#isTimerRunning = true;
      return false;
    }
    this.#nullAtMs = atMs;
    this.#isOver = false;
    return true;
  }

  /** The timer fired. */
  onTimeout(): void {
    this.#isTimerRunning = false;
    this.#isOver = true;
  }
}
