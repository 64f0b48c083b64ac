/** What replaces what in a source file. */
export interface Edit {
  /** Must occur in the file exactly once, so that the list of mutants cannot rot. */
  readonly find: string;
  readonly replace: string;
}

/** What must notice a mutant: a test file by its path from the root, or seeds of the simulator. */
export type Detector = string | { readonly seeds: readonly number[] };

/** A bug to plant into a copy of the sources. */
export interface Mutant {
  /** Kebab-case; says what is wrong. */
  readonly name: string;
  /** The rule of docs/protocol.md that it breaks. */
  readonly rule: string;
  /** What the planted bug does, in one line. */
  readonly bug: string;
  /** Path from the root. */
  readonly file: string;
  readonly edits: readonly Edit[];
  /** Each was there before the mutant; one that notices is enough. */
  readonly caughtBy: readonly Detector[];
  /** Why it changes nothing that anyone could see, if it does not; then none of the detectors may notice it. */
  readonly harmless?: string;
}

/** The list of mutants and the sources do not fit together. */
export class MutantError extends Error {
  readonly code: "mutant.snippet" | "mutant.baseline" | "mutant.broken";

  constructor(code: MutantError["code"], message: string) {
    super(message);
    this.name = "MutantError";
    this.code = code;
  }
}

/**
 * The source with the bug in it.
 *
 * @throws MutantError when a snippet is not there exactly once.
 */
export function plantMutant({ name, file, edits }: Mutant, source: string): string {
  let planted = source;
  for (const { find, replace } of edits) {
    const pieces = source.split(find).length;
    if (pieces !== 2) {
      const found = pieces === 1 ? "not there" : `there ${pieces - 1} times`;
      throw new MutantError(
        "mutant.snippet",
        `mutant ${name}: its snippet is ${found} in ${file}, expected once; give it the line as it is now:\n${find}`,
      );
    }
    planted = planted.replace(find, () => replace);
  }
  return planted;
}
