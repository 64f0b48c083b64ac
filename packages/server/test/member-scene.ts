import { createReplicaSigner, signPossession } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type Digest,
  type EpochLink,
  epochNumber,
  epochOfFrame,
  type Membership,
  observerPeerId,
  quorumSize,
  type ReconfigurationChange,
  type ReplicaFrame,
  type ReplicaMessage,
  replicaId,
  type Signer,
  type Status,
  timestampMs,
  type VerifiedBatch,
  type VerifiedEnvelope,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { CONFIGURATION_KEY, EpochChain } from "@quorate/reconfiguration";
import { Executor } from "@quorate/state-machine";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import {
  backend,
  clientOf,
  cluster,
  composer,
  digestOf,
  genesis,
  hasher,
  newVerifier,
  seedOf,
  seqOf,
  signerOf,
} from "./builders.ts";
import { echo, Scene } from "./runner-scene.ts";

/** The last number of each epoch that ends: K = 8, L = 16 throughout. */
export const ENDS = { joined: 32, left: 56, rotated: 80, rejoined: 104 } as const;
const LASTS: readonly number[] = Object.values(ENDS);
/** Who joins, leaves, rotates its key and rejoins, one after the other. */
export const JOINER = 4;
export const LEAVER = 3;
export const ROTATED = 1;
export const REJOINER = 2;
/** Of the disk of the one that rejoins. */
export const LOSS: Digest = digestOf("loss");
/** The one that the joiner claims to have got over. */
export const JOINER_LOSS: Digest = digestOf("loss of the joiner");
const NEXT_KEY = "the next key";
/** The key of a member, and what the other one is whose key changes. */
export const seedIn = (id: number, epoch: number): Uint8Array =>
  seedOf(id === ROTATED && epoch >= 3 ? NEXT_KEY : `replica ${id}`);
/** On the link of an observer. */
export const AN_OBSERVER: number = observerPeerId(3);

const epochAt = (seq: number): number => LASTS.filter((last) => seq > last).length;
const NULL = composer.compose(timestampMs(0), []);

function changeBy(epoch: number, change: ReconfigurationChange, holder?: Uint8Array): VerifiedRequest {
  const asked = { epoch: epochNumber(epoch), nonce: digestOf(`change in ${epoch}`), change };
  const possession =
    holder === undefined ? new Uint8Array(0) : signPossession({ backend, seed: holder, cluster }, asked);
  const approvals = [clientOf("admin").approve(asked)];
  return clientOf("submitter").signReconfiguration({ ...asked, approvals, possession });
}

/** What correct replicas come to: each change names what the state of before has. */
class History {
  readonly executor: Executor = new Executor({
    ...{ genesis, cluster, service: echo, hasher },
    store: createMemoryStore(),
    signer: signerOf(0),
  });
  readonly batches: VerifiedBatch[] = [];
  readonly epochs: EpochChain = new EpochChain({ hasher, cluster, verifier: newVerifier() }, genesis);
  readonly links: EpochLink[] = [];

  constructor(upTo: number) {
    for (let seq = 1; seq <= upTo; seq++) {
      const request = this.#orderedAt(seq);
      const batch = request === undefined ? NULL : composer.compose(timestampMs(seq), [request]);
      this.batches[seq] = batch;
      this.executor.execute(seqOf(seq), batch);
      if (LASTS.includes(seq)) this.#link(seq);
    }
  }

  membershipAt(epoch: number): Membership {
    const membership = this.epochs.membershipAt(epochNumber(epoch));
    if (membership === undefined) throw new Error(`no epoch ${epoch}`);
    return membership;
  }

  certificateAt(seq: number): CheckpointCertificate {
    const stateRoot = this.executor.checkpointRoot(seqOf(seq));
    if (stateRoot === undefined) throw new Error(`no checkpoint at ${seq}`);
    const claim = { epoch: epochNumber(epochAt(seq)), seq: seqOf(seq), stateRoot };
    return { ...claim, signatures: this.signaturesOf({ type: "checkpoint", ...claim }) };
  }

  /** By a quorum of its epoch, with the keys of then; `without` has no part in it. */
  signaturesOf(message: ReplicaMessage, without?: number): CheckpointCertificate["signatures"] {
    const membership = this.membershipAt(message.epoch);
    return membership.members
      .filter(({ id }) => id !== without)
      .slice(0, quorumSize(membership))
      .map(({ id }) => ({ from: id, signature: memberIn(id, message.epoch).sign(message).signature }));
  }

  #orderedAt(seq: number): VerifiedRequest | undefined {
    switch (seq) {
      case 10: {
        const member = { id: replicaId(JOINER), publicKey: keyOf(seedIn(JOINER, 1)), address: "127.0.0.1:7104" };
        const stateRoot = this.executor.checkpointRoot(seqOf(8))!;
        const change = { type: "join", member, checkpoint: { seq: seqOf(8), stateRoot }, loss: JOINER_LOSS } as const;
        return changeBy(0, change, seedIn(JOINER, 1));
      }
      case ENDS.joined + 2:
        return changeBy(1, { type: "leave", id: replicaId(LEAVER), mayLowerFaultThreshold: false });
      case ENDS.left + 2: {
        const seed = seedOf(NEXT_KEY);
        return changeBy(2, { type: "rotate-key", id: replicaId(ROTATED), publicKey: keyOf(seed) }, seed);
      }
      case ENDS.rotated + 2:
        return changeBy(3, { type: "rejoin", id: replicaId(REJOINER), loss: LOSS });
      default: {
        // What an epoch begins with is worth a vote.
        const [client, nonce] = [`of ${seq}`, digestOf(`${seq}`)];
        return LASTS.includes(seq - 1)
          ? clientOf(client).signRegistration({ nonce, lastValid: seqOf(200) })
          : undefined;
      }
    }
  }

  #link(seq: number): void {
    const snapshot = this.executor.snapshotAt(seqOf(seq));
    const record = snapshot?.get(CONFIGURATION_KEY);
    if (snapshot === undefined || record === undefined) throw new Error(`no state at ${seq}`);
    const link = { certificate: this.certificateAt(seq), record, proof: snapshot.prove(CONFIGURATION_KEY) };
    this.links.push(link);
    const verdict = this.epochs.add(link);
    if (verdict !== "added") throw new Error(`the link at ${seq} is ${verdict}`);
  }
}

const keyOf = (seed: Uint8Array): ReturnType<typeof backend.publicKeyOf> => backend.publicKeyOf(seed);

/** With the key that it has in that epoch, unless another is given. */
export function memberIn(id: number, epoch: number, seed: Uint8Array = seedIn(id, epoch)): Signer {
  return createReplicaSigner({ backend, cluster, self: replicaId(id), seed });
}

export const history: History = new History(112);

function committed(seq: number, without: number): ReplicaFrame {
  const batch = history.batches[seq] ?? NULL;
  const place = { epoch: epochNumber(epochAt(seq)), view: viewNumber(0), seq: seqOf(seq), digest: batch.digest };
  const signatures = history.signaturesOf({ type: "commit", ...place }, without);
  return { type: "committed", entry: { batch: batch.batch, certificate: { ...place, signatures } } };
}

/** By the primary of view 0 of its epoch, with the key that it has then unless another is given. */
export function proposal(seq: number, seed?: Uint8Array): ReplicaFrame {
  const { members, epoch } = history.membershipAt(epochAt(seq));
  const { id } = members[epoch % members.length]!;
  const batch = history.batches[seq] ?? NULL;
  const message = { type: "pre-prepare", epoch, view: viewNumber(0), seq: seqOf(seq), digest: batch.digest } as const;
  return { type: "pre-prepare", envelope: memberIn(id, epoch, seed).sign(message), batch: batch.batch };
}

export function statusOf(from: number, epoch: number, executed: number, seed?: Uint8Array): ReplicaFrame {
  const status: Status = {
    type: "status",
    epoch: epochNumber(epoch),
    view: viewNumber(0),
    executed: seqOf(executed),
    stable: seqOf(0),
    accepted: seqOf(executed),
    lacks: [],
    target: viewNumber(0),
    viewChangesOf: [],
    executionDigest: undefined,
  };
  const envelope: VerifiedEnvelope<Status> = memberIn(from, epoch, seed).sign(status);
  return { type: "signed", envelope };
}

/** A replica on its way through the epochs of which each has other members or keys. */
export class MemberScene extends Scene {
  constructor(self: number, store: MemoryStore = createMemoryStore(), seeds?: readonly Uint8Array[]) {
    super(store, undefined, self, seeds);
    this.peers = [0, 1, 2, LEAVER, JOINER];
  }

  /** It learns what was decided, and of each checkpoint that it is certified. */
  reaches(upTo: number): this {
    for (let seq = this.runner.status.executed + 1; seq <= upTo; seq++) {
      this.hears(0, committed(seq, this.self));
      this.flush();
      if (seq % genesis.checkpointInterval === 0)
        this.hears(0, { type: "stable-checkpoint", checkpoint: history.certificateAt(seq) });
      this.flush();
    }
    return this;
  }

  /** What it said that has a signature, from the `from`th frame on. */
  signedSince(from: number): string[] {
    return this.sent.slice(from).flatMap((frame) => {
      if (frame.type === "signed") return [`${frame.envelope.message.type} of ${frame.envelope.from}`];
      return epochOfFrame(frame) === undefined || frame.type === "fetch-history" ? [] : [frame.type];
    });
  }
  /** Cut off from its power: what was not flushed is lost. */
  crashed(seeds: readonly Uint8Array[] = this.seeds): MemberScene {
    return new MemberScene(this.self, this.store.disk.crash(), seeds);
  }
  saidTo(peer: number): ReplicaFrame[] {
    return this.sentTo.filter(([to]) => to === peer).map(([, frame]) => frame);
  }
}
