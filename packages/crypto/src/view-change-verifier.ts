import {
  type CheckpointCertificate,
  type ClusterId,
  type Digest,
  type Envelope,
  type Evidence,
  type Hasher,
  isCheckpointOf,
  isConclusionOf,
  isCounter,
  isProof,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type Membership,
  type NewView,
  newViewShapeFault,
  type PrePrepare,
  type PreparedCertificate,
  proposalsOf,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedReplyStable,
  type VerifiedViewChange,
  type ViewChange,
  WINDOW_SIZE_MAX,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { BoundedCache } from "./bounded-cache.ts";
import { nullBatchDigest, viewChangeDigest } from "./digests.ts";
import type { VerifierOptions } from "./request-verifier.ts";
import type { VoteVerifier } from "./vote-verifier.ts";

/** Remembered certificates unless the options say otherwise: what replicas claim in a window of 1024 numbers, twice. */
const PROVEN_MAX = 4096;

/**
 * Verifies what replicas sign to change the view. In a storm of view changes the same facts are claimed by all members,
 * view after view: each is verified once. Nobody signs the certificates that travel beside the claims, so the result
 * carries the certificate that was verified, which may be another one of the same fact than the one that came.
 */
export class ViewChangeVerifier {
  readonly #votes: VoteVerifier;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  readonly #nullDigest: Digest;
  /** By the content of the pre-prepare. */
  readonly #prepared: BoundedCache<string, PreparedCertificate>;
  /** By the content of the checkpoint. */
  readonly #checkpoints: BoundedCache<string, CheckpointCertificate>;

  constructor(votes: VoteVerifier, options: VerifierOptions) {
    const { hasher, cluster, provenMax = PROVEN_MAX } = options;
    this.#votes = votes;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#nullDigest = nullBatchDigest(hasher, cluster);
    this.#prepared = new BoundedCache(provenMax);
    this.#checkpoints = new BoundedCache(provenMax);
  }

  verifyViewChange(given: JustifiedViewChange, membership: Membership): VerifiedViewChange | undefined {
    const { envelope } = given;
    const { stable, prepared } = envelope.message;
    if (!isCheckpointOf(stable, given.checkpoint)) return undefined;
    if (given.certificates.length !== prepared.length) return undefined;
    if (!prepared.every((claim, i) => isProof(claim, given.certificates[i]))) return undefined;
    if (!this.#votes.isEnvelopeSigned(envelope, membership)) return undefined;
    const checkpoint = this.#provenCheckpoint(given.checkpoint, membership);
    const certificates = this.#provenCertificates(given.certificates, membership);
    if (checkpoint === undefined || certificates === undefined) return undefined;
    const digest = viewChangeDigest(this.#hasher, this.#cluster, envelope.from, envelope.message);
    return sealVerified({ digest, viewChange: { envelope, checkpoint, certificates } });
  }

  verifyNewView(given: JustifiedNewView, membership: Membership): VerifiedNewView | undefined {
    const { envelope, viewChanges, prePrepareSignatures } = given;
    if (!isJudgeable(envelope) || prePrepareSignatures.length !== envelope.message.digests.length) return undefined;
    if (!this.#isSignedWithViewChanges(envelope, viewChanges, membership)) return undefined;
    const checkpoint = this.#provenCheckpoint(given.checkpoint, membership);
    const certificates = this.#provenCertificates(given.certificates, membership);
    if (checkpoint === undefined || certificates === undefined) return undefined;
    const prePrepares = this.#prePreparesOf(envelope, prePrepareSignatures, membership);
    if (prePrepares === undefined) return undefined;
    const newView = { envelope, viewChanges, checkpoint, certificates, prePrepareSignatures };
    return sealVerified({ newView, prePrepares });
  }

  /** It says what a VIEW-CHANGE without claims says of its sender, and is judged like one. */
  verifyReplyStable(given: JustifiedReplyStable, membership: Membership): VerifiedReplyStable | undefined {
    const { envelope } = given;
    if (!isCheckpointOf(envelope.message.stable, given.checkpoint)) return undefined;
    if (!this.#votes.isEnvelopeSigned(envelope, membership)) return undefined;
    const checkpoint = this.#provenCheckpoint(given.checkpoint, membership);
    return checkpoint && sealVerified({ envelope, checkpoint });
  }

  /** The signer of the NEW-VIEW drew another conclusion from these VIEW-CHANGEs than everyone else draws. */
  isUnjustified(evidence: Extract<Evidence, { type: "unjustified-new-view" }>, membership: Membership): boolean {
    const { newView, viewChanges } = evidence;
    return (
      isJudgeable(newView) &&
      this.#isSignedWithViewChanges(newView, viewChanges, membership) &&
      !isConclusionOf(newView.message, viewChanges, this.#nullDigest)
    );
  }

  /** The NEW-VIEW has a sound shape, is signed by the primary, and these are the VIEW-CHANGEs that it refers to. */
  #isSignedWithViewChanges(
    newView: Envelope<NewView>,
    viewChanges: readonly Envelope<ViewChange>[],
    membership: Membership,
  ): boolean {
    const references = newView.message.viewChanges;
    if (references.length !== viewChanges.length) return false;
    // Of any L: a correct primary names no claims beyond that of its epoch, and concludes rightly from those that it names.
    if (newViewShapeFault(newView, viewChanges, membership, WINDOW_SIZE_MAX) !== undefined) return false;
    if (!this.#votes.isEnvelopeSigned(newView, membership)) return false;
    return viewChanges.every((viewChange, i) => {
      const { from, message } = viewChange;
      if (references[i]?.from !== from) return false;
      if (references[i].digest !== viewChangeDigest(this.#hasher, this.#cluster, from, message)) return false;
      return this.#votes.isEnvelopeSigned(viewChange, membership);
    });
  }

  /** The PRE-PREPAREs that the new primary signed, one for each digest. */
  #prePreparesOf(
    { from, message }: Envelope<NewView>,
    signatures: readonly Uint8Array[],
    membership: Membership,
  ): VerifiedEnvelope<PrePrepare>[] | undefined {
    const { epoch, view } = message;
    const prePrepares: VerifiedEnvelope<PrePrepare>[] = [];
    for (const [i, proposal] of proposalsOf(message).entries()) {
      const signature = signatures[i];
      if (signature === undefined) return undefined;
      const prePrepare = { from, message: { type: "pre-prepare", epoch, view, ...proposal }, signature } as const;
      const verified = this.#votes.verifyEnvelope<PrePrepare>(prePrepare, membership);
      if (verified === undefined) return undefined;
      prePrepares.push(verified);
    }
    return prePrepares;
  }

  #provenCertificates(
    certificates: readonly PreparedCertificate[],
    membership: Membership,
  ): PreparedCertificate[] | undefined {
    const proven: PreparedCertificate[] = [];
    for (const certificate of certificates) {
      const { epoch, view, seq, digest } = certificate.prePrepare.message;
      const known = this.#prepared;
      const one = provenOf(known, `${epoch} ${view} ${seq} ${digest}`, epoch === membership.epoch, () =>
        this.#votes.verifyPreparedCertificate(certificate, membership),
      );
      if (one === undefined) return undefined;
      proven.push(one);
    }
    return proven;
  }

  /**
   * What an epoch begins with is known, not judged, and has no signatures: for genesis the root is the cluster id, for later
   * epochs that of the link of the chain (protocol rule 11.3). Below it nothing is of this epoch.
   */
  #provenCheckpoint(certificate: CheckpointCertificate, membership: Membership): CheckpointCertificate | undefined {
    const { epoch, seq, stateRoot, signatures } = certificate;
    const start = membership.start ?? { seq: 0, stateRoot: this.#cluster as string };
    if (seq <= start.seq) {
      const isStart = seq === start.seq && stateRoot === start.stateRoot && signatures.length === 0;
      return isStart && epoch === membership.epoch ? certificate : undefined;
    }
    return provenOf(this.#checkpoints, `${epoch} ${seq} ${stateRoot}`, epoch === membership.epoch, () =>
      this.#votes.verifyCheckpointCertificate(certificate, membership),
    );
  }
}

/** Counters, which the signature shows to be those that were signed; the arithmetic on them comes before it. */
function isJudgeable({ message }: Envelope<NewView>): boolean {
  return isCounter(message.view) && isCounter(message.start) && isCounter(message.start + message.digests.length);
}

/** The certificate of this fact that was verified before, or else this one when it verifies now. */
function provenOf<T>(
  known: BoundedCache<string, T>,
  fact: string,
  isOfEpoch: boolean,
  verify: () => T | undefined,
): T | undefined {
  if (!isOfEpoch) return undefined;
  const before = known.get(fact);
  if (before !== undefined) return before;
  const verified = verify();
  if (verified !== undefined) known.set(fact, verified);
  return verified;
}
