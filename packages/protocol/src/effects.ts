import type { CheckpointCertificate } from "./certificates.ts";
import type { Contradiction, Divergence } from "./divergence.ts";
import type { Evidence } from "./evidence.ts";
import type { Digest, PublicKey, ReplicaId, SequenceNumber } from "./ids.ts";
import type { LogRecord } from "./log-record.ts";
import type { Rejection } from "./rejection.ts";
import type { CommittedEntry, ReplicaFrame } from "./replica-frame.ts";
import type { DigestedCertifiedBatch } from "./verified.ts";

/** The timers of a replica. Starting one that runs replaces it. */
export type TimerName = "status" | "clock-wait" | "null-batch" | "fetch" | "progress" | "view-change";

/**
 * What a replica asks of the world. The runner performs effects in order. `persist` is a barrier: no send, execute or
 * cut after it happens before the record is durable; only timers, evidence and rejections bypass it.
 */
export type Effect =
  | { readonly type: "persist"; readonly record: LogRecord }
  /** Put a committed batch into the history. Not a promise, so not a barrier. */
  | { readonly type: "archive"; readonly seq: SequenceNumber; readonly entry: CommittedEntry }
  /** Drop log records at or below `upTo`; the history keeps to its own limit. */
  | { readonly type: "cut"; readonly upTo: SequenceNumber }
  | { readonly type: "send"; readonly to: ReplicaId; readonly frame: ReplicaFrame }
  /** To every other member of the current epoch. */
  | { readonly type: "broadcast"; readonly frame: ReplicaFrame }
  /** To every observer that is linked here: what follows the others by what they show (decision 0044). */
  | { readonly type: "tell-observers"; readonly frame: ReplicaFrame }
  /** Read `first … last` from the history and send each as a `committed` frame; what is gone: `below-history`. */
  | {
      readonly type: "send-history";
      readonly to: ReplicaId;
      readonly first: SequenceNumber;
      readonly last: SequenceNumber;
      /** What to answer with when `first` has left the history. */
      readonly stable: CheckpointCertificate;
    }
  /** Execute this batch; if that makes it a checkpoint, make the state durable and come back with its root. */
  | { readonly type: "execute"; readonly seq: SequenceNumber; readonly batch: DigestedCertifiedBatch }
  /** The gap to the others has left their history: bring the state at this checkpoint here. */
  | { readonly type: "fetch-state"; readonly target: CheckpointCertificate }
  /** This replica is wrong: it says nothing more, and its state is to be repaired (protocol rule 9.5). */
  | {
      readonly type: "quarantine";
      readonly contradiction: Contradiction;
      /** The highest certificate known, to repair towards; undefined when there is none but what the epoch began with. */
      readonly target: CheckpointCertificate | undefined;
      /** Up to there it may have signed what it cannot stand by, and signs nothing again. */
      readonly upTo: SequenceNumber;
      /** The same of statements, of which it may have signed more in an earlier life than it knows of: at or above `upTo`. */
      readonly statementsUpTo: SequenceNumber;
    }
  /**
   * The checkpoint at the activation of a change is stable here: the epoch is over, and this replica says nothing more. Its certificate
   * is the link to the next one (protocol rules 11.2 and 11.3).
   */
  | { readonly type: "epoch-over"; readonly link: CheckpointCertificate }
  /** Another member is wrong. */
  | { readonly type: "divergence"; readonly divergence: Divergence }
  | { readonly type: "start-timer"; readonly timer: TimerName; readonly token: number; readonly afterMs: number }
  | { readonly type: "cancel-timer"; readonly timer: TimerName }
  | { readonly type: "evidence"; readonly evidence: Evidence }
  | { readonly type: "rejected"; readonly rejection: Rejection }
  /** A client's request was not taken on; tell the client. */
  | {
      readonly type: "refuse";
      readonly client: PublicKey;
      readonly requestDigest: Digest;
      readonly code: "overloaded";
    };

/** Where components put effects. Append-only, so that no component sees or undoes another's. */
export interface Outbox {
  push(effect: Effect): void;
}
