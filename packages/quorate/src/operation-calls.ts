import {
  type CallOutcome,
  type ClientEvent,
  type ClientFailure,
  cancelledFailure,
  type FailureEffect,
} from "@quorate/client-proxy";
import { copyBytes, type OperationResult, type Receipt, type SequenceNumber } from "@quorate/protocol";
import { type CallOptions, checkCallOptions } from "./call-options.ts";
import { callError, QuorateError } from "./errors.ts";
import type { OperationReceipt } from "./operation-receipt.ts";

/** The agreed result of one operation. */
export interface OperationOutcome {
  /** Of status `ok`, or `failed` when the service refused the operation. */
  readonly result: OperationResult;
  /** Where it was executed; undefined when the replicas that agreed had signed it at different places. */
  readonly seq: SequenceNumber | undefined;
  /** Proof for third parties; the operation's own result is `receipt.results[index]`. */
  readonly receipt: OperationReceipt | undefined;
  readonly index: number;
}

/** What runs the core. */
export interface OperationCallsOptions {
  /** Has the core take these events as one step, and does what it asks for. */
  readonly step: (events: readonly ClientEvent[]) => void;
  readonly nowMs: () => number;
  /** Lets a receipt write itself. */
  readonly receiptOf: (receipt: Receipt) => OperationReceipt;
  /** The failure's message, with what is known of the links. */
  readonly explain: (failure: ClientFailure) => string;
}

interface Waiting {
  readonly resolve: (outcome: OperationOutcome) => void;
  readonly reject: (error: QuorateError) => void;
  /** Forgets the caller's signal. */
  readonly release: () => void;
  readonly signal: AbortSignal | undefined;
}

/** One operation of a caller, from its first call to its last retry; held by the core's number while it waits, then by its errors alone. */
interface OperationCall {
  readonly id: number;
  readonly operation: Uint8Array;
  waiting: Waiting | undefined;
  /** Of its last failure. */
  effect: FailureEffect;
  outcome: OperationOutcome | undefined;
}

/** The promises of the calls that a core has. As many wait as the core takes. */
export class OperationCalls {
  readonly #options: OperationCallsOptions;
  readonly #waiting = new Map<number, OperationCall>();
  #queued: ClientEvent[] = [];
  #calls = 0;

  constructor(options: OperationCallsOptions) {
    this.#options = options;
  }

  /** Submits an operation; its bytes are copied. */
  async execute(operation: Uint8Array, options: CallOptions): Promise<OperationOutcome> {
    const call = { id: this.#calls++, operation: copyBytes(operation), effect: "none" } as const;
    return this.#wait({ ...call, waiting: undefined, outcome: undefined }, options);
  }

  /** Hands to the core what was submitted in this turn. */
  flush(): void {
    const queued = this.#queued;
    this.#queued = [];
    if (queued.length > 0) this.#options.step(queued);
  }

  /** The end of a call, as the core tells it. */
  onSettled(id: number, outcome: CallOutcome): void {
    const call = this.#waiting.get(id);
    if (call?.waiting === undefined) return;
    const { waiting } = call;
    this.#waiting.delete(id);
    call.waiting = undefined;
    waiting.release();
    if (outcome.type === "failed") return waiting.reject(this.#errorOf(call, outcome.failure, waiting.signal));
    const { result, seq, index, receipt } = outcome;
    call.outcome = { result, seq, index, receipt: receipt && this.#options.receiptOf(receipt) };
    waiting.resolve(call.outcome);
  }

  async #retry(call: OperationCall, options: CallOptions = {}): Promise<OperationOutcome> {
    if (call.outcome !== undefined) return call.outcome;
    if (call.waiting === undefined) return this.#wait(call, options);
    throw new QuorateError("client.retry-pending", "a retry of this call waits already; wait for that one");
  }

  #wait(call: OperationCall, options: CallOptions): Promise<OperationOutcome> {
    checkCallOptions(options);
    const { signal, timeoutMs } = options;
    if (signal?.aborted === true) throw this.#errorOf(call, cancelledFailure(call.effect), signal);
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.#cancel(call);
      const release = (): void => signal?.removeEventListener("abort", cancel);
      signal?.addEventListener("abort", cancel, { once: true });
      call.waiting = { resolve, reject, release, signal };
      this.#waiting.set(call.id, call);
      const timed = { call: call.id, atMs: this.#options.nowMs(), ...(timeoutMs !== undefined && { timeoutMs }) };
      const { operation, effect } = call;
      this.#queue(effect === "none" ? { type: "submit", operation, ...timed } : { type: "retry", ...timed });
    });
  }

  /** What is submitted in one turn travels together: fewer and larger requests. */
  #queue(event: ClientEvent): void {
    if (this.#queued.length === 0) queueMicrotask(() => this.flush());
    this.#queued.push(event);
  }

  #cancel({ id }: OperationCall): void {
    this.#queue({ type: "cancel", call: id, atMs: this.#options.nowMs() });
    this.flush();
  }

  #errorOf(call: OperationCall, failure: ClientFailure, signal: AbortSignal | undefined): QuorateError {
    call.effect = failure.effect;
    const retry = (options?: CallOptions): Promise<OperationOutcome> => this.#retry(call, options);
    return callError(failure, this.#options.explain(failure), retry, signal?.reason);
  }
}
