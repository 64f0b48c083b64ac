import type {
  BatchComposer,
  PrePrepare,
  Prepare,
  PreparedCertificate,
  SequenceNumber,
  Signer,
  VerifiedBatch,
  VerifiedEnvelope,
  ViewNumber,
} from "@quorate/protocol";
import type { BatchLimits, RequestQueueLimits } from "./request-queue.ts";

/** How one replica orders; the bounds on batches come from genesis, the rest is local. */
export interface OrderingOptions {
  readonly signer: Signer;
  readonly composer: BatchComposer;
  /** What fills a gap: time 0, no requests. */
  readonly nullBatch: VerifiedBatch;
  /** L of genesis. */
  readonly windowSize: number;
  readonly limits: BatchLimits;
  /** Of genesis: how many numbers a primary orders before the next one has its turn; 0 for ever (protocol rule 7.6). */
  readonly rotateEveryBatches: number;
  /** δ of genesis: how far ahead of the own clock a proposal's time may be. */
  readonly clockToleranceMs: number;
  /** How many proposed numbers may be undecided; what arrives meanwhile forms the next batch (protocol rule 4.6). */
  readonly pipelineDepthMax: number;
  readonly queue: RequestQueueLimits;
  /** This replica follows what is ordered, and votes for nothing until `Ordering.unmute` (protocol rule 8.5). */
  readonly isMute?: boolean;
}

/** Where the epoch ends (protocol rule 11.2). */
export interface EndOfEpoch {
  readonly seq: SequenceNumber;
  /**
   * A change takes effect there. Else one may: whoever awaits its state cannot tell, so it votes for nothing above, and holds nobody
   * to anything (protocol rule 10.2).
   */
  readonly isKnown: boolean;
}

/** What the log held of former promises, see `Ordering.restore`. */
export interface RestoredOrdering {
  /** Of the current view. */
  readonly slots: readonly RestoredSlot[];
  /** Of the highest view for each number above the stable checkpoint; the body where the log has it. */
  readonly prepared: readonly {
    readonly certificate: PreparedCertificate;
    readonly batch: VerifiedBatch | undefined;
  }[];
  /** Of earlier views than the current one. */
  readonly voted: readonly RestoredVote[];
}

/** What the log held about a number in a view that was left. */
export interface RestoredVote {
  readonly view: ViewNumber;
  readonly seq: SequenceNumber;
  readonly batch: VerifiedBatch;
}

/** What the log held about numbers above the executed one, see `Ordering.restore`. */
export interface RestoredSlot {
  readonly prePrepare: VerifiedEnvelope<PrePrepare>;
  readonly batch: VerifiedBatch;
  /** The PREPAREs of a prepared certificate, when one was written. */
  readonly prepares: readonly VerifiedEnvelope<Prepare>[] | undefined;
}
