import { type Membership, NO_MEMBER, type ReplicaId, type SequenceNumber, viewNumber } from "@quorate/protocol";
import { type RecoveredDisk, Replica, recover, type VerifiedLogRecord } from "@quorate/replica";
import { type DiskSource, RecoveryError, readDisk } from "./disk-recovery.ts";
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
  const ground = { codec, verifier, epochs, membership, self: signer.self };
  const disk = readOwnDisk(store, ground, state.execution.executed);
  const start = { stable: epochStart(membership, cluster), membership, view: viewNumber(0) };
  const executionDigest = state.digests?.executionDigest;
  const { activation } = state;
  const { upTo: silentUpTo, statementsUpTo: outputsSilentUpTo } = quarantine;
  const found = { ...disk, executionDigest, silentUpTo, outputsSilentUpTo, awaitsState, activation };
  const { base, recovery } = recover(start, found);
  const { tracedStepsMax: stepsMax, tracedBytesMax: bytesMax } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
  return {
    replica: new Replica(replicaOptionsOf({ ...options, configuration: epochs.configuration }), base, recovery),
    recorder: new StepRecorder({ stepsMax, bytesMax }, { base, recovery }),
  };
}

/** What the disk of a replica is judged by, and who that is. */
export interface DiskGround extends Pick<HostOptions, "codec" | "verifier" | "epochs"> {
  readonly membership: Membership;
  readonly self: ReplicaId;
}

/**
 * What the disk holds, for whom it is that recovers from it.
 *
 * @throws RecoveryError or StorageError when that is what this replica cannot have written, or cannot go on from.
 */
export function readOwnDisk(
  source: DiskSource,
  { codec, verifier, epochs, membership, self }: DiskGround,
  executed: SequenceNumber,
): RecoveredDisk {
  const disk = readDisk(source, codec, verifier, epochs, executed);
  if (self === NO_MEMBER) checkPromisedNothing(disk, membership);
  const hasRejoined = disk.lossNonce !== undefined && epochs.hasRejoined(self, disk.lossNonce);
  return { ...disk, hasRejoined };
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
