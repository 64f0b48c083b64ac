/** How much is done at once. */
export interface FetchLimits {
  readonly requestsPerDonorMax: number;
  /** What one request asks for, in bytes of content, unless one value is larger. */
  readonly requestBytes: number;
  /** How long an answer may take at most. */
  readonly timeoutMs: number;
  /** How long nobody could be asked when those are asked again who should not be. */
  readonly pauseMs: number;
  /** Pages and buckets that are fetched at once. */
  readonly openMax: number;
  /** Bytes of values that wait in memory for the rest of their buckets. */
  readonly heldBytesMax: number;
  /** Entries and pages that one step looks at. */
  readonly workMax: number;
}

export const DEFAULT_FETCH_LIMITS: FetchLimits = {
  requestsPerDonorMax: 4,
  requestBytes: 256 * 1024,
  timeoutMs: 5_000,
  pauseMs: 1_000,
  openMax: 1024,
  heldBytesMax: 4 * 1024 * 1024,
  workMax: 4_096,
};
