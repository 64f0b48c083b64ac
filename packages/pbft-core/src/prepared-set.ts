import {
  type Digest,
  invariant,
  type PreparedCertificate,
  type SequenceNumber,
  type VerifiedBatch,
} from "@quorate/protocol";

interface Prepared {
  readonly certificate: PreparedCertificate;
  /** Until the number is delivered: from then on the history serves it. */
  batch: VerifiedBatch | undefined;
}

/**
 * What prepared here, in any view: for each number the certificate of the highest view with the body, until a stable
 * checkpoint passes it (protocol rules 4.4 and 7.1; the set P of OSDI'99 §4.4).
 */
export class PreparedSet {
  readonly #prepared = new Map<SequenceNumber, Prepared>();

  /** Ascending by number. */
  get certificates(): PreparedCertificate[] {
    return [...this.#prepared.values()]
      .map(({ certificate }) => certificate)
      .sort((a, b) => a.prePrepare.message.seq - b.prePrepare.message.seq);
  }
  get size(): number {
    return this.#prepared.size;
  }

  /** The number prepared; in a higher view than before, or again as it was. */
  add(certificate: PreparedCertificate, batch: VerifiedBatch | undefined): void {
    const { seq, view, digest } = certificate.prePrepare.message;
    const before = this.#prepared.get(seq)?.certificate.prePrepare.message;
    if (before !== undefined) {
      invariant(view >= before.view, "prepared-set.lower-view", { seq, view, before: before.view });
      // Two quorums of one view share a correct member, who prepares one digest only.
      invariant(view > before.view || digest === before.digest, "prepared-set.two-digests", { seq, view });
    }
    this.#prepared.set(seq, { certificate, batch });
  }

  has(seq: SequenceNumber): boolean {
    return this.#prepared.has(seq);
  }

  bodyOf(seq: SequenceNumber, digest: Digest): VerifiedBatch | undefined {
    const batch = this.#prepared.get(seq)?.batch;
    return batch?.digest === digest ? batch : undefined;
  }

  onDelivered(seq: SequenceNumber): void {
    const prepared = this.#prepared.get(seq);
    if (prepared !== undefined) prepared.batch = undefined;
  }

  collectGarbage(stable: SequenceNumber): void {
    for (const seq of this.#prepared.keys()) if (seq <= stable) this.#prepared.delete(seq);
  }
}
