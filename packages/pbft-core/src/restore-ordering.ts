import type { Signer } from "@quorate/protocol";
import type { CurrentView } from "./current-view.ts";
import type { RestoredOrdering, RestoredSlot } from "./ordering-options.ts";
import type { Proposer } from "./proposer.ts";
import type { ThreePhases } from "./three-phases.ts";
import type { Window } from "./window.ts";

/** What the log's records become part of. */
export interface RestoredParts {
  readonly signer: Signer;
  readonly view: CurrentView;
  readonly window: Window;
  readonly phases: ThreePhases;
  readonly proposer: Proposer;
}

/** Puts back what the log holds, before anything is sent: the same votes as before the crash (protocol rule 8.2). */
export function restoreOrdering({ slots, prepared, voted }: RestoredOrdering, parts: RestoredParts): void {
  const { window, phases } = parts;
  for (const { certificate, batch } of prepared) {
    const { seq } = certificate.prePrepare.message;
    if (seq <= window.low) continue;
    phases.preparedSet.add(certificate, seq > window.lastDelivered ? batch : undefined);
  }
  for (const { view, seq, batch } of voted) if (seq > window.lastDelivered) phases.votedBodies.keep(view, seq, batch);
  for (const slot of slots) restoreSlot(slot, parts);
}

function restoreSlot(
  { prePrepare, batch, prepares }: RestoredSlot,
  { signer, view: current, window, phases, proposer }: RestoredParts,
): void {
  const { seq, view, epoch, digest } = prePrepare.message;
  if (seq <= window.low || view !== current.number) return;
  const slot = window.slotAt(view, seq);
  slot.addPrePrepare(prePrepare);
  if (seq > window.lastDelivered) slot.batch = batch;
  phases.markAccepted(slot);
  if (current.isPrimary) proposer.skipTo(seq);
  else slot.addPrepare(signer.sign({ type: "prepare", epoch, view, seq, digest }));
  if (prepares === undefined) return;
  for (const prepare of prepares) slot.addPrepare(prepare);
  slot.isPrepared = true;
  slot.addCommit(signer.sign({ type: "commit", epoch, view, seq, digest }));
}
