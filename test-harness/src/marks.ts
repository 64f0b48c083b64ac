/** Counts how often each kind of event happened: a campaign in which a kind never happened has not tested it. */
export class Marks {
  readonly #counts = new Map<string, number>();

  add(mark: string, count = 1): void {
    this.#counts.set(mark, this.count(mark) + count);
  }

  count(mark: string): number {
    return this.#counts.get(mark) ?? 0;
  }

  /** All marks that happened, by name. */
  entries(): readonly (readonly [mark: string, count: number])[] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Those of `expected` that never happened. */
  missing(expected: readonly string[]): readonly string[] {
    return expected.filter((mark) => this.count(mark) === 0);
  }
}
