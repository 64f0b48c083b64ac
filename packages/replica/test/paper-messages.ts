import { createViewChangeComposer, nullBatchDigest } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { type Cast, createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  type CheckpointCertificate,
  concludeNewView,
  type Digest,
  type NewView,
  type PreparedCertificate,
  type PreparedClaim,
  primaryOf,
  replicaId,
  timestampMs,
  type VerifiedBatch,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChange,
  type ViewChangeComposer,
  viewNumber,
} from "@quorate/protocol";
import { composer, envelopeOf, epoch, membership, requestOf, seqOf } from "./builders.ts";

const hasher = createNodeHasher();
const cast: Cast = createCast(hasher, createFakeBackend(hasher));
export const nullDigest: Digest = nullBatchDigest(hasher, cast.cluster);

/** The batch of one request with this name. */
export function batchOf(label: string, atMs = 1_000): VerifiedBatch {
  return composer.compose(timestampMs(atMs), [requestOf(label)]);
}
export function primary(view: number): number {
  return primaryOf(membership, viewNumber(view));
}
export function claimOf(seq: number, view: number, batch: VerifiedBatch): PreparedClaim {
  return { seq: seqOf(seq), view: viewNumber(view), digest: batch.digest };
}
/** The state of a `Node` that has executed these: nothing but their digests. */
export function rootOf(executed: readonly Digest[]): Digest {
  return cast.digestOf(executed.join());
}

function composerOf(id: number): ViewChangeComposer {
  return createViewChangeComposer({ signer: cast.signerOf(id), hasher, cluster: cast.cluster });
}
/** Of genesis for 0, else signed by replicas 0, 1 and 2. */
export function checkpointOf(seq: number, stateRoot: Digest): CheckpointCertificate {
  if (seq === 0) return { epoch, seq: seqOf(0), stateRoot: cast.cluster as string as Digest, signatures: [] };
  const content = { epoch, seq: seqOf(seq), stateRoot };
  const signatures = [0, 1, 2].map((id) => {
    const { signature } = envelopeOf(id, { type: "checkpoint", ...content });
    return { from: replicaId(id), signature };
  });
  return { ...content, signatures };
}
/** The proposal of its primary and the PREPAREs of two backups. */
export function preparedOf({ seq, view, digest }: PreparedClaim): PreparedCertificate {
  const content = { epoch, seq, view, digest };
  const backups = [0, 1, 2, 3].filter((id) => id !== primary(view)).slice(0, 2);
  return {
    prePrepare: envelopeOf(primary(view), { type: "pre-prepare", ...content }),
    prepares: backups.map((id) => ({
      from: replicaId(id),
      signature: envelopeOf(id, { type: "prepare", ...content }).signature,
    })),
  };
}

export interface Promised {
  readonly stable?: CheckpointCertificate;
  readonly claims?: readonly PreparedClaim[];
  /** In place of those of the claims. */
  readonly certificates?: readonly PreparedCertificate[];
}
export function viewChangeOf(from: number, view: number, promised: Promised = {}): VerifiedViewChange {
  const { stable = checkpointOf(0, nullDigest), claims = [] } = promised;
  const message: ViewChange = {
    type: "view-change",
    epoch,
    view: viewNumber(view),
    stable: { seq: stable.seq, stateRoot: stable.stateRoot },
    prepared: claims,
  };
  return composerOf(from).viewChange(message, stable, promised.certificates ?? claims.map(preparedOf));
}
/** What the primary of their view concludes from these, unless `change` or `from` says otherwise. */
export function newViewOf(
  quorum: readonly VerifiedViewChange[],
  change: Partial<NewView> = {},
  from?: number,
): VerifiedNewView {
  const messages = quorum.map(({ viewChange }) => viewChange.envelope.message);
  const { view } = messages[0]!;
  const { start, chosen } = concludeNewView(messages)!;
  const message: NewView = {
    type: "new-view",
    epoch,
    view,
    viewChanges: quorum.map(({ digest, viewChange }) => ({ from: viewChange.envelope.from, digest })),
    start: start.seq,
    digests: chosen.map((claim) => claim?.digest ?? nullDigest),
    ...change,
  };
  const checkpoint = quorum.map(({ viewChange }) => viewChange.checkpoint).find(({ seq }) => seq === start.seq)!;
  const claims = chosen.filter((claim) => claim !== undefined);
  return composerOf(from ?? primary(view)).newView(message, quorum, checkpoint, claims.map(preparedOf));
}
