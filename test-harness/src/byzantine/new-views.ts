import { nullBatchDigest, viewChangeDigest } from "@quorate/crypto";
import {
  concludeNewView,
  type Digest,
  type Envelope,
  isCheckpointOf,
  isProof,
  type JustifiedNewView,
  type JustifiedViewChange,
  type NewView,
  proposalsOf,
  quorumSize,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  sequenceNumber,
  type ViewChange,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import { type ByzantineActor, type ByzantineTools, flipped, HONEST, otherDigest, placeOf } from "./actor.ts";
import { bare } from "./view-changes.ts";

/** The most views whose VIEW-CHANGEs are remembered. */
const VIEWS_MAX = 16;

/** The VIEW-CHANGEs that went by, by view and sender. */
class ViewChangesHeard {
  readonly #byView = new Map<ViewNumber, Map<ReplicaId, JustifiedViewChange>>();

  add(frame: ReplicaFrame): void {
    if (frame.type !== "view-change") return;
    const { from, message } = frame.viewChange.envelope;
    const held = this.#byView.get(message.view) ?? new Map<ReplicaId, JustifiedViewChange>();
    held.set(from, frame.viewChange);
    this.#byView.set(message.view, held);
    const [oldest] = this.#byView.keys();
    if (this.#byView.size > VIEWS_MAX && oldest !== undefined) this.#byView.delete(oldest);
  }

  /** For one view, ascending by sender. */
  of(view: ViewNumber): readonly JustifiedViewChange[] {
    const held = [...(this.#byView.get(view)?.values() ?? [])];
    return held.sort((a, b) => a.envelope.from - b.envelope.from);
  }

  /** One for a view below `view`. */
  below(view: ViewNumber): Envelope<ViewChange> | undefined {
    for (const [heard, held] of this.#byView)
      if (heard < view) for (const { envelope } of held.values()) return envelope;
    return undefined;
  }
}

type NewViewLie = (newView: JustifiedNewView, heard: ViewChangesHeard, tools: ByzantineTools) => JustifiedNewView;

/** What is wrong with a NEW-VIEW, by name. */
const LIES: Readonly<Record<string, NewViewLie>> = {
  "too few": (newView, _heard, tools) => around(newView, newView.viewChanges.slice(1), tools),
  doubled: (newView, _heard, tools) => {
    const [first, , ...rest] = newView.viewChanges;
    return first === undefined ? newView : around(newView, [first, first, ...rest], tools);
  },
  stale: (newView, heard, tools) => {
    const { view } = newView.envelope.message;
    const stale = heard.below(view) ?? tools.signer.sign({ ...ownOf(newView, tools), view: viewNumber(view - 1) });
    return around(newView, replaced(newView.viewChanges, stale), tools);
  },
  foreign: (newView, _heard, tools) => {
    const stranger = { ...lastOf(newView.viewChanges), from: replicaId(tools.membership.members.length) };
    return around(newView, [...newView.viewChanges.slice(0, -1), stranger], tools);
  },
  "badly signed": (newView, _heard, tools) => {
    const last = lastOf(newView.viewChanges);
    const bad = { ...last, signature: flipped(last.signature) };
    return around(newView, replaced(newView.viewChanges, bad), tools);
  },
  "drops a batch": (newView, _heard, tools) => changed(newView, (digests) => digests.slice(0, -1), tools),
  "swaps batches": (newView, _heard, tools) => changed(newView, (digests) => digests.toReversed(), tools),
  "invents a batch": (newView, _heard, tools) => {
    const invented = otherDigest(nullDigest(tools));
    return changed(newView, (digests) => [...digests.slice(0, -1), invented], tools);
  },
  "nulls a batch": (newView, _heard, tools) =>
    changed(newView, (digests) => digests.map(() => nullDigest(tools)), tools),
  "lacks a null batch": (newView, _heard, tools) =>
    changed(newView, (digests) => digests.filter((digest) => digest !== nullDigest(tools)), tools),
  "starts too high": (newView, _heard, tools) => restarted(newView, tools.checkpointInterval, tools),
  "starts too low": (newView, _heard, tools) => restarted(newView, -tools.checkpointInterval, tools),
  "lacks certificates": (newView) => ({ ...newView, certificates: newView.certificates.slice(1) }),
  "badly signed proposals": (newView) => ({
    ...newView,
    prePrepareSignatures: newView.prePrepareSignatures.map(flipped),
  }),
};

/** The names of what is wrong with NEW-VIEWs. */
export const NEW_VIEW_LIES: readonly string[] = Object.keys(LIES);

/** As a new primary says what does not follow, to each replica and each time something else. */
export function falseNewViews(tools: ByzantineTools): ByzantineActor {
  const heard = new ViewChangesHeard();
  const [first, ...others] = Object.entries(LIES);
  return {
    ...HONEST,
    fromReplica: (frame) => heard.add(frame),
    toReplica: (_to, frame) => {
      heard.add(frame);
      if (first === undefined || frame.type !== "new-view" || frame.newView.envelope.from !== tools.self)
        return [frame];
      const [name, lie] = tools.prng.pick([first, ...others]);
      tools.mark(`NEW-VIEW ${name}`);
      return [{ type: "new-view", newView: lie(frame.newView, heard, tools) }];
    },
  };
}

/**
 * As a new primary draws right conclusions from different VIEW-CHANGEs, and tells one to some and another to others: an
 * equivocation of which each half is perfectly justified.
 */
export function twoNewViews(tools: ByzantineTools): ByzantineActor {
  const heard = new ViewChangesHeard();
  return {
    ...HONEST,
    fromReplica: (frame) => heard.add(frame),
    toReplica: (to, frame) => {
      heard.add(frame);
      if (frame.type !== "new-view" || frame.newView.envelope.from !== tools.self) return [frame];
      if (placeOf(to, tools) % 2 === 0) return [frame];
      const newView = otherNewView(frame.newView, heard, tools);
      if (newView === undefined) return [frame];
      tools.mark("two justified NEW-VIEWs");
      return [{ type: "new-view", newView }];
    },
  };
}

/** From the last VIEW-CHANGEs instead of the first, the own one among them without any claim. */
function otherNewView(
  newView: JustifiedNewView,
  heard: ViewChangesHeard,
  tools: ByzantineTools,
): JustifiedNewView | undefined {
  const { epoch, view } = newView.envelope.message;
  const all = heard.of(view).map((each) => (each.envelope.from === tools.self ? bare(each, tools) : each));
  const quorum = all.slice(-quorumSize(tools.membership));
  const conclusion = concludeNewView(quorum.map(({ envelope }) => envelope.message));
  if (conclusion === undefined || quorum.length < quorumSize(tools.membership)) return undefined;
  const { start, chosen } = conclusion;
  const checkpoint = quorum.map((each) => each.checkpoint).find((each) => isCheckpointOf(start, each));
  const proofs = quorum.flatMap(({ certificates }) => certificates);
  const certificates = chosen.flatMap((claim) =>
    claim === undefined ? [] : (proofs.find((proof) => isProof(claim, proof)) ?? []),
  );
  if (checkpoint === undefined) return undefined;
  const digests = chosen.map((claim) => claim?.digest ?? nullDigest(tools));
  const message: NewView = { type: "new-view", epoch, view, viewChanges: [], start: start.seq, digests };
  const viewChanges = quorum.map(({ envelope }) => envelope);
  return around(
    { ...newView, envelope: { ...newView.envelope, message }, checkpoint, certificates },
    viewChanges,
    tools,
  );
}

/** The same around these VIEW-CHANGEs, signed anew. */
function around(
  newView: JustifiedNewView,
  viewChanges: readonly Envelope<ViewChange>[],
  { signer, hasher, cluster }: ByzantineTools,
): JustifiedNewView {
  const references = viewChanges.map(({ from, message }) => ({
    from,
    digest: viewChangeDigest(hasher, cluster, from, message),
  }));
  const message: NewView = { ...newView.envelope.message, viewChanges: references };
  const { epoch, view } = message;
  const prePrepareSignatures = proposalsOf(message).map(
    (proposal) => signer.sign({ type: "pre-prepare", epoch, view, ...proposal }).signature,
  );
  return { ...newView, envelope: signer.sign(message), viewChanges, prePrepareSignatures };
}

function changed(
  newView: JustifiedNewView,
  change: (digests: readonly Digest[]) => readonly Digest[],
  tools: ByzantineTools,
): JustifiedNewView {
  const message: NewView = { ...newView.envelope.message, digests: change(newView.envelope.message.digests) };
  return around({ ...newView, envelope: { ...newView.envelope, message } }, newView.viewChanges, tools);
}

function restarted(newView: JustifiedNewView, by: number, tools: ByzantineTools): JustifiedNewView {
  const start = sequenceNumber(Math.max(0, newView.envelope.message.start + by));
  const message: NewView = { ...newView.envelope.message, start };
  return around({ ...newView, envelope: { ...newView.envelope, message } }, newView.viewChanges, tools);
}

/** With the one of the same sender, or else the last, replaced. */
function replaced(
  viewChanges: readonly Envelope<ViewChange>[],
  by: Envelope<ViewChange>,
): readonly Envelope<ViewChange>[] {
  const at = viewChanges.findIndex(({ from }) => from === by.from);
  return viewChanges.with(at < 0 ? viewChanges.length - 1 : at, by);
}

function ownOf(newView: JustifiedNewView, { self }: ByzantineTools): ViewChange {
  return (newView.viewChanges.find(({ from }) => from === self) ?? lastOf(newView.viewChanges)).message;
}

function lastOf<T>(items: readonly T[]): T {
  return items.at(-1) as T;
}

function nullDigest({ hasher, cluster }: ByzantineTools): Digest {
  return nullBatchDigest(hasher, cluster);
}
