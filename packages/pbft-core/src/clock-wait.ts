import type { Outbox, TimestampMs } from "@quorate/protocol";

/** The longest single wait, after which the proposals are looked at again: timers have a limit of their own. */
const CLOCK_WAIT_MS_MAX = 60_000;

/**
 * The wait for proposals whose time is ahead of the own clock by more than δ (protocol rule 4.7). One timer serves all
 * that wait: it runs for the earliest of them.
 */
export class ClockWait {
  readonly #toleranceMs: number;
  /** When the timer is due, while it runs. */
  #dueMs: number | undefined;

  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs;
  }

  /** Whether a proposal with this time must wait; if so, the timer runs. A time in the past never waits. */
  mustWait(timestampMs: TimestampMs, atMs: number, out: Outbox): boolean {
    const aheadMs = timestampMs - atMs - this.#toleranceMs;
    if (aheadMs <= 0) return false;
    const dueMs = atMs + Math.min(aheadMs, CLOCK_WAIT_MS_MAX);
    if (this.#dueMs === undefined || dueMs < this.#dueMs) {
      this.#dueMs = dueMs;
      out.push({ type: "start-timer", timer: "clock-wait", token: dueMs, afterMs: dueMs - atMs });
    }
    return true;
  }

  /** The proposals that waited are no more. */
  cancel(out: Outbox): void {
    if (this.#dueMs !== undefined) out.push({ type: "cancel-timer", timer: "clock-wait" });
    this.#dueMs = undefined;
  }

  /** The timer fired; whoever still has to wait starts it again. */
  onTimeout(): void {
    this.#dueMs = undefined;
  }
}
