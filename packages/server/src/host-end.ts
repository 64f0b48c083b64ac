import type { CheckpointCertificate } from "@quorate/protocol";
import { StateDamage } from "@quorate/state-tree";
import type { Departure } from "./departure.ts";
import type { HostObserver } from "./ports.ts";

export interface HostEndOptions {
  readonly observer: Pick<HostObserver, "onStateDamaged" | "onFatal">;
  /** The host is over, and its replica goes on in another way. */
  readonly leave: (departure: Departure) => void;
  /** What a damaged state can be repaired towards. */
  readonly repairTarget: () => CheckpointCertificate;
}

/**
 * How a host ends: it is stopped, or leaves because only the state of the others can help its replica, or dies of a bug or of its
 * disk. Once, and nothing happens afterwards.
 */
export class HostEnd {
  readonly #o: HostEndOptions;
  #isOver = false;
  #leftFor: Departure | undefined;

  constructor(options: HostEndOptions) {
    this.#o = options;
  }

  get isOver(): boolean {
    return this.#isOver;
  }
  /** In one line; undefined while it goes on. */
  get reason(): string | undefined {
    if (!this.#isOver) return undefined;
    return this.#leftFor === undefined ? "the replica stops" : "the replica has its state brought to it";
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Asks to leave. Being wrong goes before being behind, and what was asked for first before what is asked for again. */
  depart(departure: Departure): void {
    if (this.#leftFor === undefined || departure.quarantine !== undefined) this.#leftFor = departure;
  }

  /** Never in the middle of a step: all that it asked for has been done by then, or waits for a flush, as before a crash. */
  leaveIfAsked(): void {
    if (this.#leftFor === undefined || this.#isOver) return;
    this.#isOver = true;
    this.#o.leave(this.#leftFor);
  }

  die(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#o.observer.onFatal(error);
  }

  /** @returns undefined when something was thrown, which is the end. */
  guarded<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.onThrown(error);
      return undefined;
    }
  }

  /**
   * Whatever is thrown in a host is our own bug or our own disk: the replica stops, and says nothing more. But a damaged entry
   * of the state, found before anything was made of it, is replaced by that of the others, and of each other entry it is
   * made sure that it is what the last stable checkpoint says (protocol rule 9.5).
   */
  onThrown(error: unknown): void {
    if (error instanceof StateDamage && !this.#isOver) {
      const { observer, repairTarget } = this.#o;
      observer.onStateDamaged?.(error);
      this.#leftFor = { target: repairTarget(), distrustsEntries: true, quarantine: undefined, damage: error };
      return this.leaveIfAsked();
    }
    this.die(error instanceof Error ? error : new Error(String(error)));
  }
}
