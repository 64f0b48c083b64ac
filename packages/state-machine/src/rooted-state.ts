import {
  type Change,
  type ClusterId,
  type Digest,
  digest,
  type Hasher,
  type PublicKey,
  sequenceNumber,
  stateRootPreimage,
  timestampMs,
  utf8,
} from "@quorate/protocol";
import type { ExecutionStore } from "./execution-store.ts";
import { MultisetHash } from "./multiset-hash.ts";
import type { Overlay } from "./overlay.ts";
import { decodeProgress, encodeProgress, type Progress } from "./records.ts";
import { nonceKey, PROGRESS_KEY } from "./state-keys.ts";

/** The stored state cannot be gone on from. */
export class StateError extends Error {
  readonly code: "state.foreign-cluster" | "state.damaged";

  constructor(code: StateError["code"], message: string) {
    super(message);
    this.name = "StateError";
    this.code = code;
  }
}

/** What the history chain starts from. */
export const GENESIS_HISTORY_DIGEST: Digest = digest("0".repeat(64));

const SUM_KEY = utf8("state-sum");
const EVERYTHING = new Uint8Array(0);

/** The replicated state with its running hash: every write goes through here, so that the two never part. */
export class RootedState {
  readonly #store: ExecutionStore;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  #hash: MultisetHash;

  constructor(store: ExecutionStore, hasher: Hasher, cluster: ClusterId) {
    this.#store = store;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#hash = new MultisetHash(hasher);
  }

  /**
   * Reads how far execution has come; an empty store is given the genesis state.
   *
   * @throws StateError
   */
  open(): Progress {
    const { state, local } = this.#store;
    const bytes = state.get(PROGRESS_KEY);
    const sum = local.get(SUM_KEY);
    if (bytes === undefined && sum === undefined && isEmpty(state.range(EVERYTHING, undefined)))
      return this.#writeGenesis();
    if (bytes === undefined || sum?.length !== 32)
      throw new StateError(
        "state.damaged",
        "the replicated state is there in part only: expected its progress record and its running hash",
      );
    const progress = decodeProgress(bytes);
    if (progress.cluster !== this.#cluster)
      throw new StateError(
        "state.foreign-cluster",
        `the stored state belongs to cluster ${progress.cluster}, this replica to ${this.#cluster}; use another data folder`,
      );
    this.#hash = new MultisetHash(this.#hasher, sum);
    return progress;
  }

  /** Writes what an overlay changed, the new running hash and `local` as one group. */
  write(overlay: Overlay, local: readonly Change[]): void {
    const changes = overlay.netChanges();
    // A copy, so that the hash goes on only if the write does not fail.
    const hash = new MultisetHash(this.#hasher, this.#hash.sum());
    for (const { key, value, before } of changes) {
      if (before !== undefined) hash.remove(key, before);
      if (value !== undefined) hash.add(key, value);
    }
    this.#store.writeAtomically({ state: changes, local: [...local, { key: SUM_KEY, value: hash.sum() }] });
    this.#hash = hash;
  }

  root(): Digest {
    return this.#rootOf(this.#hash);
  }

  /** Whether the running hash is that of all entries. */
  verify(): boolean {
    const hash = new MultisetHash(this.#hasher);
    for (const [key, value] of this.#store.state.range(EVERYTHING, undefined)) hash.add(key, value);
    return this.#rootOf(hash) === this.root();
  }

  isNonceRemembered(client: PublicKey, nonce: Digest): boolean {
    return this.#store.state.get(nonceKey(client, nonce)) !== undefined;
  }

  #writeGenesis(): Progress {
    const progress = genesisProgress(this.#cluster);
    const value = encodeProgress(progress);
    this.#hash.add(PROGRESS_KEY, value);
    this.#store.writeAtomically({
      state: [{ key: PROGRESS_KEY, value }],
      local: [{ key: SUM_KEY, value: this.#hash.sum() }],
    });
    return progress;
  }

  #rootOf(hash: MultisetHash): Digest {
    return this.#hasher.digest(stateRootPreimage(this.#cluster, hash.sum()));
  }
}

/** The root of the state of a cluster that has executed nothing: that of the checkpoint at sequence number 0. */
export function genesisStateRoot(hasher: Hasher, cluster: ClusterId): Digest {
  const hash = new MultisetHash(hasher);
  hash.add(PROGRESS_KEY, encodeProgress(genesisProgress(cluster)));
  return hasher.digest(stateRootPreimage(cluster, hash.sum()));
}

/** One record. The cluster id in it covers all that the genesis document fixes: members, limits, K and L. */
function genesisProgress(cluster: ClusterId): Progress {
  return {
    cluster,
    executed: sequenceNumber(0),
    historyDigest: GENESIS_HISTORY_DIGEST,
    timestampMs: timestampMs(0),
    sessions: 0,
    nonces: 0,
  };
}

function isEmpty(entries: Iterable<unknown>): boolean {
  for (const _ of entries) return false;
  return true;
}
