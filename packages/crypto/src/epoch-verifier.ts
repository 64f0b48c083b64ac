import {
  type CheckpointCertificate,
  type CommittedEntry,
  type Envelope,
  type Epoch,
  type Evidence,
  epochOfEvidence,
  type Membership,
  type Memberships,
  outOfEpoch,
  type Receipt,
  type ReplicaMessage,
  type Reply,
  type SequenceNumber,
  type VerifiedCheckpointCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedReply,
} from "@quorate/protocol";
import type { Verifier } from "./verifier.ts";

/**
 * The one place where it is decided which members judge what was signed: those of the epoch that it names, never those of the
 * latest (protocol rule 11.4). What names an epoch that is not known proves nothing here, as yet. What is certified, decided or answered
 * for a number that is none of its epoch's proves nothing at all: the keys of an epoch that is over may be anybody's.
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
    return this.#judgedAt(certificate, (members) => this.#verifier.verifyCheckpointCertificate(certificate, members));
  }

  /** See `Verifier.verifyCommittedEntry`. */
  verifyCommittedEntry(entry: CommittedEntry): VerifiedCommittedEntry | undefined {
    return this.#judgedAt(entry.certificate, (members) => this.#verifier.verifyCommittedEntry(entry, members));
  }

  /** See `Verifier.verifyReply`. */
  verifyReply(reply: Reply): VerifiedReply | undefined {
    return this.#judgedAt(reply.statement, (members) => this.#verifier.verifyReply(reply, members));
  }

  /** See `Verifier.verifyReceipt`. */
  verifyReceipt(receipt: Receipt): boolean {
    const { statement } = receipt;
    return this.#judgedAt(statement, (members) => this.#verifier.verifyReceipt(receipt, members)) ?? false;
  }

  /** See `Verifier.verifyEvidence`. It convicts a key, of whatever number it signs contradictions. */
  verifyEvidence(evidence: Evidence): boolean {
    const epoch = epochOfEvidence(evidence);
    return this.#judged(epoch, (members) => this.#verifier.verifyEvidence(evidence, members)) ?? false;
  }

  #judgedAt<T>(
    place: { readonly epoch: Epoch; readonly seq: SequenceNumber },
    judge: (members: Membership) => T,
  ): T | undefined {
    return outOfEpoch(this.#epochs, place) === undefined ? this.#judged(place.epoch, judge) : undefined;
  }

  #judged<T>(epoch: Epoch, judge: (members: Membership) => T): T | undefined {
    const members = this.#epochs.membershipAt(epoch);
    return members && judge(members);
  }
}
