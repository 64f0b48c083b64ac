import type { Executor } from "@quorate/state-machine";
import { type ScrubSlice, StateDamage } from "@quorate/state-tree";
import type { HostObserver, HostPorts } from "./ports.ts";

export interface ScrubberOptions {
  readonly executor: Pick<Executor, "scrub">;
  readonly ports: Pick<HostPorts, "startTimer" | "monotonicMs">;
  readonly observer: Pick<HostObserver, "onScrubbed" | "onScrubFound">;
  readonly bytesPerSecond: number;
  /** What was thrown; the scrubber has ended then. */
  readonly onThrown: (error: unknown) => void;
}

const TICK_MS = 50;
/** The event loop is not held for longer, but for one long entry. */
const SLICE_MS = 2;
/** A small state is not looked at again and again. */
const ROUND_MS_MIN = 10_000;

/** Looks for damage in the state while the replica runs, at a steady rate, a little at a time (protocol rule 9.5). */
export class Scrubber {
  readonly #o: ScrubberOptions;
  #roundAtMs: number;

  constructor(options: ScrubberOptions) {
    this.#o = options;
    this.#roundAtMs = options.ports.monotonicMs();
  }

  /** To be called once. */
  start(): void {
    if (this.#o.bytesPerSecond > 0) this.#after(TICK_MS);
  }

  #after(ms: number): void {
    this.#o.ports.startTimer("scrub", ms, () => this.#tick());
  }

  #tick(): void {
    const { ports, observer, onThrown } = this.#o;
    let slice: ScrubSlice;
    try {
      slice = this.#slice();
    } catch (error) {
      if (error instanceof StateDamage) observer.onScrubFound?.();
      return onThrown(error);
    }
    observer.onScrubbed?.(slice);
    if (!slice.isRoundOver) return this.#after(TICK_MS);
    const nextMs = this.#roundAtMs + ROUND_MS_MIN - ports.monotonicMs();
    const restMs = Math.max(TICK_MS, nextMs);
    this.#roundAtMs = ports.monotonicMs() + restMs;
    this.#after(restMs);
  }

  #slice(): ScrubSlice {
    const { executor, ports, bytesPerSecond } = this.#o;
    const untilMs = ports.monotonicMs() + SLICE_MS;
    const bytesMax = Math.ceil((bytesPerSecond * TICK_MS) / 1_000);
    return executor.scrub({ bytesMax, isOver: () => ports.monotonicMs() >= untilMs });
  }
}
