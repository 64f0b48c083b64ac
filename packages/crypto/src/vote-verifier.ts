import {
  type CheckpointCertificate,
  type ClusterId,
  type CommitCertificate,
  type CommittedEntry,
  checkpointCertificateFault,
  commitCertificateFault,
  type Envelope,
  type Equivocation,
  type Hasher,
  isContradiction,
  type MemberSignature,
  type Membership,
  memberOf,
  type PreparedCertificate,
  preparedCertificateFault,
  type ReplicaMessage,
  replicaMessagePreimage,
  type VerifiedCheckpointCertificate,
  type VerifiedCommitCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedPreparedCertificate,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { digestBatch } from "./digests.ts";
import type { VerifierOptions } from "./request-verifier.ts";
import type { SignatureBackend } from "./signature-backend.ts";

/** Verifies what replicas sign towards each other, and what is made of it: certificates, the history, evidence. */
export class VoteVerifier {
  readonly #backend: SignatureBackend;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;

  constructor({ backend, hasher, cluster }: VerifierOptions) {
    this.#backend = backend;
    this.#hasher = hasher;
    this.#cluster = cluster;
  }

  verifyEnvelope<M extends ReplicaMessage>(
    envelope: Envelope<M>,
    membership: Membership,
  ): VerifiedEnvelope<M> | undefined {
    return this.isEnvelopeSigned(envelope, membership) ? sealVerified(envelope) : undefined;
  }

  verifyCommitCertificate(
    certificate: CommitCertificate,
    membership: Membership,
  ): VerifiedCommitCertificate | undefined {
    if (commitCertificateFault(certificate, membership) !== undefined) return undefined;
    const { epoch, view, seq, digest, signatures } = certificate;
    const commit: ReplicaMessage = { type: "commit", epoch, view, seq, digest };
    return this.#isSignedByAll(commit, signatures, membership) ? sealVerified(certificate) : undefined;
  }

  verifyPreparedCertificate(
    certificate: PreparedCertificate,
    membership: Membership,
  ): VerifiedPreparedCertificate | undefined {
    if (preparedCertificateFault(certificate, membership) !== undefined) return undefined;
    const { prePrepare, prepares } = certificate;
    const { epoch, view, seq, digest } = prePrepare.message;
    const prepare: ReplicaMessage = { type: "prepare", epoch, view, seq, digest };
    const valid = this.isEnvelopeSigned(prePrepare, membership) && this.#isSignedByAll(prepare, prepares, membership);
    return valid ? sealVerified(certificate) : undefined;
  }

  verifyCheckpointCertificate(
    certificate: CheckpointCertificate,
    membership: Membership,
  ): VerifiedCheckpointCertificate | undefined {
    if (certificate.seq === 0) return undefined;
    if (checkpointCertificateFault(certificate, membership) !== undefined) return undefined;
    const { epoch, seq, stateRoot, signatures } = certificate;
    const checkpoint: ReplicaMessage = { type: "checkpoint", epoch, seq, stateRoot };
    return this.#isSignedByAll(checkpoint, signatures, membership) ? sealVerified(certificate) : undefined;
  }

  verifyCommittedEntry(entry: CommittedEntry, membership: Membership): VerifiedCommittedEntry | undefined {
    const batch = digestBatch(this.#hasher, this.#cluster, entry.batch);
    if (batch.digest !== entry.certificate.digest) return undefined;
    const certificate = this.verifyCommitCertificate(entry.certificate, membership);
    return certificate === undefined ? undefined : sealVerified({ batch, certificate });
  }

  isEquivocation(evidence: Equivocation, membership: Membership): boolean {
    const { first, second } = evidence;
    return (
      isContradiction(evidence) && this.isEnvelopeSigned(first, membership) && this.isEnvelopeSigned(second, membership)
    );
  }

  isEnvelopeSigned(envelope: Envelope, membership: Membership): boolean {
    const { message } = envelope;
    return message.epoch === membership.epoch && this.#isSigned(message, envelope, membership);
  }

  #isSignedByAll(message: ReplicaMessage, signatures: readonly MemberSignature[], membership: Membership): boolean {
    return signatures.every((signature) => this.#isSigned(message, signature, membership));
  }

  /** The one place where a member's signature over a message is judged. */
  #isSigned(message: ReplicaMessage, { from, signature }: MemberSignature, membership: Membership): boolean {
    const member = memberOf(membership, from);
    if (member === undefined) return false;
    const preimage = replicaMessagePreimage(this.#cluster, from, message);
    return this.#backend.verify(member.publicKey, preimage, signature);
  }
}
