/**
 * Replicated services from typed operations: `defineService` gives what replicas run, and its type what clients call.
 *
 * @packageDocumentation
 */
export * from "./define-service.ts";
export * from "./parameters.ts";
export * from "./service-state.ts";
export { decodeValue, encodeValue, type ServiceValue, ServiceValueError, VALUE_DEPTH_MAX } from "./service-value.ts";
