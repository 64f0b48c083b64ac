import { createViewChangeComposer } from "@quorate/crypto";
import {
  type BatchComposer,
  type CheckpointCertificate,
  type ClusterId,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Membership,
  type Signer,
  sequenceNumber,
  timestampMs,
} from "@quorate/protocol";
import type { ReplicaOptions } from "@quorate/replica";
import { genesisStateRoot } from "@quorate/state-machine";
import { DEFAULT_HOST_SETTINGS, type HostSettings } from "./host-settings.ts";

/** The checkpoint that every replica starts from. It is known, not judged: its "root" is the cluster id, which covers the whole document. */
export function genesisCheckpoint(membership: Membership, cluster: ClusterId): CheckpointCertificate {
  return {
    epoch: membership.epoch,
    seq: sequenceNumber(0),
    stateRoot: cluster as string as CheckpointCertificate["stateRoot"],
    signatures: [],
  };
}

/** The state of that checkpoint as a target of an installation: genesis says what it is, so nobody has to sign it. */
export function genesisTarget({
  genesis,
  cluster,
  hasher,
}: Pick<ReplicaSetup, "genesis" | "cluster" | "hasher">): CheckpointCertificate {
  const stateRoot = genesisStateRoot(hasher, genesis, cluster);
  return { ...genesisCheckpoint(genesisMembership(genesis), cluster), stateRoot };
}

export interface ReplicaSetup {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly signer: Signer;
  readonly composer: BatchComposer;
  readonly hasher: Hasher;
  readonly settings?: Partial<HostSettings>;
}

/** The options of a replica: what genesis says for all, what the settings say for this one. */
export function replicaOptionsOf(setup: ReplicaSetup): ReplicaOptions {
  const { genesis, cluster, signer, composer, hasher } = setup;
  const settings = { ...DEFAULT_HOST_SETTINGS, ...setup.settings };
  return {
    signer,
    composer,
    viewChangeComposer: createViewChangeComposer({ signer, hasher, cluster }),
    nullBatch: composer.compose(timestampMs(0), []),
    checkpointInterval: genesis.checkpointInterval,
    windowSize: genesis.windowSize,
    rotateEveryBatches: genesis.rotateEveryBatches,
    limits: genesis.limits,
    clockToleranceMs: genesis.timeouts.clockToleranceMs,
    statusIntervalMs: genesis.timeouts.statusIntervalMs,
    viewChangeMs: genesis.timeouts.viewChangeMs,
    viewChangeMaxMs: genesis.timeouts.viewChangeMaxMs,
    pipelineDepthMax: settings.pipelineDepthMax,
    queue: {
      pendingMax: settings.pendingRequestsMax,
      pendingPerClientMax: settings.pendingRequestsPerClientMax,
      pendingBytesMax: settings.pendingBytesMax,
      clockedMax: settings.clockedRequestsMax,
    },
  };
}
