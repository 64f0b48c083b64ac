/**
 * What simulations and tests use in place of curves, and the keys they play with.
 *
 * @packageDocumentation
 */
export * from "./cast.ts";
export * from "./counting-backend.ts";
export * from "./fake-backend.ts";
