import type { ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";

/** Where a replica stands, in one line of a report. */
export function statusLine(name: string, id: ReplicaId, status: ReplicaStatus, isCorrect: boolean): string {
  const { view, target, lowWatermark, executed, highWatermark, pendingRequests, mute } = status;
  const role = status.primary === id ? "primary" : "backup";
  const kind = isCorrect ? role : `${role}, Byzantine`;
  const place = `v${view}→${target} h${lowWatermark} e${executed} H${highWatermark}`;
  const rest = `${status.isStranded ? " stranded" : ""}${mute === undefined ? "" : ` mute ${JSON.stringify(mute)}`}`;
  return `${name} ${kind} ${place} pending ${pendingRequests}${rest}`;
}
