import type { KvClient } from "quorate";
import { QuorateError } from "quorate";

/** Random numbers of a test, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a client knows of its operations when its calls have ended. */
export class Ledger {
  /** Per counter, the sums that acknowledged increments by one returned. */
  readonly sums: Map<string, bigint[]> = new Map<string, bigint[]>();
  /** Per counter, increments whose outcome nobody knows. */
  readonly unknown: Map<string, number> = new Map<string, number>();
  /** Acknowledged puts. */
  readonly written: Map<string, string> = new Map<string, string>();
  acknowledged: number = 0;
  #onAcknowledged: (() => void)[] = [];

  async increment(store: KvClient, key: string, deadlineMs: number): Promise<boolean> {
    try {
      const sum = await store.increment(key, 1n, { deadlineMs });
      this.sums.set(key, [...(this.sums.get(key) ?? []), sum]);
      return this.#acknowledge();
    } catch (error) {
      if (this.#isWithoutEffect(error)) return false;
      this.unknown.set(key, (this.unknown.get(key) ?? 0) + 1);
      return false;
    }
  }

  async put(store: KvClient, key: string, value: string, deadlineMs: number): Promise<boolean> {
    try {
      await store.put(key, value, { deadlineMs });
      this.written.set(key, value);
      return this.#acknowledge();
    } catch (error) {
      this.#isWithoutEffect(error);
      return false;
    }
  }

  /** Resolves when so many operations are acknowledged in all. */
  async reached(count: number): Promise<void> {
    while (this.acknowledged < count) await new Promise<void>((resolve) => this.#onAcknowledged.push(resolve));
  }

  #acknowledge(): true {
    this.acknowledged++;
    for (const wake of this.#onAcknowledged.splice(0)) wake();
    return true;
  }

  #isWithoutEffect(error: unknown): boolean {
    if (!(error instanceof QuorateError) || error.failure === undefined) throw error;
    return error.failure.effect === "none";
  }
}
