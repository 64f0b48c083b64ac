import type { RestoredSlot } from "@quorate/pbft-core";
import {
  assertNever,
  type Base,
  invariant,
  type PrePrepare,
  type Prepare,
  type SequenceNumber,
  type VerifiedBatch,
  type VerifiedCheckpointCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
} from "@quorate/protocol";
import type { Recovery } from "./replica.ts";

/** A `LogRecord` whose signatures were verified again: what the own disk says is parsed like what others say. */
export type VerifiedLogRecord =
  | { readonly type: "pre-prepared"; readonly envelope: VerifiedEnvelope<PrePrepare>; readonly batch: VerifiedBatch }
  | {
      readonly type: "prepared";
      readonly seq: SequenceNumber;
      readonly prepares: readonly VerifiedEnvelope<Prepare>[];
    }
  | { readonly type: "stable"; readonly checkpoint: VerifiedCheckpointCertificate };

/** What the disk held after a crash or a stop. */
export interface RecoveredDisk {
  /** In the order of the log. */
  readonly records: readonly VerifiedLogRecord[];
  /** The last number whose effects are in the durable state. */
  readonly executed: SequenceNumber;
  /** The own history above `executed`, ascending. */
  readonly committed: readonly VerifiedCommittedEntry[];
}

/**
 * The ground and the promises to start from: the replica stands where it stood, and every promise that it made is
 * known to it again (protocol rules 8.1 and 8.2).
 *
 * @param genesis the base of a replica that never ran.
 */
export function recover(genesis: Base, disk: RecoveredDisk): { readonly base: Base; readonly recovery: Recovery } {
  let stable = genesis.stable;
  const slots = new Map<SequenceNumber, RestoredSlot>();
  for (const record of disk.records) {
    switch (record.type) {
      case "stable":
        if (record.checkpoint.seq > stable.seq) stable = record.checkpoint;
        break;
      case "pre-prepared":
        slots.set(record.envelope.message.seq, {
          prePrepare: record.envelope,
          batch: record.batch,
          prepares: undefined,
        });
        break;
      case "prepared": {
        const slot = slots.get(record.seq);
        invariant(slot !== undefined, "recovery.prepared-without-pre-prepared", { seq: record.seq });
        const { digest } = slot.prePrepare.message;
        const isItsOwn = record.prepares.every(({ message }) => message.digest === digest);
        invariant(isItsOwn, "recovery.prepared-another-than-pre-prepared", { seq: record.seq });
        slots.set(record.seq, { ...slot, prepares: record.prepares });
        break;
      }
      default:
        assertNever(record);
    }
  }
  invariant(disk.executed >= stable.seq, "recovery.state-below-stable", { executed: disk.executed, h: stable.seq });
  const restored = [...slots.values()]
    .filter(({ prePrepare }) => prePrepare.message.seq > stable.seq)
    .sort((a, b) => a.prePrepare.message.seq - b.prePrepare.message.seq);
  return {
    base: { ...genesis, stable },
    recovery: { executed: disk.executed, slots: restored, committed: disk.committed },
  };
}
