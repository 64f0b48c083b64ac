import type { Outbox } from "@quorate/protocol";

/** The clock of a view that this replica moves to: it fails when its NEW-VIEW has not come in time (protocol rule 7.3). */
export class NewViewTimer {
  #token = 0;
  #isRunning = false;

  /** Once for each view: one that runs goes on. */
  start(afterMs: number, out: Outbox): void {
    if (this.#isRunning) return;
    this.#token += 1;
    this.#isRunning = true;
    out.push({ type: "start-timer", timer: "view-change", token: this.#token, afterMs });
  }

  stop(out: Outbox): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    out.push({ type: "cancel-timer", timer: "view-change" });
  }

  /** @returns whether it is this clock that has run out, and not an earlier one. */
  onTimeout(token: number): boolean {
    if (!this.#isRunning || token !== this.#token) return false;
    this.#isRunning = false;
    return true;
  }
}
