/**
 * What one step may still do to the local store, in entries and pages. A step that removes or checks a whole state would
 * keep everything else of the process waiting.
 */
export class Work {
  #left: number;

  constructor(units: number) {
    this.#left = units;
  }

  get isLeft(): boolean {
    return this.#left > 0;
  }

  spend(units: number): void {
    this.#left -= units;
  }
}
