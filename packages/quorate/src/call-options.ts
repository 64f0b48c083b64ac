/** How long a call may take, and who may end it. */
export interface CallOptions {
  /** Milliseconds, positive, until the call fails with a `NoQuorumError`; `defaultTimeoutMs` of the settings unless given. */
  readonly timeoutMs?: number;
  /** Ends the call with a `CancelledError`, of which `cause` is the signal's reason. What was sent may execute all the same. */
  readonly signal?: AbortSignal;
}

/** @throws RangeError for a time that is none. */
export function checkCallOptions({ timeoutMs }: CallOptions): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0 && Number.isFinite(timeoutMs)))
    throw new RangeError(`timeoutMs is ${timeoutMs}, expected a positive number of milliseconds`);
}
