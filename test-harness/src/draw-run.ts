import { type Part, partOf } from "./drawn-part.ts";
import { EXAMPLE_RUN } from "./example-run.ts";
import { SimulationFailure } from "./failure.ts";
import type { SimulationOptions } from "./options.ts";
import { Simulation } from "./simulation.ts";
import { SpaceTime } from "./space-time.ts";
import { spaceTimeSvg } from "./space-time-svg.ts";
import { isTwin } from "./twins.ts";

/** What to draw: a run, or the example of the documentation. */
export interface DrawOptions {
  readonly run: SimulationOptions | undefined;
  /** In virtual milliseconds; without both the part around the first view that is entered. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Draws status messages and what fills gaps, too. */
  readonly isComplete?: boolean;
}

/** The picture, and which part of the run it shows. */
export interface Drawing extends Part {
  readonly svg: string;
  /** Why this part. */
  readonly reason: string;
}

/** Runs and draws. A run that fails is drawn up to its failure. */
export function drawRun({ run: given, fromMs, toMs, isComplete = false }: DrawOptions): Drawing {
  const options = given ?? EXAMPLE_RUN;
  const run = new SpaceTime();
  const failure = failureOf(options, run);
  const clients = Array.from({ length: options.clients }, (_, i) => `c${i}`);
  const replicas = Array.from({ length: options.replicas }, (_, i) =>
    isTwinIn(options, i) ? [`r${i}`, `r${i}'`] : `r${i}`,
  );
  const part = partOf(run, { fromMs, toMs });
  const svg = spaceTimeSvg(run, {
    title: given === undefined ? "A request in three phases, and a view change" : titleOf(given, failure),
    ends: [...clients, ...replicas.flat()],
    notes: notesOf(options),
    failedMs: failure?.atMs,
    ...part,
    isComplete,
  });
  return { ...part, svg };
}

function failureOf(options: SimulationOptions, run: SpaceTime): SimulationFailure | undefined {
  try {
    new Simulation(options, {}, run).run();
    return undefined;
  } catch (failure) {
    if (!(failure instanceof SimulationFailure)) throw failure;
    return failure;
  }
}

function titleOf({ seed }: SimulationOptions, failure: SimulationFailure | undefined): string {
  if (failure === undefined) return `seed ${seed}: the run passes`;
  return `seed ${seed}: the run fails at ${failure.atMs.toFixed(2)} ms: ${failure.reason}`;
}

function isTwinIn({ byzantine }: SimulationOptions, id: number): boolean {
  return byzantine.some(({ replica, behaviour }) => replica === id && isTwin(behaviour));
}

/** How each Byzantine replica lies. */
function notesOf({ byzantine }: SimulationOptions): ReadonlyMap<string, string> {
  return new Map(byzantine.map(({ replica, behaviour }) => [`r${replica}`, `Byzantine: ${behaviour}`]));
}
