import type { CheckpointCertificate, JustifiedNewView, PreparedCertificate } from "./certificates.ts";
import { type Digest, type ReplicaId, type SequenceNumber, sequenceNumber } from "./ids.ts";
import { type Membership, memberOf, primaryOf, quorumSize } from "./membership.ts";
import type { CheckpointClaim, Envelope, NewView, PreparedClaim, ViewChange } from "./messages.ts";

/** Why no correct replica can have sent this VIEW-CHANGE. */
export type ViewChangeFault = "view-zero" | "not-ascending" | "outside-window" | "view-not-below";

/** What can be said against the claims of a VIEW-CHANGE by themselves (protocol rule 7.2); L is `windowSize`. */
export function viewChangeFault(message: ViewChange, windowSize: number): ViewChangeFault | undefined {
  if (message.view === 0) return "view-zero";
  let previous: number = message.stable.seq;
  for (const { seq, view } of message.prepared) {
    if (seq <= previous) return previous === message.stable.seq ? "outside-window" : "not-ascending";
    if (seq > message.stable.seq + windowSize) return "outside-window";
    if (view >= message.view) return "view-not-below";
    previous = seq;
  }
  return undefined;
}

/** What follows from a quorum of VIEW-CHANGEs. */
export interface NewViewConclusion {
  /** The highest stable checkpoint that one of them claims. */
  readonly start: CheckpointClaim;
  /** For `start + 1`, `start + 2`, … up to the highest claimed number: the claim of the highest view; undefined in gaps. */
  readonly chosen: readonly (PreparedClaim | undefined)[];
}

/**
 * What a new view starts with (OSDI'99 §4.4, min-s, max-s and O). A function of the claims alone.
 *
 * @returns undefined when two of them contradict each other: at most one can be proven, so one of the senders lied, and
 *   a correct primary has not taken its word.
 */
export function concludeNewView(viewChanges: readonly ViewChange[]): NewViewConclusion | undefined {
  const start = highestStable(viewChanges);
  if (start === undefined) return undefined;
  if (viewChanges.some(({ stable }) => stable.seq === start.seq && stable.stateRoot !== start.stateRoot))
    return undefined;
  const claims = viewChanges.flatMap(({ prepared }) => prepared).filter(({ seq }) => seq > start.seq);
  const highest = new Map<number, PreparedClaim>();
  let last: number = start.seq;
  for (const claim of claims) {
    last = Math.max(last, claim.seq);
    if (claim.view > (highest.get(claim.seq)?.view ?? -1)) highest.set(claim.seq, claim);
  }
  const isContradicted = ({ seq, view, digest }: PreparedClaim): boolean => {
    const choice = highest.get(seq);
    return choice?.view === view && choice.digest !== digest;
  };
  if (claims.some(isContradicted)) return undefined;
  const chosen: (PreparedClaim | undefined)[] = [];
  for (let seq = start.seq + 1; seq <= last; seq++) chosen.push(highest.get(seq));
  return { start, chosen };
}

function highestStable(viewChanges: readonly ViewChange[]): CheckpointClaim | undefined {
  let highest: CheckpointClaim | undefined;
  for (const { stable } of viewChanges) if (highest === undefined || stable.seq > highest.seq) highest = stable;
  return highest;
}

/** Why a NEW-VIEW is not entered. */
export type NewViewFault =
  | "wrong-epoch"
  | "not-from-primary"
  | "not-a-quorum"
  | "not-ascending"
  | "stranger"
  | "foreign-view-change"
  | "malformed-view-change"
  /** Its signer did not draw the conclusion that follows: evidence. */
  | "unjustified"
  | "unproven-start"
  | "unproven-choice";

/**
 * Judges everything about a NEW-VIEW but the signatures and the digests that refer to the VIEW-CHANGEs (protocol rule
 * 7.2).
 *
 * @param nullDigest the digest of the null batch.
 */
export function newViewFault(
  { envelope, viewChanges, checkpoint, certificates }: Omit<JustifiedNewView, "prePrepareSignatures">,
  membership: Membership,
  windowSize: number,
  nullDigest: Digest,
): NewViewFault | undefined {
  const fault =
    newViewShapeFault(envelope, viewChanges, membership, windowSize) ??
    (isConclusionOf(envelope.message, viewChanges, nullDigest) ? undefined : "unjustified");
  if (fault !== undefined) return fault;
  const conclusion = concludeNewView(viewChanges.map(({ message }) => message));
  if (conclusion === undefined) return "unjustified";
  if (!isCheckpointOf(conclusion.start, checkpoint)) return "unproven-start";
  const claims = conclusion.chosen.filter((claim) => claim !== undefined);
  const isProven = claims.length === certificates.length && claims.every((claim, i) => isProof(claim, certificates[i]));
  return isProven ? undefined : "unproven-choice";
}

/** Whether enough of the right members said that they move to this view. */
export function newViewShapeFault(
  { from, message }: Envelope<NewView>,
  viewChanges: readonly Envelope<ViewChange>[],
  membership: Membership,
  windowSize: number,
): NewViewFault | undefined {
  if (message.epoch !== membership.epoch) return "wrong-epoch";
  if (from !== primaryOf(membership, message.view)) return "not-from-primary";
  if (viewChanges.length < quorumSize(membership)) return "not-a-quorum";
  let previous: ReplicaId | -1 = -1;
  for (const viewChange of viewChanges) {
    if (viewChange.from <= previous) return "not-ascending";
    if (memberOf(membership, viewChange.from) === undefined) return "stranger";
    const { epoch, view } = viewChange.message;
    if (epoch !== message.epoch || view !== message.view) return "foreign-view-change";
    if (viewChangeFault(viewChange.message, windowSize) !== undefined) return "malformed-view-change";
    previous = viewChange.from;
  }
  return undefined;
}

/** Whether the start and the digests of a NEW-VIEW are what follows from these VIEW-CHANGEs. */
export function isConclusionOf(
  { start, digests }: NewView,
  viewChanges: readonly Envelope<ViewChange>[],
  nullDigest: Digest,
): boolean {
  const conclusion = concludeNewView(viewChanges.map(({ message }) => message));
  if (conclusion === undefined || conclusion.start.seq !== start) return false;
  const { chosen } = conclusion;
  return digests.length === chosen.length && chosen.every((claim, i) => digests[i] === (claim?.digest ?? nullDigest));
}

/** Whether a checkpoint certificate is of this content. */
export function isCheckpointOf({ seq, stateRoot }: CheckpointClaim, certificate: CheckpointCertificate): boolean {
  return certificate.seq === seq && certificate.stateRoot === stateRoot;
}

/** Whether a prepared certificate is of this content. */
export function isProof(claim: PreparedClaim, certificate: PreparedCertificate | undefined): boolean {
  if (certificate === undefined) return false;
  const { seq, view, digest } = certificate.prePrepare.message;
  return seq === claim.seq && view === claim.view && digest === claim.digest;
}

/** The numbers that a NEW-VIEW proposes again, with their digests. */
export function proposalsOf({ start, digests }: NewView): { readonly seq: SequenceNumber; readonly digest: Digest }[] {
  return digests.map((digest, i) => ({ seq: sequenceNumber(start + 1 + i), digest }));
}

/** Whether two VIEW-CHANGEs for one view say the same. */
export function isSameViewChange(a: ViewChange, b: ViewChange): boolean {
  return (
    a.stable.seq === b.stable.seq &&
    a.stable.stateRoot === b.stable.stateRoot &&
    isSameList(a.prepared, b.prepared, (x, y) => x.seq === y.seq && x.view === y.view && x.digest === y.digest)
  );
}

/** Whether two NEW-VIEWs for one view say the same. */
export function isSameNewView(a: NewView, b: NewView): boolean {
  return (
    a.start === b.start &&
    isSameList(a.digests, b.digests, (x, y) => x === y) &&
    isSameList(a.viewChanges, b.viewChanges, (x, y) => x.from === y.from && x.digest === y.digest)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((x, i) => isSame(x, b[i] as T));
}
