import type { Digest, FetchState, Rejection, ReplicaId, SequenceNumber } from "@quorate/protocol";
import type { TreeChanges } from "@quorate/state-tree";
import type { KeyList } from "./key-list.ts";

/** What is to be done after a call. */
export interface FetchStep {
  readonly requests: readonly { readonly to: ReplicaId; readonly request: FetchState }[];
  /** One atomic group, to be written before the next call. */
  readonly writes: TreeChanges | undefined;
  /**
   * Another group, which may wait for others: to be added behind these writes to what `settles` moves. A crash may lose it and what
   * was added after it, but no crash keeps it that loses what was written before.
   */
  readonly bulk: TreeChanges | undefined;
  /** All bulk is to be moved to where it belongs, durably; then `onSettled` goes on. */
  readonly settles: boolean;
  readonly rejections: readonly Rejection[];
  /** The local store is this checkpoint, once the writes are made; nothing follows. */
  readonly done: { readonly seq: SequenceNumber; readonly treeRoot: Digest } | undefined;
  /** There is work that waits for nobody: call `onTick` soon, and do not wait for an answer. */
  readonly hasMore: boolean;
}

/** How far it is. */
export interface FetchProgress {
  readonly target: SequenceNumber;
  /** Leaves of the target; undefined before its root page is here. */
  readonly leaves: number | undefined;
  /** Leaves that were here already, and that were fetched, since the walk last began at the root. */
  readonly leavesSkipped: number;
  readonly leavesFetched: number;
  /** All parts of the state before this one are complete and proven: 2 when membership and sessions are. */
  readonly partsComplete: number;
  /** Content of chunks: pages and values. */
  readonly bytesReceived: number;
  /** The same as it came: less where donors deflate. */
  readonly bytesOnWire: number;
  readonly pagesFetched: number;
  readonly chunksRejected: number;
  /** Pages and buckets held in memory. */
  readonly openCount: number;
  /** Entries that were not those of the target, or not to be there. */
  readonly differing: KeyList;
}
