import { type CheckpointCertificate, type Effect, type LogRecord, sequenceNumber } from "@quorate/protocol";
import type { ViewChanging } from "@quorate/view-change";

/**
 * h moved: what the log holds below it goes, and what still stands of views moves up with h (OSDI'99 §4.3).
 *
 * @param muteness what says that this replica is mute, at h; undefined when it votes.
 */
export function cutLog(
  stable: CheckpointCertificate,
  { viewChange, newView }: ViewChanging["standing"],
  muteness: LogRecord | undefined,
  out: Effect[],
): void {
  const { seq } = stable;
  out.push({ type: "persist", record: { type: "stable", checkpoint: stable } });
  if (viewChange !== undefined)
    out.push({ type: "persist", record: { type: "view-change", at: seq, viewChange: viewChange.viewChange } });
  if (newView !== undefined)
    out.push({ type: "persist", record: { type: "new-view", at: seq, newView: newView.newView } });
  if (muteness !== undefined) out.push({ type: "persist", record: muteness });
  // The new "stable" record itself belongs to its number, and stays.
  out.push({ type: "cut", upTo: sequenceNumber(seq - 1) });
}
