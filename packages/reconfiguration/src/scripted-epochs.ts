import { clusterIdOf, createNobleHasher, createReplicaSigner, type SignatureBackend, Verifier } from "@quorate/crypto";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  activationOf,
  type CheckpointCertificate,
  type ClusterId,
  type Configuration,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  type EpochLink,
  epochNumber,
  FORMAT_VERSION,
  type Genesis,
  genesisConfiguration,
  type Hasher,
  hexToBytes,
  invariant,
  type Member,
  type Membership,
  membershipOf,
  PreimageWriter,
  quorumSize,
  type ReplicaId,
  replicaId,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  stateRootPreimage,
  utf8,
} from "@quorate/protocol";
import { type Snapshot, StateTree } from "@quorate/state-tree";
import { encodeConfiguration } from "./configuration-record.ts";
import { EpochChain, type LinkJudge } from "./epoch-chain.ts";
import { CONFIGURATION_KEY, CONFIGURATION_PART } from "./proven-configuration.ts";
import { TestEntries } from "./test-entries.ts";

/** What a script begins with. What is left out is made up. */
export interface ScriptedEpochsOptions {
  /** Members of epoch 0, ids 0 … n-1; four unless it says otherwise. Not together with `genesis`. */
  readonly n?: number;
  readonly genesis?: Genesis;
  /** The seeds of the members of `genesis`. */
  readonly seedOf?: (id: ReplicaId) => Uint8Array;
  readonly hasher?: Hasher;
  readonly backend?: SignatureBackend;
}

/** What a link is made wrongly of, for those who have to refuse it. */
export interface Forgery {
  /** Who signs, with the keys of that epoch; a quorum of it, lowest ids first, unless given. */
  readonly signers?: readonly ReplicaId[];
  /** Whose keys they sign with: those of another epoch than that which ends. */
  readonly keysOf?: number;
}

/**
 * A cluster whose epochs a test makes up: the members and their keys follow from what it says, and its links prove themselves
 * as real ones do, but nothing is executed. Each change appends one epoch.
 */
export class ScriptedEpochs {
  readonly hasher: Hasher;
  readonly backend: SignatureBackend;
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly verifier: Verifier;
  /** That of epoch e+1 at e. */
  readonly links: EpochLink[] = [];
  readonly #configurations: Configuration[];
  readonly #memberships: Membership[];
  /** By member and epoch in which the key came. */
  readonly #seeds: Map<ReplicaId, Uint8Array>[];
  #highestId: number;

  constructor(options: ScriptedEpochsOptions = {}) {
    this.hasher = options.hasher ?? createNobleHasher();
    this.backend = options.backend ?? createFakeBackend(this.hasher);
    const seedOf = options.seedOf ?? ((id: ReplicaId): Uint8Array => this.#madeSeed(`replica ${id}`));
    this.genesis = options.genesis ?? this.#madeGenesis(options.n ?? 4, seedOf);
    this.cluster = clusterIdOf(this.hasher, this.genesis);
    this.verifier = new Verifier({ backend: this.backend, hasher: this.hasher, cluster: this.cluster });
    const first = genesisConfiguration(this.genesis);
    this.#configurations = [first];
    this.#memberships = [membershipOf(first.epoch, first.members)];
    this.#seeds = [new Map(first.members.map(({ id }) => [id, seedOf(id)]))];
    this.#highestId = Math.max(...first.members.map(({ id }) => id));
  }

  /** The last one. */
  get epoch(): number {
    return this.links.length;
  }
  get judge(): LinkJudge {
    return { cluster: this.cluster, hasher: this.hasher, verifier: this.verifier };
  }

  membershipAt(epoch: number): Membership {
    return at(this.#memberships, epoch);
  }
  /** The key of a member in an epoch, the last one unless given. */
  seedOf(id: ReplicaId, epoch: number = this.epoch): Uint8Array {
    const seed = at(this.#seeds, epoch).get(id);
    invariant(seed !== undefined, "scripted-epochs.no-member", { id, epoch });
    return seed;
  }
  signerOf(self: ReplicaId, epoch: number = this.epoch): Signer {
    const { backend, cluster } = this;
    return createReplicaSigner({ backend, cluster, self, seed: this.seedOf(self, epoch) });
  }
  /** A chain of its own that knows the epochs up to one; genesis alone unless given. */
  chainAt(epoch = 0): EpochChain {
    const chain = new EpochChain(this.judge, this.genesis);
    for (const link of this.links.slice(0, epoch)) invariant(chain.add(link) === "added", "scripted-epochs.link");
    return chain;
  }

  /** A new member with the next free id. */
  join(): Member {
    const id = replicaId(++this.#highestId);
    const seed = this.#madeSeed(`replica ${id}`);
    const member = { id, publicKey: this.backend.publicKeyOf(seed), address: `127.0.0.1:${7000 + id}` };
    this.change({ members: [...this.#last.members, member] }, new Map([[id, seed]]));
    return member;
  }
  leave(id: ReplicaId): void {
    this.change({ members: this.#last.members.filter((member) => member.id !== id) });
  }
  rotateKey(id: ReplicaId): void {
    const seed = this.#madeSeed(`replica ${id} in epoch ${this.epoch + 1}`);
    const publicKey = this.backend.publicKeyOf(seed);
    const members = this.#last.members.map((member) => (member.id === id ? { ...member, publicKey } : member));
    this.change({ members }, new Map([[id, seed]]));
  }
  /** Appends epochs that change nothing but the window. */
  idle(epochs: number): void {
    const { windowSize, checkpointInterval } = this.#last;
    for (let more = 1; more <= epochs; more++) this.change({ windowSize: windowSize + more * checkpointInterval });
  }
  /** Appends any epoch; `seeds` are the keys that it brings in. */
  change(change: Partial<Omit<Configuration, "epoch">>, seeds: ReadonlyMap<ReplicaId, Uint8Array> = new Map()): void {
    const next = this.#nextOf(change);
    const link = this.linkTo(next);
    const { seq, stateRoot } = link.certificate;
    this.links.push(link);
    this.#configurations.push(next);
    this.#memberships.push(membershipOf(next.epoch, next.members, { seq, stateRoot }));
    this.#seeds.push(new Map([...at(this.#seeds, this.epoch - 1), ...seeds]));
  }

  /** A link from the last epoch to what may be any configuration; it is not appended. */
  linkTo(configuration: Partial<Configuration>, forgery: Forgery = {}): EpochLink {
    const current = { ...this.#nextOf({}), ...configuration };
    const highestId = replicaId(this.#highestId);
    const record = encodeConfiguration({ current, highestId, pending: undefined, rejoins: [] });
    const seq = activationOf(sequenceNumber((at(this.#memberships, this.epoch).start?.seq ?? 0) + 1), this.#last);
    const snapshot = this.#snapshotWith(record, seq);
    const stateRoot = this.hasher.digest(stateRootPreimage(this.cluster, snapshot.root));
    return { certificate: this.certify(seq, stateRoot, forgery), record, proof: snapshot.prove(CONFIGURATION_KEY) };
  }

  /** A certificate of the last epoch. */
  certify(seq: SequenceNumber, stateRoot: Digest, { signers, keysOf }: Forgery = {}): CheckpointCertificate {
    const epoch = epochNumber(this.epoch);
    const membership = this.membershipAt(epoch);
    const ids = signers ?? membership.members.slice(0, quorumSize(membership)).map(({ id }) => id);
    const signatures = ids.map((from) => {
      const signer = this.signerOf(from, keysOf ?? epoch);
      return { from, signature: signer.sign({ type: "checkpoint", epoch, seq, stateRoot }).signature };
    });
    return { epoch, seq, stateRoot, signatures };
  }

  #nextOf(change: Partial<Omit<Configuration, "epoch">>): Configuration {
    return { ...this.#last, ...change, epoch: epochNumber(this.epoch + 1) };
  }

  /** A state that has the record, and something else. */
  #snapshotWith(record: Uint8Array, seq: SequenceNumber): Snapshot {
    const [state, local] = [new TestEntries(), new TestEntries()];
    const partOf = (key: Uint8Array): number => (key[0] === CONFIGURATION_KEY[0] ? CONFIGURATION_PART : 1);
    const tree = new StateTree({ state, local, hasher: this.hasher, partOf });
    const changes = tree.change([
      { key: CONFIGURATION_KEY, value: record },
      { key: utf8("something else"), value: new PreimageWriter(8).u64(seq).finish() },
    ]);
    state.write(changes.state);
    local.write(changes.local);
    local.write(tree.checkpoint(seq).local);
    const snapshot = tree.at(seq);
    invariant(snapshot !== undefined, "scripted-epochs.snapshot");
    return snapshot;
  }

  get #last(): Configuration {
    return at(this.#configurations, this.epoch);
  }

  #madeSeed(label: string): Uint8Array {
    return hexToBytes(this.hasher.digest(utf8(label)));
  }
  #madeGenesis(n: number, seedOf: (id: ReplicaId) => Uint8Array): Genesis {
    const members = Array.from({ length: n }, (_, index) => {
      const id = replicaId(index);
      return { id, publicKey: this.backend.publicKeyOf(seedOf(id)), address: `127.0.0.1:${7000 + index}` };
    });
    return {
      formatVersion: FORMAT_VERSION,
      name: "scripted",
      faultModel: "byzantine",
      members,
      admins: { threshold: 1, keys: [this.backend.publicKeyOf(this.#madeSeed("admin"))] },
      clients: "open",
      checkpointInterval: 16,
      windowSize: 64,
      rotateEveryBatches: 0,
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
    };
  }
}

function at<T>(list: readonly T[], epoch: number): T {
  const found = list[epoch];
  invariant(found !== undefined, "scripted-epochs.no-epoch", { epoch });
  return found;
}
