import {
  type AcceptedChange,
  type AdminKeys,
  assertNever,
  type Configuration,
  type ReconfigurationChange,
  type SequenceNumber,
} from "@quorate/protocol";
import type { ConfigurationRecord } from "./configuration-record.ts";

/**
 * What the record at the beginning of an epoch tells of a change that was ordered for the epoch before: that it is in force, and since
 * when, or that it is not. A change of the admins may still wait, when it was queued behind a member that rejoins.
 *
 * @param activation the last number of the epoch before.
 * @returns undefined for a change that the record does not hold: those of clients.
 */
export function shownChange(
  { current, pending, rejoins }: ConfigurationRecord,
  change: ReconfigurationChange,
  activation: SequenceNumber,
): AcceptedChange | "absent" | undefined {
  if (change.type === "admit" || change.type === "expel") return undefined;
  const isRejoin = change.type === "rejoin";
  const isInForce = isRejoin
    ? rejoins.some(({ id, loss }) => id === change.id && loss === change.loss)
    : isMade(change, current);
  if (isInForce) return { epoch: current.epoch, activation };
  if (pending !== undefined && change.type === "admins" && isMade(change, pending.next))
    return { epoch: pending.next.epoch, activation: pending.activation };
  return "absent";
}

function isMade(
  change: Exclude<ReconfigurationChange, { type: "rejoin" | "admit" | "expel" }>,
  { members, admins, checkpointInterval, windowSize }: Configuration,
): boolean {
  switch (change.type) {
    case "join": {
      const { id, publicKey, address } = change.member;
      return members.some((member) => member.id === id && member.publicKey === publicKey && member.address === address);
    }
    case "leave":
      return !members.some(({ id }) => id === change.id);
    case "rotate-key":
      return members.some(({ id, publicKey }) => id === change.id && publicKey === change.publicKey);
    case "admins":
      return isSameAdmins(change.admins, admins);
    case "parameters":
      return change.checkpointInterval === checkpointInterval && change.windowSize === windowSize;
    default:
      return assertNever(change);
  }
}

/** In whatever order. */
function isSameAdmins(a: AdminKeys, b: AdminKeys): boolean {
  return a.threshold === b.threshold && a.keys.length === b.keys.length && a.keys.every((key) => b.keys.includes(key));
}
