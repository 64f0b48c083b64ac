import type { ByzantineBehaviour } from "./byzantine.ts";
import type { Fault, SimulationOptions } from "./options.ts";
import { NO_CHANGES } from "./planned-changes.ts";

/** What takes time to be found out, and is not found out where everything is slow. */
const PATIENT: ReadonlySet<ByzantineBehaviour> = new Set(["delays-proposals", "delays-one-client"]);
const VIEW_CHANGE_MS = 300;
/** As many time-outs as a judgement takes, and as many again. */
const SAFETY_MS = 16 * VIEW_CHANGE_MS;

/** Whether the behaviour that a seed is about shows only in calm waters. */
export function needsCalm([first]: SimulationOptions["byzantine"]): boolean {
  return first !== undefined && PATIENT.has(first.behaviour);
}

/**
 * The same run, longer and with hardly a fault: who keeps within the time-out is judged by how much better others do, and in
 * most runs of the swarm nobody does.
 *
 * @param fault the only one that is left.
 */
export function calmed(options: SimulationOptions, fault: Fault | undefined): SimulationOptions {
  return {
    ...options,
    clients: Math.max(3, options.clients),
    faultyClients: 0,
    operations: 60,
    pipelineDepthMax: Math.max(2, options.pipelineDepthMax),
    batchRequestsMax: 16,
    pendingRequestsMax: 1024,
    gatedMessagesMax: 4_096,
    statusIntervalMs: 20,
    clockToleranceMs: 5_000,
    clocks: [],
    viewChangeMs: VIEW_CHANGE_MS,
    resendAfterMs: VIEW_CHANGE_MS / 4,
    impatience: 0,
    retries: 0,
    network: { ...options.network, lossMax: 0.02, straggle: 0.01, straggleMs: 20, delayMs: [0.2, 2], jitterMs: 1 },
    disk: { ...options.disk, flushMs: [0.1, 0.5], slow: 0, slowMs: 1 },
    safetyMs: SAFETY_MS,
    faults: fault === undefined ? [] : [fault],
    checkpointOrders: [],
    ...NO_CHANGES,
  };
}
