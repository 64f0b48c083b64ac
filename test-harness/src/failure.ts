import type { ReplicaTrace } from "@quorate/server/host";
import type { SimulationOptions } from "./options.ts";
import { flagsOf, SEED_DRAWS } from "./seed-draw.ts";
import { optionsForSeed } from "./swarm.ts";

/** Where a run was when it failed. */
export interface FailureSite {
  readonly options: SimulationOptions;
  readonly atMs: number;
  /** One line for each replica and client. */
  readonly status: readonly string[];
  /** The last lines of the trace. */
  readonly trace: readonly string[];
  /** Of the replica whose own code failed, when that is what happened. */
  readonly replicaTrace: Omit<ReplicaTrace, "format"> | undefined;
}

/** A simulated run in which something that must hold did not: all that is needed to repeat and to read it. */
export class SimulationFailure extends Error {
  readonly seed: number;
  readonly options: SimulationOptions;
  /** In virtual milliseconds. */
  readonly atMs: number;
  /** What did not hold, in one line. */
  readonly reason: string;
  /** See `FailureSite`. */
  readonly replicaTrace: FailureSite["replicaTrace"];

  constructor(cause: unknown, { options, atMs, status, trace, replicaTrace }: FailureSite) {
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
    this.options = options;
    this.atMs = atMs;
    this.reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? "";
    this.replicaTrace = replicaTrace;
  }
}

/** Options that are not those of their seed have to be kept in a file. */
function commandFor(options: SimulationOptions): string {
  const given = JSON.stringify(options);
  const draw = SEED_DRAWS.find((one) => JSON.stringify(optionsForSeed(options.seed, one)) === given);
  if (draw !== undefined) return `npm run simulate -- --seed ${options.seed}${flagsOf(draw)}`;
  return "save the options above as FILE, then npm run simulate -- --options FILE";
}
