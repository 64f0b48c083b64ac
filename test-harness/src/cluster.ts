import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, type SignatureBackend } from "@quorate/crypto";
import { createNodeBackend, createNodeHasher } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  type ClusterId,
  checkGenesis,
  DEFAULT_LIMITS,
  FORMAT_VERSION,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Membership,
  type RestoredState,
  replicaId,
} from "@quorate/protocol";
import { orderersOf } from "./checkpoint-orders.ts";
import type { SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";

/** What all replicas and clients of a simulated cluster share, and the secrets of each. */
export interface SimulatedCluster {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly membership: Membership;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly codec: Codec;
  /** By replica id. */
  readonly replicaSeeds: readonly Uint8Array[];
  /** First the correct clients', then the faulty ones', then those of `orderersOf`, then the admin's if changes are ordered, then readers'. */
  readonly clientSeeds: readonly Uint8Array[];
}

/** A genesis document and keys for it. @param readers clients beside all others, which only read. */
export function createCluster(
  options: SimulationOptions,
  prng: Prng,
  restored?: RestoredState,
  readers = 0,
): SimulatedCluster {
  const hasher = createNodeHasher();
  const backend = options.scheme === "fake" ? createFakeBackend(hasher) : createNodeBackend();
  const replicaSeeds = Array.from({ length: options.replicas }, () => prng.bytes(32));
  const ownSeeds = Array.from({ length: options.clients + options.faultyClients }, () => prng.bytes(32));
  const members = replicaSeeds.map((seed, id) => ({
    id: replicaId(id),
    publicKey: backend.publicKeyOf(seed),
    address: `replica-${id}:7000`,
  }));
  const adminSeed = prng.bytes(32);
  const orderers = orderersOf(options.checkpointOrders);
  const clientSeeds = [
    ...ownSeeds,
    ...orderers.map((orderer) => (orderer === "admin" ? adminSeed : (replicaSeeds[orderer] ?? adminSeed))),
    ...(options.changes.length > 0 ? [adminSeed] : []),
    ...Array.from({ length: readers }, () => prng.bytes(32)),
  ];
  const genesis: Genesis = {
    formatVersion: FORMAT_VERSION,
    name: `seed ${options.seed}`,
    faultModel: "byzantine",
    members,
    admins: { threshold: 1, keys: [backend.publicKeyOf(adminSeed)] },
    clients: "open",
    checkpointInterval: options.checkpointInterval,
    windowSize: options.windowSize,
    rotateEveryBatches: options.rotateEveryBatches,
    limits: {
      ...DEFAULT_LIMITS,
      batchRequestsMax: options.batchRequestsMax,
      requestOperationsMax: options.requestOperationsMax,
      sessionWindow: options.sessionWindow,
      sessionsPerClientMax: options.sessionsPerClientMax,
      // Room for each correct client's one and for two of each faulty one: more of theirs are evicted, not others'.
      sessionsMax: options.clients + 2 * Math.max(1, options.faultyClients),
    },
    timeouts: {
      clockToleranceMs: options.clockToleranceMs,
      statusIntervalMs: options.statusIntervalMs,
      viewChangeMs: options.viewChangeMs,
      viewChangeMaxMs: options.viewChangeMaxMs,
    },
    ...(restored && { restored }),
  };
  checkGenesis(genesis);
  return {
    genesis,
    cluster: clusterIdOf(hasher, genesis),
    membership: genesisMembership(genesis),
    backend,
    hasher,
    codec: createCodec(wireLimitsOf(genesis)),
    replicaSeeds,
    clientSeeds,
  };
}
