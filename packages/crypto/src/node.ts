/**
 * What needs Node: the back ends over `node:crypto` and libsodium, the choice between them, and the native SHA-256.
 *
 * @packageDocumentation
 */
export * from "./choose-backend.ts";
export * from "./node-backend.ts";
export * from "./node-hasher.ts";
export * from "./sodium-backend.ts";
