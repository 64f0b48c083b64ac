import {
  type BatchComposer,
  invariant,
  nextSequenceNumber,
  type Outbox,
  type SequenceNumber,
  sequenceNumber,
  timestampMs,
  type VerifiedBatch,
} from "@quorate/protocol";
import { NullBatchPace } from "./null-batch-pace.ts";
import type { OrderingOptions } from "./ordering-options.ts";
import type { BatchLimits, RequestQueue } from "./request-queue.ts";
import type { Window } from "./window.ts";

/** What a primary says next. */
export interface Proposal {
  readonly seq: SequenceNumber;
  readonly batch: VerifiedBatch;
}

/** When a primary proposes, and what (protocol rules 4.3 and 4.6). */
export class Proposer {
  /** Numbers up to here are filled with null batches while there is nothing else to order (protocol rules 8.5 and 11.2). */
  nullBatchesUntil: SequenceNumber = sequenceNumber(0);
  readonly #composer: BatchComposer;
  readonly #nullBatch: VerifiedBatch;
  readonly #limits: BatchLimits;
  readonly #pipelineDepthMax: number;
  readonly #queue: RequestQueue;
  readonly #window: Window;
  readonly #pace = new NullBatchPace();
  #lastProposed: SequenceNumber;

  constructor(options: OrderingOptions, queue: RequestQueue, window: Window, executed: SequenceNumber) {
    invariant(options.pipelineDepthMax >= 1, "ordering.pipeline-depth", { depth: options.pipelineDepthMax });
    this.#composer = options.composer;
    this.#nullBatch = options.nullBatch;
    this.#limits = options.limits;
    this.#pipelineDepthMax = options.pipelineDepthMax;
    this.#queue = queue;
    this.#window = window;
    this.#lastProposed = executed;
  }

  /** The highest number that this replica, as primary, has proposed or that its view began with. */
  get lastProposed(): SequenceNumber {
    return this.#lastProposed;
  }

  /** Numbers up to `seq` are taken: what is proposed next lies above. */
  skipTo(seq: SequenceNumber): void {
    this.#lastProposed = sequenceNumber(Math.max(this.#lastProposed, seq));
  }

  /** The pause before the next null batch is over. */
  onNullBatchDue(): void {
    this.#pace.onTimeout();
  }

  /** A view begins, with everything up to `seq` taken. */
  restartAt(seq: SequenceNumber): void {
    this.#lastProposed = seq;
  }

  /**
   * The next proposal while the pipeline has room: at once when it is idle, in batches when it is not.
   *
   * @param last of the view.
   */
  next(last: SequenceNumber, atMs: number, out: Outbox): Proposal | undefined {
    this.skipTo(this.#window.lastDelivered);
    if (this.#lastProposed >= Math.min(this.#window.high, last)) return undefined;
    const undelivered = this.#lastProposed - this.#window.lastDelivered;
    if (undelivered >= this.#pipelineDepthMax) return undefined;
    const seq = nextSequenceNumber(this.#lastProposed);
    if (this.#queue.readyCount === 0) {
      // Requests that come meanwhile find a place beside them, unless there is only one.
      const hasPlace = undelivered < Math.max(1, this.#pipelineDepthMax - 1);
      if (seq > this.nullBatchesUntil || !hasPlace || !this.#pace.take(atMs, out)) return undefined;
      this.#lastProposed = seq;
      return { seq, batch: this.#nullBatch };
    }
    const requests = this.#queue.take(seq, this.#limits, atMs);
    invariant(requests.length > 0, "ordering.empty-proposal", { seq });
    this.#lastProposed = seq;
    this.#pace.onRequests(atMs);
    return { seq, batch: this.#composer.compose(timestampMs(Math.floor(atMs)), requests) };
  }
}
