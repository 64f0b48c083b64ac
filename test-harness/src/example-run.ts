import { HISTORY_BYTES_MAX } from "@quorate/storage";
import type { SimulationOptions } from "./options.ts";
import { NO_CHANGES } from "./planned-changes.ts";

/** When the primary of the example loses its power, in virtual milliseconds. */
const PRIMARY_FALLS_MS = 60;

/**
 * A small run to look at: a network that loses nothing, one client, and a primary that loses its power while it works.
 * The first operations pass the three phases; the next ones bring a view change about.
 */
export const EXAMPLE_RUN: SimulationOptions = {
  seed: 1,
  replicas: 4,
  clients: 1,
  faultyClients: 0,
  operations: 6,
  scheme: "fake",
  checkpointInterval: 16,
  windowSize: 32,
  rotateEveryBatches: 0,
  pipelineDepthMax: 4,
  batchRequestsMax: 4,
  requestOperationsMax: 1,
  sessionWindow: 4,
  sessionsPerClientMax: 4,
  requestsOutstandingMax: 1,
  pendingRequestsMax: 64,
  gatedMessagesMax: 4_096,
  statusIntervalMs: 50,
  viewChangeMs: 40,
  viewChangeMaxMs: 640,
  clockToleranceMs: 5_000,
  clockSkewMs: 0,
  clocks: [],
  resendAfterMs: 25,
  impatience: 0,
  retries: 0,
  network: { lossMax: 0, duplicate: 0, straggle: 0, straggleMs: 1, delayMs: [2, 4], jitterMs: 0.5 },
  disk: { store: "memory", flushMs: [0.5, 1], slow: 0, slowMs: 1, historyBytesMax: HISTORY_BYTES_MAX },
  safetyMs: 160,
  faults: [{ type: "crash", atMs: PRIMARY_FALLS_MS, replicas: [0], downMs: 1_000 }],
  checkpointOrders: [],
  ...NO_CHANGES,
  byzantine: [],
};
