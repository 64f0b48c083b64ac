/** Local settings; correctness does not depend on them, and replicas may differ. */
export interface HostSettings {
  /** Undecided proposals of a primary at once. */
  readonly pipelineDepthMax: number;
  readonly pendingRequestsMax: number;
  readonly pendingRequestsPerClientMax: number;
  readonly pendingBytesMax: number;
}

/** The settings of a host that is told no others. */
export const DEFAULT_HOST_SETTINGS: HostSettings = {
  pipelineDepthMax: 4,
  pendingRequestsMax: 16_384,
  pendingRequestsPerClientMax: 1_024,
  pendingBytesMax: 64 * 1024 * 1024,
};
