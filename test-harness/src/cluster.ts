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
  type PublicKey,
  type RestoredState,
  replicaId,
} from "@quorate/protocol";
import { orderersOf } from "./checkpoint-orders.ts";
import type { SimulationOptions } from "./options.ts";
import { ADMIN_KEYS, STRANGERS } from "./planned-changes.ts";
import type { Prng } from "./prng.ts";
import { RememberingBackend } from "./remembering-backend.ts";

/** What all replicas and clients of a simulated cluster share, and the secrets of each. */
export interface SimulatedCluster {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly membership: Membership;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly codec: Codec;
  /** By the number of the replica: first the members of genesis, then the joiners. */
  readonly replicaSeeds: readonly Uint8Array[];
  /**
   * First the correct clients', then the faulty ones', then those of `orderersOf`, then that of whoever orders changes, if any are, then
   * readers'.
   */
  readonly clientSeeds: readonly Uint8Array[];
  /** Of whoever may become admin in the course of a run; the first is the admin of genesis. */
  readonly adminSeeds: readonly Uint8Array[];
  /** See `STRANGERS`. */
  readonly strangers: readonly PublicKey[];
  /** Whose each key is that is or may become a member's. */
  readonly memberKeys: ReadonlyMap<PublicKey, number>;
  /** The key that a replica is given when its own is rotated for the `count`th time. */
  nextSeed(replica: number, count: number): Uint8Array;
}

/** A genesis document and keys for it. @param readers clients beside all others, which only read. */
export function createCluster(
  options: SimulationOptions,
  prng: Prng,
  restored?: RestoredState,
  readers = 0,
): SimulatedCluster {
  const hasher = createNodeHasher();
  const backend =
    options.scheme === "fake" ? createFakeBackend(hasher) : new RememberingBackend(createNodeBackend(), hasher);
  const ofMembers = Array.from({ length: options.replicas }, () => prng.bytes(32));
  const ownSeeds = Array.from({ length: options.clients + options.faultyClients }, () => prng.bytes(32));
  const ofJoiners = prng.fork("joiners");
  const replicaSeeds = [...ofMembers, ...options.joiners.map(() => ofJoiners.bytes(32))];
  const members = ofMembers.map((seed, id) => ({
    id: replicaId(id),
    publicKey: backend.publicKeyOf(seed),
    address: addressOf(id),
  }));
  const adminSeed = prng.bytes(32);
  const ofChanges = prng.fork("changes");
  const adminSeeds = [adminSeed, ...Array.from({ length: ADMIN_KEYS - 1 }, () => ofChanges.bytes(32))];
  const strangers = Array.from({ length: STRANGERS }, () => backend.publicKeyOf(ofChanges.bytes(32)));
  const orderers = orderersOf(options.checkpointOrders);
  const clientSeeds = [
    ...ownSeeds,
    ...orderers.map((orderer) => (orderer === "admin" ? adminSeed : (replicaSeeds[orderer] ?? adminSeed))),
    ...(options.changes.length > 0 ? [ofChanges.bytes(32)] : []),
    ...Array.from({ length: readers }, () => prng.bytes(32)),
  ];
  const clientKeys = clientSeeds.map((seed) => backend.publicKeyOf(seed));
  const nextSeed = (replica: number, count: number): Uint8Array => prng.fork(`rotation/${replica}/${count}`).bytes(32);
  const seedsOfAll = replicaSeeds.flatMap((seed, replica) => {
    const rotations = options.changes.filter(({ type }) => type === "rotate-key").length;
    const rotated = Array.from({ length: rotations }, (_, i) => nextSeed(replica, i + 1));
    return [seed, ...rotated].map((each) => [each, replica] as const);
  });
  const genesis: Genesis = {
    formatVersion: FORMAT_VERSION,
    name: `seed ${options.seed}`,
    faultModel: "byzantine",
    members,
    admins: { threshold: 1, keys: [backend.publicKeyOf(adminSeed)] },
    clients: options.areClientsListed ? [...new Set([...clientKeys, ...strangers.slice(1)])] : "open",
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
    adminSeeds,
    strangers,
    memberKeys: new Map(seedsOfAll.map(([seed, replica]) => [backend.publicKeyOf(seed), replica])),
    nextSeed,
  };
}

/** Where a replica is said to be reached. */
export function addressOf(replica: number): string {
  return `replica-${replica}:7000`;
}
