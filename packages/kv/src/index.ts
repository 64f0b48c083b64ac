/**
 * The reference service: a replicated, ordered key-value store, with the typed operations and results that clients use.
 *
 * @packageDocumentation
 */
export * from "./encoding.ts";
export * from "./kv-error.ts";
export * from "./kv-service.ts";
export * from "./operations.ts";
