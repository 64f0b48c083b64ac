/** Local settings; correctness does not depend on them, and replicas may differ. */
export interface HostSettings {
  /** Undecided proposals of a primary at once. */
  readonly pipelineDepthMax: number;
  readonly pendingRequestsMax: number;
  readonly pendingRequestsPerClientMax: number;
  readonly pendingBytesMax: number;
  /** Requests that a backup waits for with a clock: as many as a loaded primary clears in half a time-out. */
  readonly clockedRequestsMax: number;
  /** Messages to one member, or to all, that may wait for a flush of the log; what comes on top is not sent. At least 1. */
  readonly gatedMessagesMax: number;
  /** Steps that are kept for the trace of a broken invariant, and about how much memory they may hold on to. */
  readonly tracedStepsMax: number;
  readonly tracedBytesMax: number;
  /** How much of the state the scrubber looks at in a second; 0: it does not run. */
  readonly scrubBytesPerSecond: number;
  /** Damage of the own disk that comes after so long without any is the first again; see `DamageCount`. */
  readonly damageForgottenMs: number;
}

/** A gigabyte in ten minutes. */
export const SCRUB_BYTES_PER_SECOND: number = Math.ceil(1024 ** 3 / 600);

/** The settings of a host that is told no others. */
export const DEFAULT_HOST_SETTINGS: HostSettings = {
  pipelineDepthMax: 4,
  pendingRequestsMax: 16_384,
  pendingRequestsPerClientMax: 1_024,
  pendingBytesMax: 64 * 1024 * 1024,
  clockedRequestsMax: 1_024,
  gatedMessagesMax: 4_096,
  tracedStepsMax: 2_048,
  tracedBytesMax: 4 * 1024 * 1024,
  scrubBytesPerSecond: SCRUB_BYTES_PER_SECOND,
  damageForgottenMs: 3_600_000,
};
