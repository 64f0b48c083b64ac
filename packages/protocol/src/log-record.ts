import type { CheckpointCertificate, PreparedCertificate } from "./certificates.ts";
import type { SequenceNumber } from "./ids.ts";
import { assertNever } from "./invariant.ts";
import type { Envelope, PrePrepare } from "./messages.ts";
import type { Batch } from "./request.ts";

/** What must survive a crash: one record type per promise made to others (protocol rule 8.1). */
export type LogRecord =
  /** This pre-prepare was sent or accepted; no other is accepted for its (view, seq), not even after a restart. */
  | { readonly type: "pre-prepared"; readonly envelope: Envelope<PrePrepare>; readonly batch: Batch }
  /** This number prepared here; the COMMIT follows from the certificate. */
  | { readonly type: "prepared"; readonly certificate: PreparedCertificate }
  /** The checkpoint this log starts from. */
  | { readonly type: "stable"; readonly checkpoint: CheckpointCertificate };

/** The sequence number a record belongs to; the log is cut by it. */
export function sequenceNumberOf(record: LogRecord): SequenceNumber {
  switch (record.type) {
    case "pre-prepared":
      return record.envelope.message.seq;
    case "prepared":
      return record.certificate.prePrepare.message.seq;
    case "stable":
      return record.checkpoint.seq;
    default:
      return assertNever(record);
  }
}
