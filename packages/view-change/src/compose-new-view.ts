import {
  concludeNewView,
  type Digest,
  invariant,
  isCheckpointOf,
  isProof,
  type NewView,
  type PreparedCertificate,
  type PreparedClaim,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChangeComposer,
} from "@quorate/protocol";

/**
 * The NEW-VIEW that follows from a quorum of VIEW-CHANGEs for one view, ascending by sender (OSDI'99 §4.4).
 *
 * @throws InvariantViolation when two proven claims contradict each other: then more than f members are faulty, and
 *   nothing that follows can be trusted (protocol rule 7.2).
 */
export function composeNewView(
  quorum: readonly VerifiedViewChange[],
  composer: ViewChangeComposer,
  nullDigest: Digest,
): VerifiedNewView {
  const [first] = quorum;
  invariant(first !== undefined, "new-view.no-view-changes");
  const { epoch, view } = first.viewChange.envelope.message;
  const conclusion = concludeNewView(quorum.map(({ viewChange }) => viewChange.envelope.message));
  invariant(conclusion !== undefined, "new-view.proven-claims-contradict", { view });
  const { start, chosen } = conclusion;
  const claims = chosen.filter((claim) => claim !== undefined);
  const message: NewView = {
    type: "new-view",
    epoch,
    view,
    viewChanges: quorum.map(({ digest, viewChange }) => ({ from: viewChange.envelope.from, digest })),
    start: start.seq,
    digests: chosen.map((claim) => claim?.digest ?? nullDigest),
  };
  const checkpoint = quorum.map(({ viewChange }) => viewChange.checkpoint).find((each) => isCheckpointOf(start, each));
  invariant(checkpoint !== undefined, "new-view.start-without-certificate", { start: start.seq });
  return composer.newView(message, quorum, checkpoint, proofsOf(claims, quorum));
}

function proofsOf(claims: readonly PreparedClaim[], quorum: readonly VerifiedViewChange[]): PreparedCertificate[] {
  const certificates = new Map<number, PreparedCertificate[]>();
  for (const { viewChange } of quorum)
    for (const certificate of viewChange.certificates) {
      const { seq } = certificate.prePrepare.message;
      certificates.set(seq, [...(certificates.get(seq) ?? []), certificate]);
    }
  return claims.map((claim) => {
    const proof = certificates.get(claim.seq)?.find((each) => isProof(claim, each));
    invariant(proof !== undefined, "new-view.choice-without-certificate", { seq: claim.seq });
    return proof;
  });
}
