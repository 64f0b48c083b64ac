import type { CheckpointCertificate } from "./certificates.ts";
import type { Epoch } from "./ids.ts";
import type { StateProof } from "./state-proof.ts";

/**
 * One link of the epoch chain: how an epoch follows from the one before it (protocol rule 11.3). It proves itself to anyone who
 * has the links before, down to the genesis document.
 */
export interface EpochLink {
  /** Of the activation, by a quorum of the epoch before. */
  readonly certificate: CheckpointCertificate;
  /** The record of the configuration in that state, see `decodeConfiguration`. */
  readonly record: Uint8Array;
  /** That the state has that record. */
  readonly proof: StateProof;
}

/** Asks for the links of the epochs above one; answered by the first of them, see `EPOCH_LINKS_MAX`. */
export interface FetchEpochs {
  readonly above: Epoch;
}

/**
 * The last epoch that a cluster may come to: it bounds what everybody has to keep of the chain, and what a proof carries of it.
 * A few kilobytes each, some 50 MB in a cluster of four (protocol rule 11.3).
 */
export const EPOCHS_MAX = 16_384;
/** The most links of one answer. */
export const EPOCH_LINKS_MAX = 8;
/** The longest record of a configuration: 64 members with their addresses, and as many admins. */
export const CONFIGURATION_BYTES_MAX = 32_768;
