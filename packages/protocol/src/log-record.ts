import type {
  CheckpointCertificate,
  JustifiedNewView,
  JustifiedReplyStable,
  JustifiedViewChange,
  PreparedCertificate,
} from "./certificates.ts";
import type { Digest, Epoch, SequenceNumber } from "./ids.ts";
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
  | { readonly type: "stable"; readonly checkpoint: CheckpointCertificate }
  /** This VIEW-CHANGE was sent; the views below it are left. `at`: where it stands in the log, moved up with h. */
  | { readonly type: "view-change"; readonly at: SequenceNumber; readonly viewChange: JustifiedViewChange }
  /** This view was entered. `at` as above. */
  | { readonly type: "new-view"; readonly at: SequenceNumber; readonly newView: JustifiedNewView }
  /** What others answered since the disk was lost (protocol rule 8.5): all answers so far. `at` as above. */
  | { readonly type: "mute"; readonly at: SequenceNumber; readonly replies: readonly JustifiedReplyStable[] }
  /** Mute since it drew this nonce, the replica votes again from here on, in this epoch and all later ones. `at` as above. */
  | { readonly type: "released"; readonly epoch: Epoch; readonly at: SequenceNumber; readonly nonce: Digest };

/** Where a record stands. */
export interface RecordPlace {
  /** The log is cut by it. */
  readonly seq: SequenceNumber;
  /**
   * That it was written in; undefined for one that is mute and has heard of nobody yet. Promises of an epoch that is over bind nobody
   * (protocol rule 11.2).
   */
  readonly epoch: Epoch | undefined;
}

/** The place of a record among the others. */
export function placeOf(record: LogRecord): RecordPlace {
  switch (record.type) {
    case "pre-prepared":
      return record.envelope.message;
    case "prepared":
      return record.certificate.prePrepare.message;
    case "stable":
      return record.checkpoint;
    case "view-change":
      return { seq: record.at, epoch: record.viewChange.envelope.message.epoch };
    case "new-view":
      return { seq: record.at, epoch: record.newView.envelope.message.epoch };
    case "mute":
      return { seq: record.at, epoch: record.replies[0]?.envelope.message.epoch };
    case "released":
      return { seq: record.at, epoch: record.epoch };
    default:
      return assertNever(record);
  }
}
