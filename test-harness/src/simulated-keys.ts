import { createClientSigner, createReplicaSigner, signPossession } from "@quorate/crypto";
import {
  type ClientSigner,
  type ClusterId,
  invariant,
  type Membership,
  type PublicKey,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type ReplicaId,
  type Signer,
} from "@quorate/protocol";
import { createReplicaKeys, type ReplicaKeys } from "@quorate/server/host";
import type { SimulatedCluster } from "./cluster.ts";

interface HeldKey {
  readonly seed: Uint8Array;
  readonly publicKey: PublicKey;
}

/**
 * The keys in the folder of one simulated replica: the one that it began with, and while it is given another, that one too. They are
 * not on its disk, and outlive it, as if its operator had put them back.
 */
export class SimulatedKeys {
  readonly #cluster: SimulatedCluster;
  readonly #replica: number;
  readonly #keepsOld: boolean;
  #held: readonly HeldKey[];
  #publicKeys: readonly PublicKey[];
  /** Of one that goes back to an epoch before: a thief would have kept them, too. */
  #old: readonly Uint8Array[] = [];
  #made = 0;

  /** @param keepsOld keys are not gone when another is in force. */
  constructor(cluster: SimulatedCluster, replica: number, keepsOld: boolean) {
    this.#cluster = cluster;
    this.#replica = replica;
    this.#keepsOld = keepsOld;
    const seed = cluster.replicaSeeds[replica];
    invariant(seed !== undefined, "simulation.no-key", { replica });
    this.#held = [this.#withKey(seed)];
    this.#publicKeys = this.#keysHeld();
  }

  /** Of those that it has; the same array as long as they are the same. */
  get publicKeys(): readonly PublicKey[] {
    return this.#publicKeys;
  }

  /** For the host. */
  get ofReplica(): ReplicaKeys {
    const { backend, hasher, cluster } = this.#cluster;
    return createReplicaKeys({
      backend,
      hasher,
      cluster,
      seeds: () => [...this.#held.map(({ seed }) => seed), ...this.#old],
    });
  }

  /** Signs as the member of this epoch that it is; undefined where it is none. */
  signerIn(membership: Membership): Signer | undefined {
    return this.ofReplica.signerIn(membership);
  }

  /** Signs as the member that it would be, with its newest key: nobody is to listen. */
  signerAs(self: ReplicaId): Signer {
    const { backend, cluster } = this.#cluster;
    return createReplicaSigner({ backend, seed: this.#newest.seed, self, cluster });
  }

  /** The same for another cluster, in which the same keys are used. */
  foreignSignerIn({ members }: Membership, cluster: ClusterId): Signer | undefined {
    const { backend } = this.#cluster;
    for (const { seed, publicKey } of this.#held) {
      const member = members.find((each) => each.publicKey === publicKey);
      if (member !== undefined) return createReplicaSigner({ backend, seed, self: member.id, cluster });
    }
    return undefined;
  }

  get newest(): PublicKey {
    return this.#newest.publicKey;
  }

  /** The key that it is to have next, made unless it is there. */
  next(): PublicKey {
    if (this.#held.length === 1)
      this.#hold([...this.#held, this.#withKey(this.#cluster.nextSeed(this.#replica, ++this.#made))]);
    return this.newest;
  }

  /** That it has the key which comes in by the change: with that. */
  signPossession(about: Pick<ReconfigurationRequest, "epoch" | "change">): Uint8Array {
    const { backend, cluster } = this.#cluster;
    const incoming = incomingKeyOf(about.change);
    const key = this.#held.find(({ publicKey }) => publicKey === incoming);
    invariant(key !== undefined, "simulation.key-not-held", { replica: this.#replica });
    return signPossession({ backend, seed: key.seed, cluster }, about);
  }

  /** As a client, by the key with which it is a member: for what a member may order alone. */
  ordererIn({ members }: Membership): ClientSigner | undefined {
    const { backend, hasher, cluster } = this.#cluster;
    const held = this.#held.find(({ publicKey }) => members.some((member) => member.publicKey === publicKey));
    return held && createClientSigner({ backend, hasher, seed: held.seed, cluster });
  }

  /** An epoch has begun durably: keys before the one that counts in it are gone (protocol rule 1.4). @returns whether there were any. */
  onEpoch({ members }: Membership): boolean {
    const place = this.#held.findIndex(({ publicKey }) => members.some((member) => member.publicKey === publicKey));
    if (place > 0) {
      const gone = this.#held.slice(0, place).map(({ seed }) => seed);
      if (this.#keepsOld) this.#old = [...this.#old, ...gone];
      this.#hold(this.#held.slice(place));
    }
    return place > 0;
  }

  get #newest(): HeldKey {
    const newest = this.#held.at(-1);
    invariant(newest !== undefined, "simulation.no-key", { replica: this.#replica });
    return newest;
  }

  #withKey(seed: Uint8Array): HeldKey {
    return { seed, publicKey: this.#cluster.backend.publicKeyOf(seed) };
  }

  #hold(held: readonly HeldKey[]): void {
    this.#held = held;
    this.#publicKeys = this.#keysHeld();
  }

  #keysHeld(): readonly PublicKey[] {
    return this.#held.map(({ publicKey }) => publicKey);
  }
}

function incomingKeyOf(change: ReconfigurationChange): PublicKey | undefined {
  if (change.type === "join") return change.member.publicKey;
  return change.type === "rotate-key" ? change.publicKey : undefined;
}
