/**
 * The replicated state as one Merkle tree over an ordered store: entries that are checked at every read, roots that cost
 * what changed, snapshots of the kept checkpoints, proofs of what is there and of what is not.
 *
 * @packageDocumentation
 */
export {
  BUCKET_LEAVES_MAX,
  bucketOf,
  isBucket,
  isBucketUnder,
  keysOf,
  type Leaf,
  type LeafChange,
  leafCount,
  leavesOf,
} from "./bucket.ts";
export { childDigest, innerPageOf, isWholeInnerPage, leavesBelow } from "./inner-page.ts";
export { type InstallMark, installMarkChange, installMarkOf } from "./install-mark.ts";
export type { KeptCheckpoint, TidyLimits } from "./kept-checkpoints.ts";
export { digestOfSealed, leafDigest, PATH_BYTES, pathOf, sealed, unsealed } from "./leaf.ts";
export { packedPage, unpackedPage } from "./packed-page.ts";
export { pageDigest } from "./page-digest.ts";
export { childPrefix, ROOT_PREFIX } from "./prefix.ts";
export { isProven, type ProvenPlace, rootOfProof } from "./proof.ts";
export { type ScrubBudget, type ScrubSlice, StateScrub } from "./scrub.ts";
export { sealedEntries } from "./sealed-entries.ts";
export { Snapshot } from "./snapshot.ts";
export { StateDamage } from "./state-damage.ts";
export { StateTree, type StateTreeOptions, type TreeChanges } from "./state-tree.ts";
export { TreeFrameReader, type TreePiece, treeFrames } from "./tree-frames.ts";
export {
  pageKey,
  pageRange,
  pageRangeOfChildren,
  prefixOfPageKey,
  ROOT_OF_PAGES,
  SNAPSHOTS,
  seqOfSnapshotKey,
  snapshotKey,
  subjectOf,
  UNDO_OF,
  UNDO_RECORDS,
  undoRange,
} from "./tree-keys.ts";
export { type PageChange, type ReadPage, type UpdatedTree, updateTree } from "./tree-update.ts";
