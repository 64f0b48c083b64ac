import {
  allocateBytes,
  type Change,
  type Digest,
  hexToBytes,
  invariant,
  type KeyReader,
  type SequenceNumber,
} from "@quorate/protocol";
import { StateDamage } from "./state-damage.ts";
import { storedRoot } from "./stored-root.ts";
import { SNAPSHOTS, seqOfSnapshotKey, snapshotKey, subjectOf, undoKey, undoRange } from "./tree-keys.ts";

/** A kept checkpoint. */
export interface KeptCheckpoint {
  readonly seq: SequenceNumber;
  /** The root of the tree. */
  readonly root: Digest;
}

/** How much of what dropped checkpoints left is tidied at once. */
export interface TidyLimits {
  /** Undo records that go. */
  readonly records: number;
  /** Of these, those that an older checkpoint needs: looking for its own and copying costs several times as much as removing. */
  readonly handedDown: number;
  /** What all of them take, or one that is longer. */
  readonly bytes: number;
}

/** The record of a checkpoint that is being dropped: it can be read no more, and some of its undo records are gone. */
const DROPPED = Uint8Array.of(0);

/**
 * The checkpoints that are kept. One that is dropped leaves as many undo records as entries and pages changed after it: they
 * go part by part, so that no batch waits for all of them.
 */
export class KeptCheckpoints {
  readonly #local: KeyReader;
  /** Ascending; without a root those that are being dropped. */
  readonly #roots = new Map<SequenceNumber, Digest | undefined>();

  /** @throws StateDamage for a record that is neither a root nor that of a dropped one, and if the last one is dropped. */
  constructor(local: KeyReader) {
    this.#local = local;
    let droppedLast: Uint8Array | undefined;
    for (const [key, record] of local.range(...SNAPSHOTS)) {
      const isDropped = record.length === DROPPED.length && record[0] === DROPPED[0];
      this.#roots.set(seqOfSnapshotKey(key), isDropped ? undefined : storedRoot(key, record));
      droppedLast = isDropped ? new Uint8Array(key) : undefined;
    }
    if (droppedLast !== undefined) throw new StateDamage("root", droppedLast);
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
   * What is to be written so that undo records of dropped checkpoints are gone, within limits. What an older checkpoint needs of
   * them becomes that one's; the value of no other is read.
   */
  tidied(limits: TidyLimits): readonly Change[] {
    const changes: Change[] = [];
    let older: SequenceNumber | undefined;
    let [records, handedDown, bytes] = [0, 0, 0];
    for (const [seq, root] of this.#roots) {
      if (root !== undefined) {
        older = seq;
        continue;
      }
      for (const undo of this.#local.keys(...undoRange(seq))) {
        if (records >= limits.records || handedDown >= limits.handedDown || bytes >= limits.bytes) return changes;
        records++;
        changes.push({ key: undo, value: undefined });
        bytes += undo.length;
        if (older === undefined) continue;
        handedDown++;
        bytes += this.#handDown(undo, older, changes);
      }
      changes.push({ key: snapshotKey(seq), value: undefined });
      this.#roots.delete(seq);
      // The next one may hand down to the same heir: what this one did must be there when it is looked at.
      return changes;
    }
    return changes;
  }

  /** @returns the bytes that were read. */
  #handDown(undo: Uint8Array, older: SequenceNumber, changes: Change[]): number {
    const { of, key } = subjectOf(undo);
    const heir = undoKey(older, of, key);
    if (this.#isThere(heir)) return 0;
    const value = this.#local.get(undo);
    invariant(value !== undefined, "state-tree.undo-record-gone", { seq: older });
    changes.push({ key: heir, value });
    return value.length;
  }

  /** Without reading what is there: it may be much longer than what it is compared with. */
  #isThere(key: Uint8Array): boolean {
    const next = allocateBytes(key.length + 1);
    next.set(key);
    for (const _key of this.#local.keys(key, next)) return true;
    return false;
  }
}
