/**
 * A replicated service of one's own from typed operations. See `defineService`.
 *
 * @packageDocumentation
 */
export { Refusal } from "@quorate/state-machine";
export * from "@quorate/typed-service";
export { type AnyDefinedService, serviceCalls } from "./service-calls.ts";
