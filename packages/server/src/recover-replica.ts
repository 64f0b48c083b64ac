import { type Membership, NO_MEMBER, viewNumber } from "@quorate/protocol";
import { type RecoveredDisk, Replica, recover, type VerifiedLogRecord } from "@quorate/replica";
import { RecoveryError, readDisk } from "./disk-recovery.ts";
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
  const { store, codec, verifier, cluster, epochs, signer } = options;
  const disk = readDisk(store, codec, verifier, epochs, state.execution.executed);
  if (signer.self === NO_MEMBER) checkPromisedNothing(disk, membership);
  const start = { stable: epochStart(membership, cluster), membership, view: viewNumber(0) };
  const executionDigest = state.digests?.executionDigest;
  const { activation } = state;
  const { upTo: silentUpTo } = quarantine;
  const hasRejoined = disk.lossNonce !== undefined && epochs.hasRejoined(signer.self, disk.lossNonce);
  const found = { ...disk, executionDigest, silentUpTo, awaitsState, activation, hasRejoined };
  const { base, recovery } = recover(start, found);
  const { tracedStepsMax: stepsMax, tracedBytesMax: bytesMax } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
  return {
    replica: new Replica(replicaOptionsOf({ ...options, configuration: epochs.configuration }), base, recovery),
    recorder: new StepRecorder({ stepsMax, bytesMax }, { base, recovery }),
  };
}

/** Without its key a member would forget what it has promised in this epoch, and could be made to promise something else. */
function checkPromisedNothing({ records }: RecoveredDisk, { epoch }: Membership): void {
  const promise = records.find(({ type }) => PROMISES.has(type));
  if (promise === undefined) return;
  throw new RecoveryError(
    `the log has a record (${promise.type}) of a member of epoch ${epoch}, and the key of no member of it is held here: put back the key that it voted with`,
  );
}

const PROMISES: ReadonlySet<VerifiedLogRecord["type"]> = new Set([
  "pre-prepared",
  "prepared",
  "view-change",
  "new-view",
]);
