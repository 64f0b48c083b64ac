import type { StateRead } from "@quorate/protocol";
import type { ReadFault, ReadSource, StaleRead } from "./stale-read.ts";

/** A question that is with somebody. */
export interface AskedRead {
  readonly source: ReadSource;
  readonly id: number;
  /** Until when an answer is waited for. */
  readonly untilMs: number;
  /** Its answer, of an epoch that is not known yet. */
  held: Exclude<StateRead, { readonly type: "unavailable" }> | undefined;
}

/** What asking again would not change. */
const FINAL: ReadonlySet<ReadFault> = new Set<ReadFault>([
  ...(["other-question", "bad-certificate", "out-of-epoch", "bad-proof"] as const),
  ...(["not-readable", "too-large"] as const),
]);

/** A read that is not settled: whom it is with, and who has refused it. */
export class OpenRead {
  readonly call: number;
  readonly read: StaleRead;
  readonly deadlineAtMs: number;
  readonly #refused = new Map<ReadSource, ReadFault>();
  /** Who is not asked in this round any more. */
  readonly #done = new Set<ReadSource>();
  #asked: AskedRead | undefined;
  #againAtMs: number | undefined;
  #pauseMs: number;

  constructor(call: number, read: StaleRead, deadlineAtMs: number, pauseMs: number) {
    this.call = call;
    this.read = read;
    this.deadlineAtMs = deadlineAtMs;
    this.#pauseMs = pauseMs;
  }

  get asked(): AskedRead | undefined {
    return this.#asked;
  }
  get refused(): ReadonlyMap<ReadSource, ReadFault> {
    return this.#refused;
  }
  /** When there is something to do about it. */
  get dueAtMs(): number {
    const next = this.#asked?.untilMs ?? this.#againAtMs;
    return next === undefined ? this.deadlineAtMs : Math.min(next, this.deadlineAtMs);
  }

  mayAsk(source: ReadSource): boolean {
    const isMeant = this.read.from === undefined || this.read.from === source;
    return isMeant && !this.#done.has(source);
  }
  /** Whether all of these have refused it for good. */
  isRefusedBy(sources: readonly ReadSource[]): boolean {
    return sources.every((source) => {
      const fault = this.#refused.get(source);
      return fault !== undefined && FINAL.has(fault);
    });
  }

  onAsked(asked: AskedRead): void {
    this.#asked = asked;
    this.#againAtMs = undefined;
  }

  onRefused(source: ReadSource, fault: ReadFault): void {
    this.#refused.set(source, fault);
    this.#done.add(source);
    this.#asked = undefined;
  }

  /** It was with somebody who cannot answer any more: another link to it is another chance. */
  onGone(): void {
    this.#asked = undefined;
  }

  /** Nobody is left to be asked. After a pause, which grows, whoever has not refused for good is asked again. */
  awaitNextRound(nowMs: number, pauseMaxMs: number): void {
    if (this.#againAtMs === undefined) {
      this.#againAtMs = nowMs + this.#pauseMs;
      this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMaxMs);
    } else if (this.#againAtMs <= nowMs) {
      this.#againAtMs = undefined;
      for (const source of [...this.#done]) {
        const fault = this.#refused.get(source);
        if (fault === undefined || !FINAL.has(fault)) this.#done.delete(source);
      }
    }
  }
}
