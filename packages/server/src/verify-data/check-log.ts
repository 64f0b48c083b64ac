import type { SequenceNumber, VerifiedCheckpointCertificate } from "@quorate/protocol";
import type { VerifiedLogRecord } from "@quorate/replica";
import type { StoreReader } from "@quorate/storage";
import type { Judges } from "../data-reader.ts";
import { RecoveryError, readLogRecord } from "../disk-recovery.ts";
import { counted, type Looked, type Report } from "./data-check.ts";

/** What the write-ahead log holds that others are compared with. */
export interface CheckedLog {
  /** The checkpoint that it starts from; undefined for that of genesis. */
  readonly stable: VerifiedCheckpointCertificate | undefined;
}

/** Reads every record as a start does: the chain of its groups, each checksum, each signature (protocol rule 8.4). */
export function checkLog(store: Pick<StoreReader, "openLog">, judges: Judges, report: Report): Looked<CheckedLog> {
  const { codec, verifier, epochs, judge } = judges;
  const log = store.openLog();
  const counts = new Map<VerifiedLogRecord["type"], number>();
  // What was promised in earlier epochs is over; this one starts from its link.
  let stable = epochs.link && judge.verifyCheckpointCertificate(epochs.link.certificate);
  for (const entry of log.entries()) {
    try {
      const record = readLogRecord(entry, codec, verifier, epochs);
      if (record === undefined) continue;
      counts.set(record.type, (counts.get(record.type) ?? 0) + 1);
      if (record.type === "stable" && record.checkpoint.seq > stableNumber(stable)) stable = record.checkpoint;
    } catch (error) {
      if (!(error instanceof RecoveryError)) throw error;
      report(error.message);
    }
  }
  const kinds = [...counts].map(([type, count]) => `${count} ${type}`).join(", ");
  const records = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const torn = log.tornBytes === 0 ? "" : `; ${counted(log.tornBytes, "byte")} of a write cut short, no harm`;
  return {
    found: `${counted(records, "record")}${kinds === "" ? "" : ` (${kinds})`}${torn}`,
    value: { stable },
  };
}

/** The low watermark, h. */
export function stableNumber(stable: VerifiedCheckpointCertificate | undefined): SequenceNumber | 0 {
  return stable?.seq ?? 0;
}
