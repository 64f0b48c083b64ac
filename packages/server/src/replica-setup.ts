import { createViewChangeComposer } from "@quorate/crypto";
import {
  type BatchComposer,
  type CheckpointCertificate,
  type ClusterId,
  type Configuration,
  type Digest,
  type Genesis,
  type Hasher,
  type Membership,
  type Signer,
  sequenceNumber,
  timestampMs,
} from "@quorate/protocol";
import type { ReplicaOptions } from "@quorate/replica";
import { genesisStateRoot } from "@quorate/state-machine";
import type { EpochOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS, type HostSettings } from "./host-settings.ts";

/**
 * The checkpoint that every replica starts an epoch from. It is known, not judged: that of genesis has the cluster id as its
 * "root", which covers the whole document, and that of a later epoch the root that the link of the chain has proven.
 */
export function epochStart({ epoch, start }: Membership, cluster: ClusterId): CheckpointCertificate {
  const { seq, stateRoot } = start ?? { seq: sequenceNumber(0), stateRoot: cluster as string as Digest };
  return { epoch, seq, stateRoot, signatures: [] };
}

/** The state of that checkpoint as a target of an installation. Genesis says what its own is, so nobody has to sign it. */
export function startTarget({
  genesis,
  cluster,
  hasher,
  epochs,
}: Pick<EpochOptions, "genesis" | "cluster" | "hasher" | "epochs">): CheckpointCertificate {
  const { link, membership } = epochs;
  if (link !== undefined) return link.certificate;
  return { ...epochStart(membership, cluster), stateRoot: genesisStateRoot(hasher, genesis, cluster) };
}

export interface ReplicaSetup {
  readonly genesis: Genesis;
  readonly configuration: Pick<Configuration, "checkpointInterval" | "windowSize">;
  readonly cluster: ClusterId;
  readonly signer: Signer;
  readonly composer: BatchComposer;
  readonly hasher: Hasher;
  readonly settings?: Partial<HostSettings>;
}

/** The options of a replica: what genesis and its epoch say for all, what the settings say for this one. */
export function replicaOptionsOf(setup: ReplicaSetup): ReplicaOptions {
  const { genesis, configuration, cluster, signer, composer, hasher } = setup;
  const settings = { ...DEFAULT_HOST_SETTINGS, ...setup.settings };
  return {
    signer,
    composer,
    viewChangeComposer: createViewChangeComposer({ signer, hasher, cluster }),
    nullBatch: composer.compose(timestampMs(0), []),
    checkpointInterval: configuration.checkpointInterval,
    windowSize: configuration.windowSize,
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
