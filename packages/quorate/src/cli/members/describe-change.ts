import { assertNever, faultThreshold, type Member, type ReconfigurationChange } from "@quorate/protocol";

/** The membership of the epoch that an order is for. */
type Before = { readonly members: readonly Member[] };

/**
 * What a change does, in one line: for whoever is asked to approve it.
 *
 * @param before the members that it changes.
 */
export function describeChange(change: ReconfigurationChange, { members }: Before): string {
  switch (change.type) {
    case "join": {
      const { id, address, publicKey } = change.member;
      return `replica ${id} joins at ${address} with the key ${publicKey}`;
    }
    case "leave":
      return `replica ${change.id} leaves${change.mayLowerFaultThreshold && isLessTolerant(members) ? ", and fewer members may be faulty then" : ""}`;
    case "rejoin":
      return `replica ${change.id} takes part again after it lost its disk`;
    case "rotate-key":
      return `replica ${change.id} signs with the key ${change.publicKey}`;
    case "admins":
      return `${change.admins.threshold} of these admins sign changes: ${change.admins.keys.join(", ")}`;
    case "parameters":
      return `a checkpoint every ${change.checkpointInterval} sequence numbers, in a window of ${change.windowSize}`;
    case "admit":
      return `${change.client} is admitted as a client`;
    case "expel":
      return `${change.client} is a client no more`;
    default:
      return assertNever(change);
  }
}

/** Whether f falls when one of them leaves. */
function isLessTolerant(members: readonly Member[]): boolean {
  return faultThreshold({ members: members.slice(1) }) < faultThreshold({ members });
}
