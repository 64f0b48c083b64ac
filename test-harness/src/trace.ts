import { createHash } from "node:crypto";

/** The most lines that are kept to be shown. */
const LINES_MAX = 60;

/** What happened, as lines: all of them go into a running SHA-256, the last ones are kept for the report of a failure. */
export class Trace {
  readonly #hash = createHash("sha256");
  readonly #lines: string[] = [];
  readonly #all: string[] | undefined;
  #count = 0;

  /** @param all takes every line, for a file. */
  constructor(all?: string[]) {
    this.#all = all;
  }

  /** Lines added so far. */
  get count(): number {
    return this.#count;
  }

  add(line: string): void {
    this.#hash.update(line);
    this.#hash.update("\n");
    this.#count += 1;
    this.#all?.push(line);
    // Twice the bound between cuts, so that a line costs no shift of all others.
    if (this.#lines.push(line) > 2 * LINES_MAX) this.#lines.splice(0, LINES_MAX);
  }

  /** The digest of all lines so far: equal runs have equal digests. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  /** The last lines, oldest first. */
  last(): readonly string[] {
    return this.#lines.slice(-LINES_MAX);
  }
}
