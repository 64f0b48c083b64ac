import type { Checkpoint, Commit, Envelope, PrePrepare, Prepare } from "./messages.ts";

/**
 * Two messages that no correct replica can both have signed (protocol rule 13.2): one sender, one type, one place,
 * another content. Anyone with the genesis document can verify it.
 */
export type Evidence = {
  readonly type: "equivocation";
  readonly first: Envelope<PrePrepare | Prepare | Commit | Checkpoint>;
  readonly second: Envelope<PrePrepare | Prepare | Commit | Checkpoint>;
};

/**
 * Whether two envelopes contradict each other by their content; the signatures are for `crypto` to verify. A replica
 * that lost its disk may sign one checkpoint twice (rule 9.5), so a pair of checkpoints is divergence, which is told
 * apart by its message type.
 */
export function isContradiction({ first, second }: Evidence): boolean {
  const a = first.message;
  const b = second.message;
  if (first.from !== second.from || a.epoch !== b.epoch || a.seq !== b.seq) return false;
  if (a.type === "checkpoint") return b.type === "checkpoint" && a.stateRoot !== b.stateRoot;
  return b.type === a.type && a.view === b.view && a.digest !== b.digest;
}
