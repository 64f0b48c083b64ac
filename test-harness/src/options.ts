import type { ByzantineBehaviour } from "./byzantine.ts";
import type { PlannedCheckpointOrder } from "./checkpoint-orders.ts";
import type { ClockFault } from "./clock-fault.ts";
import type { DiskDamage } from "./disk/disk-damage.ts";
import type { DiskFaults } from "./disk/flush-times.ts";
import type { CrashKind } from "./disk/simulated-files.ts";
import type { LinkShape } from "./link-shape.ts";
import type { LinkFaults } from "./network.ts";
import type { PlannedChange, PlannedJoiner } from "./planned-changes.ts";

/** A replica by its id, or the one that is primary when the fault comes: of the highest view that runs. */
export type Victim = number | "primary";

/** A part of the replicated state: what the service keeps, or the table of sessions with the replies that are kept. */
export type StatePart = "service" | "sessions";

/** One planned fault of the safety phase. */
export type Fault = { readonly atMs: number } & (
  | /** All of them end at once, by a power cut unless given; each comes back after `downMs`. */ {
      readonly type: "crash";
      readonly replicas: readonly Victim[];
      readonly by?: CrashKind;
      readonly downMs: number;
    }
  /** Stopped as a process is (SIGSTOP): afterwards all that happened in between happens at once. */
  | { readonly type: "pause"; readonly replica: Victim; readonly forMs: number }
  /** Cut off from everyone, in one direction or both. */
  | {
      readonly type: "cut";
      readonly replica: Victim;
      readonly direction: "in" | "out" | "both";
      readonly forMs: number;
    }
  /** At least so much of what is sent to it is lost, until faults end. */
  | { readonly type: "lossy"; readonly replica: number; readonly loss: number }
  /** One direction between two replicas. */
  | { readonly type: "cut-edge"; readonly from: number; readonly to: number; readonly forMs: number }
  /** Who is not in one group hears nothing of the others in it. */
  | { readonly type: "partition"; readonly groups: readonly (readonly number[])[]; readonly forMs: number }
  /**
   * A client is cut off from these replicas: `in`, it hears nothing of them, `out`, they hear nothing of it. `of` says how they were chosen,
   * for the marks.
   */
  | {
      readonly type: "cut-client";
      readonly client: number;
      readonly replicas: readonly number[];
      readonly of: "f" | "f+1" | "2f" | "all" | "partition";
      readonly direction: "in" | "out" | "both";
      readonly forMs: number;
    }
  /** Only some links are left among the replicas, which stand in this order. */
  | { readonly type: "links"; readonly shape: LinkShape; readonly order: readonly number[]; readonly forMs: number }
  /** The primary is cut off, then the next one, and so on. */
  | { readonly type: "isolate-primaries"; readonly times: number; readonly eachMs: number }
  /** Its operator asks it to hand over; nothing comes of it at a backup. */
  | { readonly type: "hand-over"; readonly replica: Victim }
  /** Power cut, and its disk is gone: it comes back with an empty one that says so; `isUnnoticed`, as if nothing had been: beyond the model. */
  | { readonly type: "lose-disk"; readonly replica: number; readonly downMs: number; readonly isUnnoticed?: true }
  /** Its disk refuses a flush: the replica stops, and is restarted after `downMs`. */
  | { readonly type: "flush-failure"; readonly replica: number; readonly downMs: number }
  /** No write succeeds for a while: the replica stops, and is restarted every `downMs`. Only where a run has files. */
  | { readonly type: "disk-full"; readonly replica: number; readonly forMs: number; readonly downMs: number }
  /** A bit of an entry of its state flips, in memory or on the disk, without a word: of any unless it is said in which part. */
  | { readonly type: "damage-state"; readonly replica: number; readonly part?: StatePart }
  /**
   * An entry of the service in its state becomes another one that looks whole, as if the replica had computed it wrongly: one of the f until
   * it finds out. Which one is `key`'s choice, by its place among them; unless given, any.
   */
  | { readonly type: "diverge"; readonly replica: number; readonly key?: number }
  /** Flushes take so much longer. */
  | { readonly type: "slow-disk"; readonly replica: number; readonly flushMs: number; readonly forMs: number }
  /**
   * A crash, by a power cut unless given, and what lies on the disk is damaged. Only where a run has files. A replica that finds it comes back mute,
   * with an empty disk that says so; one that finds another's disk stays down. Either way it counts as one of the f.
   */
  | {
      readonly type: "disk-damage";
      readonly replica: number;
      readonly by?: CrashKind;
      readonly damage: DiskDamage;
      readonly downMs: number;
    }
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
  /** See `Genesis.rotateEveryBatches`. */
  readonly rotateEveryBatches: number;
  readonly pipelineDepthMax: number;
  readonly batchRequestsMax: number;
  readonly requestOperationsMax: number;
  readonly sessionWindow: number;
  readonly sessionsPerClientMax: number;
  readonly requestsOutstandingMax: number;
  readonly pendingRequestsMax: number;
  /** See `HostSettings.gatedMessagesMax`. */
  readonly gatedMessagesMax: number;
  readonly statusIntervalMs: number;
  readonly clockToleranceMs: number;
  readonly viewChangeMs: number;
  readonly viewChangeMaxMs: number;
  /** Each replica's clock is wrong by up to this, either way. */
  readonly clockSkewMs: number;
  /** What is wrong with clocks beyond that. */
  readonly clocks: readonly ClockFault[];
  readonly resendAfterMs: number;
  /** The probability that a caller is impatient: a short deadline, or a cancel. */
  readonly impatience: number;
  /** The probability that a caller whose call failed with unknown effect retries it, each time. */
  readonly retries: number;
  readonly network: LinkFaults;
  readonly disk: DiskFaults;
  /** How long faults go on. */
  readonly safetyMs: number;
  readonly faults: readonly Fault[];
  /** Checkpoints that admins and members order. */
  readonly checkpointOrders: readonly PlannedCheckpointOrder[];
  /** Reconfigurations that the admin orders. */
  readonly changes: readonly PlannedChange[];
  /** Replicas that are no members of genesis; the first has the number `replicas`. */
  readonly joiners: readonly PlannedJoiner[];
  /** Genesis lists its clients: all but some strangers, whom the admin may admit. */
  readonly areClientsListed: boolean;
  readonly byzantine: readonly { readonly replica: number; readonly behaviour: ByzantineBehaviour }[];
}
