import { HISTORY_BYTES_MAX } from "@quorate/storage";
import type { SimulationOptions } from "./options.ts";

/** All but the disks' kind, which their faults were drawn for. */
type MiddleRates = Partial<Omit<SimulationOptions, "disk">> & {
  readonly disk: Omit<SimulationOptions["disk"], "store">;
};

/**
 * Sizes and rates from the middle of what seeds draw, the same for every seed: what is tested without swarms. Faults and
 * the workload are still the seed's.
 */
export const MIDDLE_RATES: MiddleRates = {
  replicas: 4,
  clients: 3,
  faultyClients: 1,
  operations: 20,
  checkpointInterval: 8,
  windowSize: 24,
  rotateEveryBatches: 0,
  pipelineDepthMax: 4,
  batchRequestsMax: 4,
  requestOperationsMax: 3,
  sessionWindow: 4,
  sessionsPerClientMax: 64,
  requestsOutstandingMax: 2,
  pendingRequestsMax: 64,
  gatedMessagesMax: 4_096,
  statusIntervalMs: 50,
  clockToleranceMs: 5_000,
  viewChangeMs: 600,
  clockSkewMs: 10,
  resendAfterMs: 150,
  impatience: 0.05,
  retries: 0.5,
  network: { lossMax: 0.1, duplicate: 0.02, straggle: 0.05, straggleMs: 100, delayMs: [1, 10], jitterMs: 5 },
  disk: { flushMs: [1, 6], slow: 0.02, slowMs: 150, historyBytesMax: HISTORY_BYTES_MAX },
};
