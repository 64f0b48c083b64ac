/**
 * Every byte string that is signed or hashed, in one place (protocol rule 2.1). All are a domain tag of 16 bytes, then
 * fixed-width big-endian fields; a list is its length, then its elements. `docs/wire.md` is this file in words.
 */

export * from "./preimages/execution.ts";
export * from "./preimages/genesis.ts";
export { TAGS } from "./preimages/head.ts";
export * from "./preimages/link.ts";
export * from "./preimages/reconfiguration.ts";
export * from "./preimages/replica-message.ts";
export * from "./preimages/request.ts";
