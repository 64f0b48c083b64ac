import {
  type ClusterId,
  type Digest,
  digest,
  type Genesis,
  type Hasher,
  sequenceNumber,
  stateRootPreimage,
  timestampMs,
} from "@quorate/protocol";
import { CONFIGURATION_KEY, encodeConfiguration, genesisRecord } from "@quorate/reconfiguration";
import { innerPageOf, leafDigest, pageDigest, pathOf, type UpdatedTree, updateTree } from "@quorate/state-tree";
import { encodeProgress, type Progress } from "./records.ts";
import { APPLICATION_PART, admissionKey, PROGRESS_KEY, partOf } from "./state-keys.ts";

/** What the history chain starts from, and the chain over statements. */
export const GENESIS_HISTORY_DIGEST: Digest = digest("0".repeat(64));
/** The `applicationRoot` of an application without entries. */
export const NO_ENTRIES: Digest = digest("0".repeat(64));

/** The state root of a tree. */
export function stateRootOf(hasher: Hasher, cluster: ClusterId, treeRoot: Digest): Digest {
  return hasher.digest(stateRootPreimage(cluster, treeRoot));
}

/** The root of the state of a cluster that has executed nothing: that of the checkpoint at sequence number 0. */
export function genesisStateRoot(hasher: Hasher, genesis: Genesis, cluster: ClusterId): Digest {
  return stateRootOf(hasher, cluster, genesisTree(hasher, genesis, cluster).root);
}

/**
 * The tree of that state, and its pages but those of the application: what a restored one has there genesis names by its
 * digest.
 */
export function genesisTree(hasher: Hasher, genesis: Genesis, cluster: ClusterId): UpdatedTree {
  const leaves = genesisEntries(genesis, cluster).map(({ key, value }) => ({
    key,
    digest: leafDigest(hasher, key, value),
    path: pathOf(hasher, partOf(key), key),
  }));
  const { applicationRoot = NO_ENTRIES, entries = 0 } = genesis.restored ?? {};
  const parts = new Map(applicationRoot === NO_ENTRIES ? [] : [[APPLICATION_PART, applicationRoot]]);
  const application = innerPageOf(hasher, parts, entries);
  const read = (prefix: Uint8Array): Uint8Array | undefined => (prefix.length === 0 ? application : undefined);
  return updateTree(hasher, read, leaves, pageDigest(hasher, application));
}

/** The entries of that state but those of the application. */
export function genesisEntries(
  genesis: Genesis,
  cluster: ClusterId,
): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const admitted = genesis.clients === "open" ? [] : genesis.clients;
  return [
    { key: PROGRESS_KEY, value: encodeProgress(genesisProgress(genesis, cluster)) },
    { key: CONFIGURATION_KEY, value: encodeConfiguration(genesisRecord(genesis)) },
    ...admitted.map((client) => ({ key: admissionKey(client), value: new Uint8Array(0) })),
  ];
}

/** The cluster id in it covers all that the genesis document fixes. */
export function genesisProgress(genesis: Genesis, cluster: ClusterId): Progress {
  return {
    cluster,
    executed: sequenceNumber(0),
    historyDigest: GENESIS_HISTORY_DIGEST,
    executionDigest: GENESIS_HISTORY_DIGEST,
    timestampMs: genesis.restored?.timestampMs ?? timestampMs(0),
    sessions: 0,
    nonces: 0,
    lastCheckpoint: sequenceNumber(0),
  };
}
