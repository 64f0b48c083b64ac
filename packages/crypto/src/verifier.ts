import {
  type Batch,
  type CheckpointCertificate,
  type CommitCertificate,
  type CommittedEntry,
  type Digest,
  type Envelope,
  type Evidence,
  InvariantViolation,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type Membership,
  type PreparedCertificate,
  type Receipt,
  type ReplicaMessage,
  type Reply,
  type Request,
  type VerifiedBatch,
  type VerifiedCheckpointCertificate,
  type VerifiedCommitCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedPreparedCertificate,
  type VerifiedReply,
  type VerifiedReplyStable,
  type VerifiedRequest,
  type VerifiedViewChange,
} from "@quorate/protocol";
import { OutputVerifier, type ReceiptFault } from "./output-verifier.ts";
import { RequestVerifier, type VerifierOptions } from "./request-verifier.ts";
import { ViewChangeVerifier } from "./view-change-verifier.ts";
import { VoteVerifier } from "./vote-verifier.ts";

/**
 * The single maker of `Verified` values from what others sent. Everything here returns undefined (or false) for a value
 * that proves nothing and never throws for one, whatever its fields hold. Memberships are those of the epoch in which
 * the value was signed: a value of another epoch is refused.
 */
export class Verifier {
  readonly #requests: RequestVerifier;
  readonly #votes: VoteVerifier;
  readonly #viewChanges: ViewChangeVerifier;
  readonly #outputs: OutputVerifier;

  constructor(options: VerifierOptions) {
    this.#requests = new RequestVerifier(options);
    this.#votes = new VoteVerifier(options);
    this.#viewChanges = new ViewChangeVerifier(this.#votes, options);
    this.#outputs = new OutputVerifier(options);
  }

  /** The client's key is admissible and signed this. A request seen before costs two hashes and no verification. */
  verifyRequest(request: Request): VerifiedRequest | undefined {
    return judge(() => this.#requests.verifyRequest(request));
  }

  /**
   * Every request of the batch is verified. One bad request spoils the batch: what it proves is a digest over all.
   *
   * @param expected the only digest that is of use: a batch with another one costs no verification.
   */
  verifyBatch(batch: Batch, expected?: Digest): VerifiedBatch | undefined {
    return judge(() => this.#requests.verifyBatch(batch, expected));
  }

  /** A member signed this message. */
  verifyEnvelope<M extends ReplicaMessage>(
    envelope: Envelope<M>,
    membership: Membership,
  ): VerifiedEnvelope<M> | undefined {
    return judge(() => this.#votes.verifyEnvelope(envelope, membership));
  }

  /** A quorum of distinct members signed this COMMIT (protocol rule 4.5). */
  verifyCommitCertificate(
    certificate: CommitCertificate,
    membership: Membership,
  ): VerifiedCommitCertificate | undefined {
    return judge(() => this.#votes.verifyCommitCertificate(certificate, membership));
  }

  /** The primary signed the pre-prepare and q-1 distinct backups its PREPARE (OSDI'99 §4.2). */
  verifyPreparedCertificate(
    certificate: PreparedCertificate,
    membership: Membership,
  ): VerifiedPreparedCertificate | undefined {
    return judge(() => this.#votes.verifyPreparedCertificate(certificate, membership));
  }

  /** A quorum signed this checkpoint. Genesis (seq 0) is known, not judged: it is always refused here. */
  verifyCheckpointCertificate(
    certificate: CheckpointCertificate,
    membership: Membership,
  ): VerifiedCheckpointCertificate | undefined {
    return judge(() => this.#votes.verifyCheckpointCertificate(certificate, membership));
  }

  /** The certificate holds and names this batch; its requests' own signatures need not be valid (protocol rule 4.4). */
  verifyCommittedEntry(entry: CommittedEntry, membership: Membership): VerifiedCommittedEntry | undefined {
    return judge(() => this.#votes.verifyCommittedEntry(entry, membership));
  }

  /**
   * A member signed this VIEW-CHANGE and all its claims are proven (protocol rule 7.1). A fact that was proven before is
   * not verified again: the result carries the certificate of then.
   */
  verifyViewChange(viewChange: JustifiedViewChange, membership: Membership): VerifiedViewChange | undefined {
    return judge(() => this.#viewChanges.verifyViewChange(viewChange, membership));
  }

  /**
   * The primary of the view signed this NEW-VIEW and its PRE-PREPAREs, a quorum the VIEW-CHANGEs that it refers to, and
   * the certificates hold. Whether its conclusion follows is not judged: see `newViewFault`. Certificates as above.
   */
  verifyNewView(newView: JustifiedNewView, membership: Membership): VerifiedNewView | undefined {
    return judge(() => this.#viewChanges.verifyNewView(newView, membership));
  }

  /** A member signed this answer and the certificate is of the checkpoint that it names; as above (protocol rule 8.5). */
  verifyReplyStable(reply: JustifiedReplyStable, membership: Membership): VerifiedReplyStable | undefined {
    return judge(() => this.#viewChanges.verifyReplyStable(reply, membership));
  }

  /** A member signed both sides of a contradiction, or a NEW-VIEW that does not follow (protocol rule 13.2). */
  verifyEvidence(evidence: Evidence, membership: Membership): boolean {
    const verdict = (): boolean =>
      evidence.type === "equivocation"
        ? this.#votes.isEquivocation(evidence, membership)
        : this.#viewChanges.isUnjustified(evidence, membership);
    return judge(verdict) ?? false;
  }

  /** The results lead to a statement that the member signed. One reply proves nothing yet: f+1 make an output. */
  verifyReply(reply: Reply, membership: Membership): VerifiedReply | undefined {
    return judge(() => this.#outputs.verifyReply(reply, membership));
  }

  /** f+1 distinct members signed the statement, all signatures are valid, and the results lead to it (rule 5.2). */
  verifyReceipt(receipt: Receipt, membership: Membership): boolean {
    return this.receiptFault(receipt, membership) === undefined;
  }

  /** Why it is not as `verifyReceipt` says; undefined when it is. */
  receiptFault(receipt: Receipt, membership: Membership): ReceiptFault | undefined {
    const verdict = judge(() => ({ fault: this.#outputs.receiptFault(receipt, membership) }));
    return verdict === undefined ? "malformed" : verdict.fault;
  }
}

/**
 * What has no preimage (a counter that is none, a digest that is no hex) cannot have been signed: it is refused like any
 * other value that proves nothing. Everything else that is thrown is our own bug and goes on.
 */
function judge<T>(verdict: () => T): T | undefined {
  try {
    return verdict();
  } catch (error) {
    if (error instanceof InvariantViolation && /^(preimage|bytes)\./.test(error.code)) return undefined;
    throw error;
  }
}
