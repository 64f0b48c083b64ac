import { Violation } from "./checkers/checker.ts";
import { orderersOf } from "./checkpoint-orders.ts";
import { SimulationFailure } from "./failure.ts";
import type { Fault, SimulationOptions, Victim } from "./options.ts";
import { Simulation } from "./simulation.ts";

/** Runs that looking for the smallest failure may take, unless told otherwise. */
export const SHRINK_RUNS_MAX = 400;
/** The shortest phase of faults: workloads and mischief are spread over it. */
const SAFETY_MS_MIN = 200;

/** The smallest run found that fails in the same way as the one given. */
export interface Shrunk {
  readonly options: SimulationOptions;
  readonly failure: SimulationFailure;
  /** Simulations that this took. */
  readonly runs: number;
}

/**
 * Takes away from the options of a failing run what it does not need to fail for the same reason: faults and their victims,
 * liars, clients, operations, losses, time. Greedy, so the result is small, not the smallest of all.
 *
 * @param run runs a simulation, and throws its failure.
 * @returns undefined when the run as given does not fail.
 */
export function shrink(
  given: SimulationOptions,
  run: (options: SimulationOptions) => unknown = (options) => new Simulation(options).run(),
  runsMax: number = SHRINK_RUNS_MAX,
): Shrunk | undefined {
  const first = failureOf(given, run);
  if (first === undefined) return undefined;
  const reason = reasonOf(first);
  let [smallest, runs]: [Omit<Shrunk, "runs">, number] = [{ options: given, failure: first }, 1];
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const options of reductionsOf(smallest.options)) {
      if (runs === runsMax) return { ...smallest, runs };
      const failure = failureOf(options, run);
      runs++;
      if (failure === undefined || reasonOf(failure) !== reason) continue;
      smallest = { options, failure };
      isSmaller = true;
      break;
    }
  }
  return { ...smallest, runs };
}

function failureOf(
  options: SimulationOptions,
  run: (options: SimulationOptions) => unknown,
): SimulationFailure | undefined {
  try {
    run(options);
    return undefined;
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
}

/** What went wrong without the facts, which differ from run to run. */
function reasonOf({ cause }: SimulationFailure): string {
  if (cause instanceof Violation) return cause.property;
  return (cause instanceof Error ? cause.message : String(cause)).split(/[:\d{]/, 1)[0] ?? "";
}

/** Options that are smaller in one way, the boldest first. */
function* reductionsOf(options: SimulationOptions): Iterable<SimulationOptions> {
  yield* fewerFaults(options);
  yield* fewerParties(options);
  yield* calmerNetworks(options);
  yield* calmerDisks(options);
  for (const fewer of fewerOf(options.clocks)) yield { ...options, clocks: fewer };
  for (const name of ["clockSkewMs", "impatience", "retries", "rotateEveryBatches"] as const)
    if (options[name] > 0) yield { ...options, [name]: 0 };
  for (const safetyMs of halvesOf(options.safetyMs, SAFETY_MS_MIN)) yield { ...options, safetyMs };
  if (options.scheme === "real") yield { ...options, scheme: "fake" };
}

function* fewerFaults(options: SimulationOptions): Iterable<SimulationOptions> {
  const { faults, byzantine, checkpointOrders, changes } = options;
  for (const fewer of fewerOf(faults)) yield { ...options, faults: fewer };
  for (const fewer of fewerOf(byzantine)) yield { ...options, byzantine: fewer };
  for (const fewer of fewerOf(checkpointOrders)) yield { ...options, checkpointOrders: fewer };
  for (const fewer of fewerOf(changes)) yield { ...options, changes: fewer };
  // Only from behind: the others keep their numbers.
  if (options.joiners.length > 0 && idsOf(options).every((id) => id < options.replicas + options.joiners.length - 1))
    yield { ...options, joiners: options.joiners.slice(0, -1) };
  if (options.areClientsListed) yield { ...options, areClientsListed: false };
  for (const [i, fault] of faults.entries())
    for (const smaller of smallerThan(fault)) yield { ...options, faults: faults.with(i, smaller) };
}

function* fewerParties(options: SimulationOptions): Iterable<SimulationOptions> {
  if (options.faultyClients > 0) yield { ...options, faultyClients: 0 };
  for (const fewer of lowerThan(options.clients)) yield { ...options, clients: fewer };
  for (const fewer of lowerThan(options.operations)) yield { ...options, operations: fewer };
  if (options.replicas > 4 && options.joiners.length === 0 && idsOf(options).every((id) => id < 4))
    yield { ...options, replicas: 4 };
}

function* calmerNetworks(options: SimulationOptions): Iterable<SimulationOptions> {
  const { network } = options;
  for (const name of ["lossMax", "duplicate", "straggle", "jitterMs"] as const)
    if (network[name] > 0) yield { ...options, network: { ...network, [name]: 0 } };
  if (network.straggle === 0) return;
  for (const straggleMs of halvesOf(network.straggleMs)) yield { ...options, network: { ...network, straggleMs } };
}

function* calmerDisks(options: SimulationOptions): Iterable<SimulationOptions> {
  const { disk } = options;
  if (disk.slow > 0) yield { ...options, disk: { ...disk, slow: 0 } };
  if (disk.store === "files") yield { ...options, disk: { ...disk, store: "memory" } };
}

/** None, either half, and all but one. */
function* fewerOf<T>(items: readonly T[]): Iterable<readonly T[]> {
  if (items.length === 0) return;
  yield [];
  const half = Math.ceil(items.length / 2);
  if (items.length > 2) {
    yield items.slice(0, half);
    yield items.slice(half);
  }
  if (items.length > 1) for (const one of items) yield items.filter((item) => item !== one);
}

/** The same fault with fewer victims, or fewer times. */
function* smallerThan(fault: Fault): Iterable<Fault> {
  switch (fault.type) {
    case "crash":
      for (const replicas of fewerOf(fault.replicas)) if (replicas.length > 0) yield { ...fault, replicas };
      return;
    case "cut-client":
      for (const replicas of fewerOf(fault.replicas)) if (replicas.length > 0) yield { ...fault, replicas };
      return;
    case "isolate-primaries":
      for (const times of lowerThan(fault.times)) yield { ...fault, times };
  }
}

/** The least that is of use, and half of it. */
function halvesOf(value: number, least = 1): readonly number[] {
  const halves = [least, Math.floor(value / 2)];
  return [...new Set(halves)].filter((half) => half >= least && half < value);
}

/** From 1 up to one less, few of them. */
function lowerThan(count: number): readonly number[] {
  return [...new Set([1, Math.floor(count / 2), count - 1])].filter((lower) => lower >= 1 && lower < count);
}

/** Of the replicas that the plan names. */
function idsOf({ faults, byzantine, clocks, checkpointOrders, changes }: SimulationOptions): readonly number[] {
  const faulty = faults.flatMap(victimsOf).filter((victim) => victim !== "primary");
  const orderers = orderersOf(checkpointOrders).filter((orderer) => orderer !== "admin");
  const changed = changes.flatMap((change) => ("replica" in change ? [change.replica] : []));
  return [...faulty, ...orderers, ...changed, ...[...byzantine, ...clocks].map(({ replica }) => replica)];
}

function victimsOf(fault: Fault): readonly Victim[] {
  switch (fault.type) {
    case "crash":
    case "cut-client":
      return fault.replicas;
    case "partition":
      return fault.groups.flat();
    case "cut-edge":
      return [fault.from, fault.to];
    case "links":
      return fault.order;
    case "isolate-primaries":
      return ["primary"];
    default:
      return [fault.replica];
  }
}
