import { createViewChangeComposer } from "@quorate/crypto";
import {
  type BatchComposer,
  type ClusterId,
  type Genesis,
  type Hasher,
  type Signer,
  timestampMs,
} from "@quorate/protocol";
import type { ReplicaOptions } from "@quorate/replica";
import { DEFAULT_HOST_SETTINGS, type HostSettings } from "./host-settings.ts";

/** What the options of a `Replica` are made of. */
export interface ReplicaOptionsSource {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly signer: Signer;
  readonly hasher: Hasher;
  readonly composer: BatchComposer;
  readonly settings?: Partial<HostSettings>;
}

/** The options of the `Replica` of a host; a trace that is replayed needs the same. */
export function replicaOptionsOf(source: ReplicaOptionsSource): ReplicaOptions {
  const { genesis, cluster, signer, composer, hasher } = source;
  const settings = { ...DEFAULT_HOST_SETTINGS, ...source.settings };
  return {
    signer,
    composer,
    viewChangeComposer: createViewChangeComposer({ signer, hasher, cluster }),
    nullBatch: composer.compose(timestampMs(0), []),
    checkpointInterval: genesis.checkpointInterval,
    windowSize: genesis.windowSize,
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
