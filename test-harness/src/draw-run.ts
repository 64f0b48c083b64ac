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
  let title = given === undefined ? "A request in three phases, and a view change" : `seed ${given.seed}`;
  try {
    new Simulation(options, {}, run).run();
  } catch (failure) {
    if (!(failure instanceof SimulationFailure)) throw failure;
    title += ", which failed";
  }
  const clients = Array.from({ length: options.clients }, (_, i) => `c${i}`);
  const twins = options.byzantine.flatMap(({ replica, behaviour }) => (isTwin(behaviour) ? [replica] : []));
  const replicas = Array.from({ length: options.replicas }, (_, i) =>
    twins.includes(i) ? [`r${i}`, `r${i}'`] : `r${i}`,
  );
  const part = partOf(run, { fromMs, toMs });
  const ends = [...clients, ...replicas.flat()];
  return { ...part, svg: spaceTimeSvg(run, { title, ends, ...part, isComplete }) };
}
