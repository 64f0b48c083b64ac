import { createClientSigner, createReplicaSigner, signPossession } from "@quorate/crypto";
import type { ClientSigner, ClusterId, Membership, PublicKey, ReconfigurationRequest, Signer } from "@quorate/protocol";
import { createReplicaKeys, type ReplicaKeys } from "@quorate/server/host";
import type { SimulatedCluster } from "./cluster.ts";

/**
 * The keys in the folder of one simulated replica: the one that it began with, and while it is given another, that one too. They are
 * not on its disk, and outlive it, as if its operator had put them back.
 */
export class SimulatedKeys {
  readonly #cluster: SimulatedCluster;
  readonly #replica: number;
  readonly #keepsOld: boolean;
  #seeds: readonly Uint8Array[];
  /** Of one that goes back to an epoch before: a thief would have kept them, too. */
  #old: readonly Uint8Array[] = [];
  #made = 0;

  /** @param keepsOld keys are not gone when another is in force. */
  constructor(cluster: SimulatedCluster, replica: number, keepsOld: boolean) {
    this.#cluster = cluster;
    this.#replica = replica;
    this.#keepsOld = keepsOld;
    this.#seeds = [cluster.replicaSeeds[replica] ?? new Uint8Array(0)];
  }

  get publicKeys(): readonly PublicKey[] {
    return this.#seeds.map((seed) => this.#cluster.backend.publicKeyOf(seed));
  }

  /** For the host. */
  get ofReplica(): ReplicaKeys {
    const { backend, hasher, cluster } = this.#cluster;
    return createReplicaKeys({ backend, hasher, cluster, seeds: () => [...this.#seeds, ...this.#old] });
  }

  /** Signs as the member of this epoch that it is; undefined where it is none. */
  signerIn(membership: Membership): Signer | undefined {
    return this.ofReplica.signerIn(membership);
  }

  /** The same for another cluster, in which the same keys are used. */
  foreignSignerIn({ members }: Membership, cluster: ClusterId): Signer | undefined {
    const { backend } = this.#cluster;
    for (const seed of this.#seeds) {
      const key = backend.publicKeyOf(seed);
      const member = members.find(({ publicKey }) => publicKey === key);
      if (member !== undefined) return createReplicaSigner({ backend, seed, self: member.id, cluster });
    }
    return undefined;
  }

  get newest(): PublicKey {
    return this.#cluster.backend.publicKeyOf(this.#newestSeed);
  }

  /** The key that it is to have next, made unless it is there. */
  next(): PublicKey {
    if (this.#seeds.length === 1) this.#seeds = [...this.#seeds, this.#cluster.nextSeed(this.#replica, ++this.#made)];
    return this.newest;
  }

  /** With its newest key: that it has it. */
  signPossession(about: Pick<ReconfigurationRequest, "epoch" | "change">): Uint8Array {
    const { backend, cluster } = this.#cluster;
    return signPossession({ backend, seed: this.#newestSeed, cluster }, about);
  }

  /** As a client, by the key with which it is a member: for what a member may order alone. */
  ordererIn({ members }: Membership): ClientSigner | undefined {
    const { backend, hasher, cluster } = this.#cluster;
    const seed = this.#seeds.find((held) => members.some(({ publicKey }) => publicKey === backend.publicKeyOf(held)));
    return seed && createClientSigner({ backend, hasher, seed, cluster });
  }

  /** An epoch has begun durably: keys before the one that counts in it are gone (protocol rule 1.4). @returns whether there were any. */
  onEpoch({ members }: Membership): boolean {
    const { backend } = this.#cluster;
    const place = this.#seeds.findIndex((seed) =>
      members.some(({ publicKey }) => publicKey === backend.publicKeyOf(seed)),
    );
    if (place > 0) {
      if (this.#keepsOld) this.#old = [...this.#old, ...this.#seeds.slice(0, place)];
      this.#seeds = this.#seeds.slice(place);
    }
    return place > 0;
  }

  get #newestSeed(): Uint8Array {
    return this.#seeds.at(-1) ?? new Uint8Array(0);
  }
}
