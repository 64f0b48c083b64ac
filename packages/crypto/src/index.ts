/**
 * Ed25519 under one validity rule, SHA-256, Merkle trees, the digests of the protocol, the signers, and the `Verifier`,
 * which alone makes `Verified` values. Portable: runs in browsers; what needs Node is in `@quorate/crypto/node`.
 *
 * @packageDocumentation
 */
export { createBatchComposer } from "./batch-composer.ts";
export * from "./digests.ts";
export { EpochVerifier } from "./epoch-verifier.ts";
export * from "./genesis-keys.ts";
export * from "./merkle.ts";
export { createNobleBackend } from "./noble-backend.ts";
export * from "./noble-hasher.ts";
export type { ReceiptFault } from "./output-verifier.ts";
export type { VerifierOptions } from "./request-verifier.ts";
export * from "./self-test.ts";
export type { BackendName, SignatureBackend } from "./signature-backend.ts";
export * from "./signers.ts";
export { POINT_SIZE, SEED_SIZE, SIGNATURE_SIZE } from "./validity-rule.ts";
export * from "./verifier.ts";
export * from "./view-change-composer.ts";
