import {
  type Change,
  type ClusterId,
  type Digest,
  type Genesis,
  type Hasher,
  hexToBytes,
  type RestoredState,
  sequenceNumber,
  type TimestampMs,
  timestampMs,
} from "@quorate/protocol";
import { childDigest, pageKey, sealed, snapshotKey, type TreePiece } from "@quorate/state-tree";
import type { ExecutionChanges } from "./execution-store.ts";
import { genesisEntries, genesisTree, NO_ENTRIES } from "./genesis-state.ts";
import { decodeProgress } from "./records.ts";
import { APPLICATION_PART, PROGRESS_KEY, partOf } from "./state-keys.ts";

/** What of a state another cluster can start from, gathered piece by piece in the order of `treeFrames`. */
export class RestorablePart {
  #applicationRoot: Digest = NO_ENTRIES;
  #entries = 0;
  #timestampMs: TimestampMs = timestampMs(0);
  #valueBytesMax = 0;

  accept(piece: TreePiece): void {
    if (piece.type === "page") {
      if (piece.prefix.length === 0) this.#applicationRoot = childDigest(piece.page, APPLICATION_PART) ?? NO_ENTRIES;
    } else if (partOf(piece.key) === APPLICATION_PART) {
      this.#entries++;
      this.#valueBytesMax = Math.max(this.#valueBytesMax, piece.value.length);
    } else if (isProgress(piece.key)) this.#timestampMs = decodeProgress(piece.value).timestampMs;
  }

  /** The longest value of the application: the limits of the new cluster have to have room for it. */
  get valueBytesMax(): number {
    return this.#valueBytesMax;
  }

  /** When all pieces have been accepted. */
  get state(): Pick<RestoredState, "applicationRoot" | "entries" | "timestampMs"> {
    return { applicationRoot: this.#applicationRoot, entries: this.#entries, timestampMs: this.#timestampMs };
  }
}

/** What is to be written for a piece of a backup where a new cluster starts from it: the application's part is taken as it is. */
export function restoredChanges(hasher: Hasher, piece: TreePiece): ExecutionChanges | undefined {
  if (piece.type === "entry") {
    const { key, value } = piece;
    if (partOf(key) !== APPLICATION_PART) return undefined;
    return { state: [{ key, value: sealed(hasher, key, value) }], local: [] };
  }
  const { prefix, page } = piece;
  if (prefix[0] !== APPLICATION_PART) return undefined;
  return { state: [], local: [{ key: pageKey(prefix), value: page }] };
}

/** The last group, when the application's part is there: with it the state is that of the genesis document's checkpoint 0. */
export function restoredGenesis(hasher: Hasher, genesis: Genesis, cluster: ClusterId): ExecutionChanges {
  const { root, pages } = genesisTree(hasher, genesis, cluster);
  const local: Change[] = pages.map(({ prefix, page }) => ({ key: pageKey(prefix), value: page }));
  local.push({ key: snapshotKey(sequenceNumber(0)), value: hexToBytes(root) });
  const state = genesisEntries(genesis, cluster).map(({ key, value }) => ({ key, value: sealed(hasher, key, value) }));
  return { state, local };
}

function isProgress(key: Uint8Array): boolean {
  return key.length === PROGRESS_KEY.length && key[0] === PROGRESS_KEY[0];
}
