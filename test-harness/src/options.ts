import type { ByzantineBehaviour } from "./byzantine.ts";
import type { LinkFaults } from "./network.ts";
import type { DiskFaults } from "./simulated-disk.ts";

/** One planned fault of the safety phase; replicas by their ids. */
export type Fault = {
  readonly atMs: number;
} /** Power cut of all of them at once; each comes back after `downMs`. */ & (
  | { readonly type: "crash"; readonly replicas: readonly number[]; readonly downMs: number }
  /** Cut off from everyone, in one direction or both. */
  | {
      readonly type: "cut";
      readonly replica: number;
      readonly direction: "in" | "out" | "both";
      readonly forMs: number;
    }
  /** Its disk refuses a flush: the replica stops, and is restarted after `downMs`. */
  | { readonly type: "flush-failure"; readonly replica: number; readonly downMs: number }
);

/** All that a run depends on, as plain values: equal options give equal runs. */
export interface SimulationOptions {
  readonly seed: number;
  /** n, from 4. */
  readonly replicas: number;
  /** Correct ones. */
  readonly clients: number;
  readonly faultyClients: number;
  /** Operations of each client. */
  readonly operations: number;
  /** Keyed hashes and frames as values, or ed25519 and the codec. */
  readonly scheme: "fake" | "real";
  readonly checkpointInterval: number;
  readonly windowSize: number;
  readonly pipelineDepthMax: number;
  readonly batchRequestsMax: number;
  readonly requestOperationsMax: number;
  readonly sessionWindow: number;
  readonly sessionsPerClientMax: number;
  readonly requestsOutstandingMax: number;
  readonly pendingRequestsMax: number;
  readonly statusIntervalMs: number;
  readonly clockToleranceMs: number;
  readonly viewChangeMs: number;
  readonly viewChangeMaxMs: number;
  /** Each replica's clock is wrong by up to this, either way. */
  readonly clockSkewMs: number;
  readonly resendAfterMs: number;
  /** The probability that a caller is impatient: a short deadline, or a cancel. */
  readonly impatience: number;
  readonly network: LinkFaults;
  readonly disk: DiskFaults;
  /** How long faults go on. */
  readonly safetyMs: number;
  readonly faults: readonly Fault[];
  readonly byzantine: readonly { readonly replica: number; readonly behaviour: ByzantineBehaviour }[];
}
