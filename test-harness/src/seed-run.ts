import { SimulationFailure } from "./failure.ts";
import { saveRun } from "./saved-run.ts";
import type { SeedDraw } from "./seed-draw.ts";
import { Simulation } from "./simulation.ts";
import { optionsForSeed } from "./swarm.ts";

/** How seeds are run. */
export interface SeedRunOptions {
  readonly draw: SeedDraw;
  /** Where the files of those that fail go; a temporary folder each unless given. */
  readonly saveTo?: string | undefined;
}

/** What became of a seed: plain values, so that it can come from another process. */
export type SeedResult = {
  readonly seed: number;
  /** Reconfigurations that it draws. */
  readonly changes: number;
} & (
  | {
      readonly hasPassed: true;
      readonly traceHash: string;
      readonly batches: number;
      readonly steps: number;
      readonly operations: number;
      readonly marks: readonly (readonly [mark: string, count: number])[];
    }
  | {
      readonly hasPassed: false;
      /** The report: what failed, where everyone stood, what came before, how to repeat it. */
      readonly message: string;
      readonly files: readonly string[];
    }
);

/** Runs one seed. One that fails is run twice: the second time all of it is kept, and saved. */
export function runSeed(seed: number, { draw, saveTo }: SeedRunOptions): SeedResult {
  const options = optionsForSeed(seed, draw);
  const changes = options.changes.length;
  try {
    const { traceHash, batches, steps, operations, marks } = new Simulation(options).run();
    return { seed, changes, hasPassed: true, traceHash, batches, steps, operations, marks: marks.entries() };
  } catch (failure) {
    if (!(failure instanceof SimulationFailure)) throw failure;
    return { seed, changes, hasPassed: false, message: failure.message, files: saveRun(options, saveTo) };
  }
}
