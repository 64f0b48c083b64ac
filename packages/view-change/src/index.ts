/**
 * Leaving a view and entering the next: VIEW-CHANGE, NEW-VIEW and the time-outs between them (OSDI'99 §4.4 and §4.5.2).
 *
 * @packageDocumentation
 */
export * from "./leave-cause.ts";
export * from "./primary-judge.ts";
export * from "./time-out.ts";
export * from "./view-change-step.ts";
export * from "./view-changing.ts";
export * from "./view-changing-options.ts";
