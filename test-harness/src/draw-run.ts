import { EXAMPLE_RUN } from "./example-run.ts";
import { SimulationFailure } from "./failure.ts";
import { Simulation } from "./simulation.ts";
import { SpaceTime } from "./space-time.ts";
import { spaceTimeSvg } from "./space-time-svg.ts";
import { optionsForSeed } from "./swarm.ts";
import { isTwin } from "./twins.ts";

/** What to draw: one seed's run, or the example of the documentation. */
export interface DrawOptions {
  readonly seed: number | undefined;
  /** In virtual milliseconds; the whole run unless given. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Draws status messages and what fills gaps, too. */
  readonly isComplete?: boolean;
}

/** Runs a seed, or the example, and draws it. A run that fails is drawn up to its failure. */
export function drawRun({ seed, fromMs, toMs, isComplete = false }: DrawOptions): string {
  const options = seed === undefined ? EXAMPLE_RUN : optionsForSeed(seed);
  const run = new SpaceTime();
  let title = seed === undefined ? "A request in three phases, and a view change" : `seed ${seed}`;
  try {
    new Simulation(options, {}, run).run();
  } catch (failure) {
    if (!(failure instanceof SimulationFailure)) throw failure;
    title += ", which failed";
  }
  const last = run.arrows.reduce((latest, { sentMs, arrivedMs }) => Math.max(latest, arrivedMs ?? sentMs), 1);
  const clients = Array.from({ length: options.clients }, (_, i) => `c${i}`);
  const twins = options.byzantine.flatMap(({ replica, behaviour }) => (isTwin(behaviour) ? [replica] : []));
  const replicas = Array.from({ length: options.replicas }, (_, i) =>
    twins.includes(i) ? [`r${i}`, `r${i}'`] : `r${i}`,
  );
  return spaceTimeSvg(run, {
    title,
    ends: [...clients, ...replicas.flat()],
    fromMs: fromMs ?? 0,
    toMs: toMs ?? last,
    isComplete,
  });
}
