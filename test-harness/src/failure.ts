import type { SimulationOptions } from "./options.ts";
import { optionsForSeed } from "./swarm.ts";

/** Where a run was when it failed. */
export interface FailureSite {
  readonly options: SimulationOptions;
  readonly atMs: number;
  /** One line for each replica and client. */
  readonly status: readonly string[];
  /** The last lines of the trace. */
  readonly trace: readonly string[];
}

/** A simulated run in which something that must hold did not: all that is needed to repeat and to read it. */
export class SimulationFailure extends Error {
  readonly seed: number;

  constructor(cause: unknown, { options, atMs, status, trace }: FailureSite) {
    const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(
      [
        `seed ${options.seed} failed at ${atMs.toFixed(3)} ms: ${reason}`,
        "",
        ...status.map((line) => `  ${line}`),
        "",
        `options ${JSON.stringify(options)}`,
        "",
        ...trace.map((line) => `  ${line}`),
        "",
        `repeat: ${commandFor(options)}`,
      ].join("\n"),
      { cause },
    );
    this.name = "SimulationFailure";
    this.seed = options.seed;
  }
}

/** Options that are not those of their seed have to be kept in a file. */
function commandFor(options: SimulationOptions): string {
  const isOfSeed = JSON.stringify(options) === JSON.stringify(optionsForSeed(options.seed));
  if (isOfSeed) return `npm run simulate -- --seed ${options.seed}`;
  return "save the options above as FILE, then npm run simulate -- --options FILE";
}
