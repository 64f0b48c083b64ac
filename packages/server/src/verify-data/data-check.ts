import { isOfTheDisk } from "../disk-damage.ts";

/** What is looked at, in this order. */
export const DATA_PARTS = [
  "configuration",
  "store",
  "epochs",
  "write-ahead log",
  "state",
  "history",
  "replies",
  "stable checkpoint",
  "own checkpoint",
  "evidence",
  "recovery",
] as const;
export type DataPart = (typeof DATA_PARTS)[number];

/** What was found of one part. */
export interface DataCheck {
  readonly part: DataPart;
  /** `not-checked`: what it stands on is not sound, or not there. */
  readonly result: "ok" | "damaged" | "not-checked";
  /** In words, with counts. */
  readonly found: string;
  /** The first of what is wrong, one sentence each. */
  readonly problems: readonly string[];
  /** How many there are. */
  readonly problemCount: number;
  /** What to do; undefined when nothing is wrong. */
  readonly advice: string | undefined;
}

/** A disk that fails has no end of problems: the first few of a part tell enough. */
const PROBLEMS_LISTED_MAX = 16;

/** Says what is wrong; the check goes on. */
export type Report = (problem: string) => void;

/** What a look at a part gave: words for people, and what other checks go on with. */
export interface Looked<T> {
  readonly found: string;
  readonly value: T;
}

/** Gathers the checks of one folder. An error that speaks of the disk is a problem of the part that it came up in. */
export class DataChecks {
  readonly #checks: DataCheck[] = [];

  get all(): readonly DataCheck[] {
    return this.#checks;
  }

  /** Whether these parts were looked at, and nothing is wrong with them. */
  areSound(...parts: readonly DataPart[]): boolean {
    return parts.every((part) => this.#checks.some((check) => check.part === part && check.result === "ok"));
  }

  /** @returns what the look gave, also when it reported problems; undefined when it could not go on. */
  look<T>(part: DataPart, advice: string, look: (report: Report) => Looked<T>): T | undefined {
    const problems: string[] = [];
    let problemCount = 0;
    const report: Report = (problem) => {
      problemCount += 1;
      if (problems.length < PROBLEMS_LISTED_MAX) problems.push(problem);
    };
    let looked: Looked<T> | undefined;
    try {
      looked = look(report);
    } catch (error) {
      if (!isOfTheDisk(error)) throw error;
      report(error.message);
    }
    this.#checks.push({
      part,
      result: problemCount === 0 ? "ok" : "damaged",
      found: looked?.found ?? "cannot be read",
      problems,
      problemCount,
      advice: problemCount === 0 ? undefined : advice,
    });
    return looked?.value;
  }

  /** The parts that have not been looked at cannot be. */
  skipRest(why: string): void {
    for (const part of DATA_PARTS) if (!this.#checks.some((check) => check.part === part)) this.skip(part, why);
  }

  skip(part: DataPart, why: string): void {
    this.#checks.push({ part, result: "not-checked", found: why, problems: [], problemCount: 0, advice: undefined });
  }
}

/** `1 entry`, `2 entries`. */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
