import type { CallOutcome } from "@quorate/client-proxy";
import { type ReplicaId, replicaId, sequenceNumber } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Ending, type ExecutionStep, Violation } from "@quorate/test-harness";
import { expect } from "chai";

export const R0: ReplicaId = replicaId(0);
export const R1: ReplicaId = replicaId(1);
export const QUIET: Ending = { replicas: [], history: [], counters: [] };

/** Runs `act` and expects that violation, or none. */
export function violation(property: string | undefined, act: () => void): void {
  let found: string | undefined;
  try {
    act();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    found = error.property;
  }
  expect(found).to.equal(property);
}

export function seq(value: number): ReplicaStatus["highWatermark"] {
  return sequenceNumber(value);
}

export function step(
  change: Omit<Partial<ExecutionStep>, "seq"> & Pick<ExecutionStep, "replica" | "seq">,
): ExecutionStep {
  const digests = { batchDigest: `batch ${change.seq}`, historyDigest: `history ${change.seq}` };
  return {
    ...digests,
    requests: 1,
    sessionsEvicted: 0,
    isCheckpoint: false,
    stateRoot: `root ${change.seq}`,
    operations: [],
    ...change,
  };
}

export function status({
  executed = 0,
  lowWatermark = 0,
  ...others
}: Partial<Omit<ReplicaStatus, "executed" | "lowWatermark">> & {
  executed?: number;
  lowWatermark?: number;
}): ReplicaStatus {
  return {
    epoch: 0 as ReplicaStatus["epoch"],
    activation: undefined,
    view: 0 as ReplicaStatus["view"],
    target: 0 as ReplicaStatus["view"],
    timeOutMs: 1_000,
    primary: R0,
    executed: seq(executed),
    lowWatermark: seq(lowWatermark),
    highWatermark: seq(lowWatermark + 8),
    pendingRequests: 0,
    observer: undefined,
    viewsLeft: { failed: 0, joined: 0, slow: 0, unfair: 0, "handed-over": 0, rotated: 0 },
    isStranded: false,
    mute: undefined,
    divergent: [],
    ...others,
  };
}

export function ended(id: typeof R0, executed: number): Ending["replicas"][number] {
  const digests = { stateRoot: `root ${executed}`, historyDigest: `history ${executed}` };
  return { id, status: status({ executed }), ...digests };
}

export function result(byte: number, at?: number): CallOutcome {
  const value = { status: "ok", value: Uint8Array.of(byte) } as const;
  const place = at === undefined ? undefined : sequenceNumber(at);
  return { type: "result", result: value, seq: place, index: 0, receipt: undefined };
}

export function failed(effect: "none" | "unknown"): CallOutcome {
  return { type: "failed", failure: { code: "client.cancelled", message: "", effect } };
}
