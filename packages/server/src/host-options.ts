import type { Codec } from "@quorate/codec";
import type { Verifier } from "@quorate/crypto";
import type { BatchComposer, ClusterId, Genesis, Hasher, Signer } from "@quorate/protocol";
import type { EpochChain, TrustedEpoch } from "@quorate/reconfiguration";
import type { Service } from "@quorate/state-machine";
import type { ReplicaStore } from "@quorate/storage";
import type { Compressor } from "./compressor.ts";
import type { HostSettings } from "./host-settings.ts";
import type { Claimant } from "./join-claims.ts";
import type { HostObserver, HostPorts } from "./ports.ts";
import type { ReplicaKeys } from "./replica-keys.ts";

/** How one replica runs; everything that all replicas share comes from genesis, and from what they have ordered since. */
export interface RunnerOptions {
  readonly genesis: Genesis;
  /** With its links: trusted like genesis, and no chain is believed that leads elsewhere (protocol rule 11.4). */
  readonly trusted?: TrustedEpoch | undefined;
  readonly cluster: ClusterId;
  readonly service: Service;
  readonly store: ReplicaStore;
  /** Who it is, in each epoch. */
  readonly keys: ReplicaKeys;
  /** What it says of itself where it is no member, to become one; without it nobody gets a claim. */
  readonly claimant?: Claimant;
  readonly verifier: Verifier;
  readonly hasher: Hasher;
  readonly composer: BatchComposer;
  readonly codec: Codec;
  readonly ports: HostPorts;
  readonly observer: HostObserver;
  /** Deflates the state on its way to others, and takes it deflated; without it, neither. */
  readonly compressor?: Compressor | undefined;
  readonly settings?: Partial<HostSettings>;
}

/** How its parts run that are of no epoch. */
export interface StageOptions extends RunnerOptions {
  /** The epochs that are known here: a host lives in the latest of when it was made, and the chain grows under it. */
  readonly epochs: EpochChain;
}

/** What all parts know, whoever the replica is. */
export type EpochOptions = Omit<StageOptions, "keys">;

/** How it runs in one epoch. */
export interface HostOptions extends EpochOptions {
  /** Of the member that it is in this epoch. */
  readonly signer: Signer;
}
