/**
 * The vocabulary that every part of Quorate shares: ids, membership and quorum sizes, messages, certificates, signing
 * preimages, effects, log records and the ports to the world. No dependencies at all.
 *
 * @packageDocumentation
 */
export * from "./address.ts";
export * from "./base.ts";
export * from "./bytes.ts";
export * from "./certificates.ts";
export * from "./checkpoint-number.ts";
export * from "./divergence.ts";
export * from "./effects.ts";
export * from "./epoch-bounds.ts";
export * from "./epoch-link.ts";
export * from "./evidence.ts";
export * from "./fill.ts";
export * from "./genesis.ts";
export * from "./hex.ts";
export * from "./ids.ts";
export * from "./invariant.ts";
export * from "./log-record.ts";
export * from "./membership.ts";
export * from "./messages.ts";
export * from "./new-view.ts";
export * from "./observers.ts";
export * from "./outputs.ts";
export * from "./ports.ts";
export * from "./preimage.ts";
export * from "./preimage-writer.ts";
export * from "./reconfiguration.ts";
export * from "./reconfiguration-result.ts";
export * from "./record-reader.ts";
export * from "./rejection.ts";
export * from "./replica-frame.ts";
export * from "./request.ts";
export * from "./standing.ts";
export * from "./state-proof.ts";
export * from "./state-read.ts";
export * from "./state-transfer.ts";
export * from "./utf8.ts";
export * from "./verified.ts";
