import type { HostPorts } from "../dist/ports.js";

/** One timer and the clock that it runs by, which go on only when they are told to. */
export class ManualTimer {
  nowMs = 0;
  #timer: { readonly atMs: number; readonly fire: () => void } | undefined;

  /** What a host starts and stops it by; whichever it names, it is this one. */
  readonly ports: Pick<HostPorts, "startTimer" | "cancelTimer"> = {
    startTimer: (_timer, afterMs, fire) => {
      this.#timer = { atMs: this.nowMs + afterMs, fire };
    },
    cancelTimer: () => {
      this.#timer = undefined;
    },
  };

  /** Goes on to when the timer fires; false if none runs. */
  go(): boolean {
    const timer = this.#timer;
    this.#timer = undefined;
    this.nowMs = Math.max(this.nowMs, timer?.atMs ?? 0);
    timer?.fire();
    return timer !== undefined;
  }
}
