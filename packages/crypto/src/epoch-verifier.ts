import {
  type CheckpointCertificate,
  type CommittedEntry,
  type Envelope,
  type Epoch,
  type Evidence,
  epochOfEvidence,
  type Membership,
  type Memberships,
  type Receipt,
  type ReplicaMessage,
  type Reply,
  type VerifiedCheckpointCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedReply,
} from "@quorate/protocol";
import type { Verifier } from "./verifier.ts";

/**
 * The one place where it is decided which members judge what was signed: those of the epoch that it names, never those of the
 * latest (protocol rule 11.4). What names an epoch that is not known proves nothing here, as yet.
 */
export class EpochVerifier {
  readonly #verifier: Verifier;
  readonly #epochs: Memberships;

  /** @param epochs may grow. */
  constructor(verifier: Verifier, epochs: Memberships) {
    this.#verifier = verifier;
    this.#epochs = epochs;
  }

  /** Whether something of this epoch can be judged. What cannot yet is no fault of whoever says it. */
  isKnown(epoch: Epoch): boolean {
    return this.#epochs.membershipAt(epoch) !== undefined;
  }

  /** See `Verifier.verifyEnvelope`. */
  verifyEnvelope<M extends ReplicaMessage>(envelope: Envelope<M>): VerifiedEnvelope<M> | undefined {
    return this.#judged(envelope.message.epoch, (members) => this.#verifier.verifyEnvelope(envelope, members));
  }

  /** See `Verifier.verifyCheckpointCertificate`. */
  verifyCheckpointCertificate(certificate: CheckpointCertificate): VerifiedCheckpointCertificate | undefined {
    const { epoch } = certificate;
    return this.#judged(epoch, (members) => this.#verifier.verifyCheckpointCertificate(certificate, members));
  }

  /** See `Verifier.verifyCommittedEntry`. */
  verifyCommittedEntry(entry: CommittedEntry): VerifiedCommittedEntry | undefined {
    const { epoch } = entry.certificate;
    return this.#judged(epoch, (members) => this.#verifier.verifyCommittedEntry(entry, members));
  }

  /** See `Verifier.verifyReply`. */
  verifyReply(reply: Reply): VerifiedReply | undefined {
    return this.#judged(reply.statement.epoch, (members) => this.#verifier.verifyReply(reply, members));
  }

  /** See `Verifier.verifyReceipt`. */
  verifyReceipt(receipt: Receipt): boolean {
    const verdict = this.#judged(receipt.statement.epoch, (members) => this.#verifier.verifyReceipt(receipt, members));
    return verdict ?? false;
  }

  /** See `Verifier.verifyEvidence`. */
  verifyEvidence(evidence: Evidence): boolean {
    const epoch = epochOfEvidence(evidence);
    return this.#judged(epoch, (members) => this.#verifier.verifyEvidence(evidence, members)) ?? false;
  }

  #judged<T>(epoch: Epoch, judge: (members: Membership) => T): T | undefined {
    const members = this.#epochs.membershipAt(epoch);
    return members && judge(members);
  }
}
