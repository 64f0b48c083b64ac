import { type Membership, viewNumber } from "@quorate/protocol";
import { Replica, recover } from "@quorate/replica";
import { readDisk } from "./disk-recovery.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import type { HostState } from "./host-state.ts";
import type { PastQuarantine } from "./past-quarantine.ts";
import { epochStart, replicaOptionsOf } from "./replica-setup.ts";
import { StepRecorder } from "./step-recorder.ts";

/** What a replica is recovered with, beside what lies on the disk. */
export interface RecoveryGround {
  readonly membership: Membership;
  readonly state: Pick<HostState, "execution" | "digests" | "activation">;
  readonly quarantine: PastQuarantine;
  /** See `RecoveredDisk`. */
  readonly awaitsState: boolean;
}

/**
 * The replica as its log and its history leave it, and what records its steps from here on.
 *
 * @throws RecoveryError or StorageError when the disk holds what this replica cannot have written.
 */
export function recoverReplica(
  options: HostOptions,
  { membership, state, quarantine, awaitsState }: RecoveryGround,
): { readonly replica: Replica; readonly recorder: StepRecorder } {
  const { store, codec, verifier, cluster, epochs } = options;
  const disk = readDisk(store, codec, verifier, epochs, state.execution.executed);
  const start = { stable: epochStart(membership, cluster), membership, view: viewNumber(0) };
  const executionDigest = state.digests?.executionDigest;
  const { activation } = state;
  const { upTo: silentUpTo } = quarantine;
  const { base, recovery } = recover(start, { ...disk, executionDigest, silentUpTo, awaitsState, activation });
  const { tracedStepsMax: stepsMax, tracedBytesMax: bytesMax } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
  return {
    replica: new Replica(replicaOptionsOf({ ...options, configuration: epochs.configuration }), base, recovery),
    recorder: new StepRecorder({ stepsMax, bytesMax }, { base, recovery }),
  };
}
