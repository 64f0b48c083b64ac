import {
  createReplicaSigner,
  createViewChangeComposer,
  nullBatchDigest,
  type SignatureBackend,
  Verifier,
  viewChangeDigest,
} from "@quorate/crypto";
import {
  type CheckpointCertificate,
  concludeNewView,
  type Digest,
  type Envelope,
  type JustifiedNewView,
  type JustifiedViewChange,
  type MemberSignature,
  type Membership,
  type NewView,
  type PreparedCertificate,
  type PreparedClaim,
  primaryOf,
  type ReplicaMessage,
  replicaId,
  type Signer,
  sequenceNumber,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChange,
  type ViewChangeComposer,
  viewNumber,
} from "@quorate/protocol";
import { backend, cluster, digestOf, hasher, membership, seedOf } from "./builders.ts";

/** The null batch's digest in the test cluster. */
export const nullDigest: Digest = nullBatchDigest(hasher, cluster);

/**
 * Four replicas over one back end that leave views and enter them. L is 16; the view moved to is 5, its primary is 1 in
 * epoch 0.
 */
export class ViewChangeScene {
  readonly verifier: Verifier;
  readonly #backend: SignatureBackend;
  readonly #members: Membership;

  constructor(of: SignatureBackend = backend, members: Membership = membership) {
    this.#backend = of;
    this.#members = members;
    this.verifier = this.newVerifier();
  }

  newVerifier(provenMax?: number): Verifier {
    const limit = provenMax === undefined ? {} : { provenMax };
    return new Verifier({ backend: this.#backend, hasher, cluster, ...limit });
  }
  signer(id: number): Signer {
    return createReplicaSigner({ backend: this.#backend, seed: seedOf(`replica ${id}`), self: replicaId(id), cluster });
  }
  composer(id: number): ViewChangeComposer {
    return createViewChangeComposer({ signer: this.signer(id), hasher, cluster });
  }
  sign<M extends ReplicaMessage>(id: number, message: M): Envelope<M> {
    return this.signer(id).sign(message);
  }

  /** What the epoch begins with, in epoch 0 genesis, else signed by replicas 0 … 2. */
  checkpoint(seq: number): CheckpointCertificate {
    const { epoch } = this.#members;
    const start = this.#members.start ?? { seq: sequenceNumber(0), stateRoot: cluster as string as Digest };
    if (seq === start.seq) return { epoch, ...start, signatures: [] };
    const content = { epoch, seq: sequenceNumber(seq), stateRoot: digestOf(`root ${seq}`) };
    return { ...content, signatures: this.#signatures([0, 1, 2], { type: "checkpoint", ...content }) };
  }
  claim(seq: number, view: number, batch = `batch ${seq}`): PreparedClaim {
    return { seq: sequenceNumber(seq), view: viewNumber(view), digest: digestOf(batch) };
  }
  /** Of the primary and two backups, those with the lowest ids unless told otherwise. */
  certificate(claim: PreparedClaim, among: readonly number[] = [0, 1, 2, 3]): PreparedCertificate {
    const primary = primaryOf(this.#members, claim.view);
    const backups = among.filter((id) => id !== primary).slice(0, 2);
    return {
      prePrepare: this.sign(primary, { type: "pre-prepare", epoch: this.#members.epoch, ...claim }),
      prepares: this.#signatures(backups, { type: "prepare", epoch: this.#members.epoch, ...claim }),
    };
  }
  viewChange(id: number, stable: number, claims: readonly PreparedClaim[] = []): VerifiedViewChange {
    const checkpoint = this.checkpoint(stable);
    const message: ViewChange = {
      type: "view-change",
      epoch: this.#members.epoch,
      view: viewNumber(5),
      stable: { seq: checkpoint.seq, stateRoot: checkpoint.stateRoot },
      prepared: claims,
    };
    const certificates = claims.map((claim) => this.certificate(claim));
    return this.composer(id).viewChange(message, checkpoint, certificates);
  }
  /** What the primary of view 5 draws from these. */
  newView(quorum: readonly VerifiedViewChange[], change: Partial<NewView> = {}): VerifiedNewView {
    const conclusion = concludeNewView(quorum.map(({ viewChange }) => viewChange.envelope.message));
    if (conclusion === undefined) throw new Error("the VIEW-CHANGEs contradict each other");
    const { start, chosen } = conclusion;
    const message: NewView = {
      type: "new-view",
      epoch: this.#members.epoch,
      view: viewNumber(5),
      viewChanges: quorum.map(({ digest, viewChange }) => ({ from: viewChange.envelope.from, digest })),
      start: start.seq,
      digests: chosen.map((claim) => claim?.digest ?? nullDigest),
      ...change,
    };
    const certificates = chosen.filter((claim) => claim !== undefined).map((claim) => this.certificate(claim));
    return this.composer(primaryOf(this.#members, message.view)).newView(
      message,
      quorum,
      this.checkpoint(start.seq),
      certificates,
    );
  }
  /** Three replicas with claims, gaps and different checkpoints, and what follows. */
  usual(): { readonly quorum: readonly VerifiedViewChange[]; readonly newView: VerifiedNewView } {
    const quorum = [
      this.viewChange(0, 0, [this.claim(9, 0), this.claim(11, 3)]),
      this.viewChange(2, 8, [this.claim(9, 2, "later")]),
      this.viewChange(3, 8, []),
    ];
    return { quorum, newView: this.newView(quorum) };
  }

  #signatures(ids: readonly number[], message: ReplicaMessage): MemberSignature[] {
    return ids.map((id) => ({ from: replicaId(id), signature: this.signer(id).sign(message).signature }));
  }
}

/** The same with the message changed and signed again by its sender: what a liar can make. */
export function resigned(scene: ViewChangeScene, given: JustifiedViewChange, message: ViewChange): JustifiedViewChange {
  return { ...given, envelope: scene.sign(given.envelope.from, message) };
}

/** A NEW-VIEW over other VIEW-CHANGEs: the references follow, the signature of the NEW-VIEW is made anew. */
export function referringTo(
  scene: ViewChangeScene,
  given: JustifiedNewView,
  viewChanges: readonly Envelope<ViewChange>[],
): JustifiedNewView {
  const references = viewChanges.map(({ from, message }) => ({
    from,
    digest: viewChangeDigest(hasher, cluster, from, message),
  }));
  const message = { ...given.envelope.message, viewChanges: references };
  return { ...given, envelope: scene.sign(given.envelope.from, message), viewChanges };
}
