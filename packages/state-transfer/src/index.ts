/**
 * Catching up: gaps are filled with committed batches and their certificates from the history of others, and peers are
 * served within a budget.
 *
 * @packageDocumentation
 */
export { GapFiller, type GapFillerOptions } from "./gap-filler.ts";
export { ServingBudget, type ServingBudgetOptions } from "./serving-budget.ts";
