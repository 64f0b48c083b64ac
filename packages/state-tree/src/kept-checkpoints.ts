import {
  bytesToHex,
  type Change,
  type Digest,
  digest,
  hexToBytes,
  invariant,
  type OrderedReader,
  type SequenceNumber,
} from "@quorate/protocol";
import { SNAPSHOTS, seqOfSnapshotKey, snapshotKey, subjectOf, undoKey, undoRange } from "./tree-keys.ts";

/** A kept checkpoint. */
export interface KeptCheckpoint {
  readonly seq: SequenceNumber;
  /** The root of the tree. */
  readonly root: Digest;
}

/** The record of a checkpoint that is being dropped: it can be read no more, and some of its undo records are gone. */
const DROPPED = Uint8Array.of(0);

/**
 * The checkpoints that are kept. One that is dropped leaves as many undo records as entries and pages changed after it: they
 * go part by part, so that no batch waits for all of them.
 */
export class KeptCheckpoints {
  readonly #local: OrderedReader;
  /** Ascending; without a root those that are being dropped. */
  readonly #roots = new Map<SequenceNumber, Digest | undefined>();

  constructor(local: OrderedReader) {
    this.#local = local;
    for (const [key, root] of local.range(...SNAPSHOTS))
      this.#roots.set(seqOfSnapshotKey(key), root.length === DROPPED.length ? undefined : digest(bytesToHex(root)));
  }

  /** Ascending. */
  get all(): readonly KeptCheckpoint[] {
    const all: KeptCheckpoint[] = [];
    for (const [seq, root] of this.#roots) if (root !== undefined) all.push({ seq, root });
    return all;
  }
  /** The last checkpoint; undefined before the first. It is never dropped. */
  get last(): KeptCheckpoint | undefined {
    return this.all.at(-1);
  }
  /** All that have undo records, ascending: what stood somewhere is told by the first one from there on. */
  get withUndo(): Iterable<SequenceNumber> {
    return this.#roots.keys();
  }

  rootOf(seq: SequenceNumber): Digest | undefined {
    return this.#roots.get(seq);
  }

  /** What is to be written so that a later checkpoint is kept. */
  add(seq: SequenceNumber, root: Digest): Change {
    this.#roots.set(seq, root);
    return { key: snapshotKey(seq), value: hexToBytes(root) };
  }

  /** What is to be written so that a checkpoint is kept no more; `tidied` removes what it leaves. */
  drop(seq: SequenceNumber): Change {
    invariant(this.rootOf(seq) !== undefined && seq !== this.last?.seq, "state-tree.drop", { seq });
    this.#roots.set(seq, undefined);
    return { key: snapshotKey(seq), value: DROPPED };
  }

  /**
   * What is to be written so that up to so many undo records of dropped checkpoints are gone. What an older checkpoint needs
   * of them becomes that one's.
   */
  tidied(recordsMax: number): readonly Change[] {
    const changes: Change[] = [];
    let older: SequenceNumber | undefined;
    let left = recordsMax;
    for (const [seq, root] of this.#roots) {
      if (root !== undefined) {
        older = seq;
        continue;
      }
      for (const [undo, value] of this.#local.range(...undoRange(seq))) {
        if (left === 0) return changes;
        left--;
        changes.push({ key: undo, value: undefined });
        if (older !== undefined) this.#handDown(undo, value, older, changes);
      }
      changes.push({ key: snapshotKey(seq), value: undefined });
      this.#roots.delete(seq);
      // The next one may hand down to the same heir: what this one did must be there when it is looked at.
      return changes;
    }
    return changes;
  }

  #handDown(undo: Uint8Array, value: Uint8Array, older: SequenceNumber, changes: Change[]): void {
    const { of, key } = subjectOf(undo);
    const heir = undoKey(older, of, key);
    if (this.#local.get(heir) === undefined) changes.push({ key: heir, value });
  }
}
