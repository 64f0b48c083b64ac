/**
 * Catching up: gaps are filled with committed batches and their certificates from the history of others, what has left it
 * with the state at a checkpoint, of which only what differs is fetched; and peers are served within a budget.
 *
 * @packageDocumentation
 */
export type { ByteRate } from "./byte-budget.ts";
export { DEFAULT_FETCH_LIMITS, type FetchLimits } from "./fetch-limits.ts";
export type { FetchProgress, FetchStep } from "./fetch-step.ts";
export { GapFiller, type GapFillerOptions } from "./gap-filler.ts";
export type { KeyList } from "./key-list.ts";
export { ServingBudget, type ServingBudgetOptions } from "./serving-budget.ts";
export {
  DEFAULT_DONOR_LIMITS,
  type DonorAnswer,
  type DonorLimits,
  StateDonor,
  type StateDonorOptions,
} from "./state-donor.ts";
export { StateFetcher, type StateFetcherOptions } from "./state-fetcher.ts";
