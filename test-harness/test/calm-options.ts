import { NO_CHANGES, optionsForSeed, type SimulationOptions } from "@quorate/test-harness";

/** A run in which nothing is wrong but what `change` says: no loss, no clock, disk, client or member that is faulty. */
export function calmOptions(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  const options = optionsForSeed(seed, { isSwarm: false, isByzantine: false, changes: "drawn" });
  return {
    ...options,
    faultyClients: 0,
    impatience: 0,
    retries: 0,
    ...NO_CHANGES,
    clocks: [],
    clockSkewMs: 0,
    network: { ...options.network, lossMax: 0, duplicate: 0, straggle: 0 },
    disk: { ...options.disk, store: "memory", slow: 0 },
    ...change,
  };
}
