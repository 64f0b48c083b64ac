import type { ClientFailure, ClientFailureCode, FailureEffect, ReadFailureCode, Refusal } from "@quorate/client-proxy";
import type { ResultStatus, VerifiedReply } from "@quorate/protocol";
import type { CallOptions } from "./call-options.ts";

/** What a `QuorateError` is told apart by, where its class does not tell. */
export type QuorateErrorCode =
  | ClientFailureCode
  | ReadFailureCode
  | "client.read-malformed"
  /** The service refused the operation; it was executed as refused. */
  | "client.operation-failed"
  /** The call is waited for already. */
  | "client.retry-pending";

type FailureOf<C extends ClientFailureCode> = Extract<ClientFailure, { readonly code: C }>;

/** An operation has no result. The message is for people: what was expected, what came, what to do. */
export class QuorateError extends Error {
  override readonly name: string = "QuorateError";
  readonly code: QuorateErrorCode;
  readonly failure: ClientFailure | undefined;

  constructor(code: QuorateErrorCode, message: string, failure?: ClientFailure, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.failure = failure;
  }

  /** Whether the operation may have had an effect: `none` for certain, or `unknown`. Undefined for what was no call of an operation. */
  get effect(): FailureEffect | undefined {
    return this.failure?.effect;
  }
}

/** Calls again, see `RetryableError.retry`. */
export type Retry<T> = (options?: CallOptions) => Promise<T>;

/** A call that failed and may be retried: its operation runs once, however often it is. */
export class RetryableError<T = unknown> extends QuorateError {
  override readonly name: string = "RetryableError";
  readonly #retry: Retry<T>;

  constructor(failure: ClientFailure, message: string, retry: Retry<T>, options?: ErrorOptions) {
    super(failure.code, message, failure, options);
    this.#retry = retry;
  }

  /**
   * Waits for the outcome once more. Where the effect is unknown the same request is sent again, under the same number of the same session, and
   * executes if it has not; where there was none for certain, the operation is submitted. Once there is a result every retry gives it.
   *
   * @throws QuorateError as the call (the promise rejects): `SessionEvictedError` when the session is gone meanwhile, `client.forgotten` when
   * more requests were answered since than a session's window holds, `client.retry-pending` while another retry of it waits.
   */
  retry(options?: CallOptions): Promise<T> {
    return this.#retry(options);
  }
}

/** FAIL: fewer than f+1 members agreed in time. Outcome unknown, unless `effect` is `none`; `retry()` is safe. */
export class NoQuorumError<T = unknown> extends RetryableError<T> {
  override readonly name = "NoQuorumError";
  /** The signed replies that came. */
  readonly replies: readonly VerifiedReply[];
  /** What members said instead of an answer; nobody signed it. */
  readonly refusals: readonly Refusal[];

  constructor(failure: FailureOf<"client.no-quorum">, message: string, retry: Retry<T>) {
    super(failure, message, retry);
    this.replies = failure.replies;
    this.refusals = failure.refusals;
  }
}

/** FAIL: no f+1 members can agree any more. Outcome unknown; `retry()`, which asks them anew, is safe. */
export class DivergentRepliesError<T = unknown> extends RetryableError<T> {
  override readonly name = "DivergentRepliesError";
  /** The signed replies: who said what. */
  readonly replies: readonly VerifiedReply[];

  constructor(failure: FailureOf<"client.divergent">, message: string, retry: Retry<T>) {
    super(failure, message, retry);
    this.replies = failure.replies;
  }
}

/** The signal of the call was aborted; `cause` is its reason. What was sent may execute all the same; `retry()` is safe. */
export class CancelledError<T = unknown> extends RetryableError<T> {
  override readonly name = "CancelledError";
}

/** Too many operations wait in this client. It was not taken; `retry()` submits it. */
export class OverloadedError<T = unknown> extends RetryableError<T> {
  override readonly name = "OverloadedError";
}

/** The session is gone with the call on its way: outcome unknown, and nothing tells any more. Look before you submit it again. */
export class SessionEvictedError extends QuorateError {
  override readonly name = "SessionEvictedError";
  /** What the cluster said of the session. */
  readonly reason: ResultStatus;

  constructor(failure: FailureOf<"client.session-evicted">, message: string) {
    super(failure.code, message, failure);
    this.reason = failure.reason;
  }
}

/** The client was closed. */
export class ClosedError extends QuorateError {
  override readonly name = "ClosedError";
}

/** The cluster does not serve this client: its key is not admitted, or the genesis document is another cluster's. Waiting does not help. */
export class NotServedError extends QuorateError {
  override readonly name = "NotServedError";
}

/** The operation is larger than this cluster orders. */
export class OperationTooLargeError extends QuorateError {
  override readonly name = "OperationTooLargeError";
  readonly bytes: number;
  readonly bytesMax: number;

  constructor(failure: FailureOf<"client.operation-too-large">, message: string) {
    super(failure.code, message, failure);
    this.bytes = failure.bytes;
    this.bytesMax = failure.bytesMax;
  }
}

/** The service refused the operation, as all replicas agree: it was ordered, and the state is as before it. The message is the service's. */
export class OperationFailedError extends QuorateError {
  override readonly name = "OperationFailedError";

  constructor(message: string) {
    super("client.operation-failed", message);
  }
}

/**
 * The error of a failed call.
 *
 * @param cause of a cancel.
 */
export function callError<T>(failure: ClientFailure, message: string, retry: Retry<T>, cause?: unknown): QuorateError {
  switch (failure.code) {
    case "client.no-quorum":
      return new NoQuorumError(failure, message, retry);
    case "client.divergent":
      return new DivergentRepliesError(failure, message, retry);
    case "client.cancelled":
      return new CancelledError(failure, message, retry, { cause });
    case "client.overloaded":
      return new OverloadedError(failure, message, retry);
    case "client.session-evicted":
      return new SessionEvictedError(failure, message);
    case "client.closed":
      return new ClosedError(failure.code, message, failure);
    case "client.not-admitted":
    case "client.wrong-cluster":
      return new NotServedError(failure.code, message, failure);
    case "client.operation-too-large":
      return new OperationTooLargeError(failure, message);
    default:
      return new QuorateError(failure.code, message, failure);
  }
}

/** A call of which the outcome is read as something else: so is that of each retry. */
export async function readAs<T, U>(call: Promise<T>, read: (outcome: T) => U): Promise<U> {
  let outcome: T;
  try {
    outcome = await call;
  } catch (error) {
    if (!(error instanceof RetryableError) || error.failure === undefined) throw error;
    throw callError(error.failure, error.message, (options) => readAs(error.retry(options), read), error.cause);
  }
  return read(outcome);
}
