/**
 * Since when what waits has been waiting, oldest first. Time comes from outside and never goes back, so the order of
 * entering is the order of age.
 */
export class Waits<K> {
  readonly #since = new Map<K, number>();

  get size(): number {
    return this.#since.size;
  }
  /** The beginning of the longest wait; undefined when nothing waits. */
  get oldestAtMs(): number | undefined {
    for (const atMs of this.#since.values()) return atMs;
    return undefined;
  }

  has(key: K): boolean {
    return this.#since.has(key);
  }

  /** Begins a wait; one that is on goes on. */
  begin(key: K, atMs: number): void {
    if (!this.#since.has(key)) this.#since.set(key, atMs);
  }

  /** @returns when it began; undefined for what did not wait. */
  end(key: K): number | undefined {
    const atMs = this.#since.get(key);
    this.#since.delete(key);
    return atMs;
  }

  /** All that waits begins anew. */
  restart(atMs: number): void {
    for (const key of this.#since.keys()) this.#since.set(key, atMs);
  }

  clear(): void {
    this.#since.clear();
  }

  /** What has waited since `atMs` or longer, oldest first; at most `most`. */
  since(atMs: number, most: number): K[] {
    const found: K[] = [];
    for (const [key, since] of this.#since) {
      if (since > atMs || found.length >= most) break;
      found.push(key);
    }
    return found;
  }
}
