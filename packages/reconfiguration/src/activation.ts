import {
  activationOf,
  type Configuration,
  epochNumber,
  nextSequenceNumber,
  type SequenceNumber,
} from "@quorate/protocol";
import type { ConfigurationRecord } from "./configuration-record.ts";

/** Whether the batch at `seq` is the last of its epoch. */
export function isActivation({ pending }: ConfigurationRecord, seq: SequenceNumber): boolean {
  return pending?.activation === seq;
}

/**
 * The record after the activation batch: what waited is in force. An admin change that was queued behind a member's rejoining
 * counts as ordered at the first number of the new epoch (protocol rule 11.1).
 */
export function activate(record: ConfigurationRecord): ConfigurationRecord {
  const { pending } = record;
  if (pending === undefined) return record;
  const { next: current, activation, queued } = pending;
  const ids = new Set(current.members.map(({ id }) => id));
  const after = { ...record, current, pending: undefined, rejoins: record.rejoins.filter(({ id }) => ids.has(id)) };
  if (queued === undefined) return after;
  const ordered = nextSequenceNumber(activation);
  const next: Configuration = { ...current, epoch: epochNumber(current.epoch + 1), admins: queued };
  const pendingNext = {
    ordered,
    activation: activationOf(ordered, current),
    next,
    rejoins: undefined,
    queued: undefined,
  };
  return { ...after, pending: pendingNext };
}
