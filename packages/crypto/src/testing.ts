/**
 * What simulations and tests use in place of curves.
 *
 * @packageDocumentation
 */
export * from "./fake-backend.ts";
