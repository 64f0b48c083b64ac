import { type Codec, describeDecodeError } from "@quorate/codec";
import { digestBatch, EpochVerifier, type Verifier } from "@quorate/crypto";
import {
  type CertificateFault,
  type ClusterId,
  type CommitCertificate,
  type CommittedEntry,
  commitCertificateFault,
  describeOutOfEpoch,
  type Hasher,
  type Membership,
  type Memberships,
  outOfEpoch,
  quorumSize,
  type SequenceNumber,
  type VerifiedCommittedEntry,
} from "@quorate/protocol";

/** What is known of an entry: that it is proven, or what is wrong with it, in words. */
export type EntryVerdict =
  | { readonly entry: VerifiedCommittedEntry; readonly problem?: undefined }
  | { readonly entry?: undefined; readonly problem: string };

/** What an `EntryJudge` judges by: all of it follows from the genesis document. */
export interface EntryJudgeOptions {
  readonly codec: Codec;
  readonly verifier: Verifier;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  readonly epochs: Memberships;
}

/** Tells whether the encoding of a committed batch proves that the batch was decided for a number (protocol rule 4.5). */
export class EntryJudge {
  readonly #options: EntryJudgeOptions;
  readonly #judge: EpochVerifier;

  constructor(options: EntryJudgeOptions) {
    this.#options = options;
    this.#judge = new EpochVerifier(options.verifier, options.epochs);
  }

  judge(seq: SequenceNumber, bytes: Uint8Array): EntryVerdict {
    const { codec, epochs } = this.#options;
    const decoded = codec.decodeCommittedEntry(bytes);
    if (!decoded.ok) return { problem: `it does not decode: ${describeDecodeError(decoded.error)}` };
    const { value } = decoded;
    if (value.certificate.seq !== seq) return { problem: `it belongs to number ${value.certificate.seq}` };
    const entry = this.#judge.verifyCommittedEntry(value);
    if (entry !== undefined) return { entry };
    const membership = epochs.membershipAt(value.certificate.epoch);
    if (membership === undefined)
      return { problem: `it is of epoch ${value.certificate.epoch}, which is not known here` };
    const outside = outOfEpoch(epochs, value.certificate);
    if (outside !== undefined) return { problem: `its certificate proves nothing: ${describeOutOfEpoch(outside)}` };
    return { problem: this.#faultOf(value, membership) };
  }

  #faultOf({ batch, certificate }: CommittedEntry, membership: Membership): string {
    const { hasher, cluster } = this.#options;
    const found = digestBatch(hasher, cluster, batch).digest;
    if (found !== certificate.digest)
      return `its batch has the digest ${found}, the certificate is of ${certificate.digest}`;
    const fault = commitCertificateFault(certificate, membership);
    if (fault !== undefined) return `its certificate proves nothing: ${describeFault(fault, certificate, membership)}`;
    const forged = certificate.signatures
      .filter((one) => !this.#isSigned(certificate, one, membership))
      .map(({ from }) => from);
    return `its certificate proves nothing: no valid signature of replica ${forged.join(", ")}`;
  }

  #isSigned(
    { epoch, view, seq, digest }: CommitCertificate,
    { from, signature }: CommitCertificate["signatures"][number],
    membership: Membership,
  ): boolean {
    const { verifier } = this.#options;
    const message = { type: "commit", epoch, view, seq, digest } as const;
    return verifier.verifyEnvelope({ from, message, signature }, membership) !== undefined;
  }
}

function describeFault(fault: CertificateFault, certificate: CommitCertificate, membership: Membership): string {
  switch (fault) {
    case "wrong-epoch":
      return `it is of epoch ${certificate.epoch}, expected ${membership.epoch}`;
    case "not-a-quorum":
      return `${certificate.signatures.length} members signed it, expected ${quorumSize(membership)}`;
    case "not-ascending":
      return "its signers are not in the order of their ids, each once";
    default:
      return "somebody signed it who is no member";
  }
}
