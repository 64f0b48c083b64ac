import { type Membership, quorumSize } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";

/** Whether a replica takes part in ordering now, and what is in the way if it does not. */
export interface Readiness {
  readonly isReady: boolean;
  readonly reasons: readonly string[];
}

/**
 * A replica is ready in a settled view, not stranded, and with links to peers enough for a quorum. One that is no member is never: it takes
 * no request, and what it reads is stale.
 */
export function readinessOf(
  { view, target, isStranded, mute }: Pick<ReplicaStatus, "view" | "target" | "isStranded" | "mute">,
  membership: Membership,
  connectedPeers: number,
  isInstalling: boolean,
  isQuarantined = false,
  isObserver = false,
): Readiness {
  const reasons: string[] = [];
  if (isObserver) reasons.push("it is no member: it observes, and serves stale reads only");
  if (isQuarantined) reasons.push("it is quarantined: others contradict it, and it stands still until it is repaired");
  else if (isInstalling) reasons.push("the state of the others is being brought to it");
  if (view !== target) reasons.push(`it has left view ${view} and is not in view ${target} yet`);
  if (mute !== undefined) reasons.push("it is mute: its disk was lost, and it does not vote yet");
  if (isStranded) reasons.push("it is stranded: its gap has left the others' history");
  const needed = quorumSize(membership) - 1;
  if (connectedPeers < needed) reasons.push(`links to ${connectedPeers} peers, a quorum needs ${needed}`);
  return { isReady: reasons.length === 0, reasons };
}
