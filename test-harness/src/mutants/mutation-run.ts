import { readFileSync, writeFileSync } from "node:fs";
import { nameOfDetector, runDetector } from "./detector-run.ts";
import { type Detector, type Mutant, MutantError, plantMutant } from "./mutant.ts";
import { WorkspaceCopy } from "./workspace-copy.ts";

/** What became of one mutant. */
export interface MutantReport {
  readonly name: string;
  readonly rule: string;
  readonly bug: string;
  readonly outcome: "caught" | "survived" | "harmless";
  /** What caught it; for a harmless one the reason. */
  readonly by: string | undefined;
  readonly seconds: number;
}

/** Whether the mutant ended as the list says it does. */
export function isAsExpected({ outcome }: MutantReport, { harmless }: Mutant): boolean {
  return outcome === (harmless === undefined ? "caught" : "harmless");
}

/** What one detector may take, unless the options say otherwise. */
const DETECTOR_LIMIT_SECONDS = 300;

/**
 * Plants mutants into one copy of the workspace, one after the other, and runs what must notice them. Call `close` at the
 * end.
 */
export class MutationRun {
  readonly #copy: WorkspaceCopy;
  readonly #limitSeconds: number;
  readonly #sound = new Set<string>();

  /** @param root the workspace; it is not touched. */
  constructor(root: string, limitSeconds: number = DETECTOR_LIMIT_SECONDS) {
    this.#copy = new WorkspaceCopy(root);
    this.#limitSeconds = limitSeconds;
  }

  /** Where the copy is, until `close`. */
  get folder(): string {
    return this.#copy.root;
  }

  /**
   * Plants the mutant, runs its detectors until one notices, and takes it out again.
   *
   * @throws MutantError when a snippet is not where it should be, or a detector does not pass without the mutant or cannot
   *   be run with it.
   */
  async judge(mutant: Mutant): Promise<MutantReport> {
    const startedAt = performance.now();
    const path = this.#copy.pathOf(mutant.file);
    const source = readFileSync(path, "utf8");
    const planted = plantMutant(mutant, source);
    let by: string | undefined;
    for (const detector of mutant.caughtBy) {
      await this.#expectSound(detector);
      writeFileSync(path, planted);
      try {
        by = await this.#noticed(mutant, detector);
      } finally {
        writeFileSync(path, source);
      }
      if (by !== undefined) break;
    }
    const { name, rule, bug, harmless } = mutant;
    const seconds = Number(((performance.now() - startedAt) / 1_000).toFixed(1));
    if (by === undefined && harmless !== undefined)
      return { name, rule, bug, outcome: "harmless", by: harmless, seconds };
    return { name, rule, bug, outcome: by === undefined ? "survived" : "caught", by, seconds };
  }

  close(): void {
    this.#copy.remove();
  }

  /** Without a mutant the detector passes: looked at once. */
  async #expectSound(detector: Detector): Promise<void> {
    const name = nameOfDetector(detector);
    if (this.#sound.has(name)) return;
    const verdict = await runDetector(this.#copy.root, detector, this.#limitSeconds);
    if (verdict.type !== "passed") {
      const reason = verdict.type === "failed" ? verdict.by : verdict.output;
      throw new MutantError("mutant.baseline", `${name} fails without any mutant: ${reason}`);
    }
    this.#sound.add(name);
  }

  /** The sources are those with the mutant. */
  async #noticed({ name }: Mutant, detector: Detector): Promise<string | undefined> {
    const verdict = await runDetector(this.#copy.root, detector, this.#limitSeconds);
    if (verdict.type !== "broken") return verdict.type === "failed" ? verdict.by : undefined;
    const message = `mutant ${name}: ${nameOfDetector(detector)} cannot run: ${verdict.output}`;
    throw new MutantError("mutant.broken", message);
  }
}
