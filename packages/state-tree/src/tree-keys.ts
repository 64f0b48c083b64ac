/** Where this package keeps what is its own in the local part of a store. Counters have eight bytes, big-endian. */
import { allocateBytes, type SequenceNumber, sequenceNumber, utf8 } from "@quorate/protocol";
import { readU32, writeU32 } from "./leaf.ts";

const PAGE = utf8("page/");
const UNDO = utf8("undo/");
const SNAPSHOT = utf8("snapshot/");
/** The root of the tree as the pages are, while they are ahead of the last checkpoint. */
export const ROOT_OF_PAGES: Uint8Array = utf8("root");
/** What is being installed, while it is. */
export const INSTALLING: Uint8Array = utf8("installing");
const SEQ_BYTES = 8;

/** Whether what an undo record is of is an entry of the state or a page of the tree. */
export const UNDO_OF = { entry: 0, page: 1 } as const;
export type UndoOf = (typeof UNDO_OF)[keyof typeof UNDO_OF];

export function pageKey(prefix: Uint8Array): Uint8Array {
  return joined(PAGE, prefix);
}

/** The prefix of the page at a key. */
export function prefixOfPageKey(key: Uint8Array): Uint8Array {
  return key.subarray(PAGE.length);
}

/** The keys of the pages at a prefix and everywhere below it. */
export function pageRange(prefix: Uint8Array): readonly [from: Uint8Array, to: Uint8Array] {
  return [pageKey(prefix), keyAfterAll(pageKey(prefix))];
}

/** The keys of the pages below the children `first` to `last` of a prefix, those at the children included. */
export function pageRangeOfChildren(
  prefix: Uint8Array,
  first: number,
  last: number,
): readonly [from: Uint8Array, to: Uint8Array] {
  const parent = pageKey(prefix);
  return [joined(parent, Uint8Array.of(first)), keyAfterAll(joined(parent, Uint8Array.of(last)))];
}

/** The least key that is greater than all that start with this one, which never is nothing but 255s. */
function keyAfterAll(start: Uint8Array): Uint8Array {
  let length = start.length;
  while (start[length - 1] === 0xff) length--;
  const after = start.slice(0, length);
  after[length - 1] = (after[length - 1] ?? 0) + 1;
  return after;
}

/** The key of what stood at `key` at a checkpoint. */
export function undoKey(seq: number, of: UndoOf, key: Uint8Array): Uint8Array {
  const bytes = allocateBytes(UNDO.length + SEQ_BYTES + 1 + key.length);
  bytes.set(UNDO);
  writeU64(bytes, UNDO.length, seq);
  bytes[UNDO.length + SEQ_BYTES] = of;
  bytes.set(key, UNDO.length + SEQ_BYTES + 1);
  return bytes;
}

/** All undo records of a checkpoint: `[from, to)`. */
export function undoRange(seq: number): readonly [from: Uint8Array, to: Uint8Array] {
  return [undoKey(seq, UNDO_OF.entry, NOTHING), undoKey(seq + 1, UNDO_OF.entry, NOTHING)];
}

/** All undo records of all checkpoints. */
export const UNDO_RECORDS: readonly [from: Uint8Array, to: Uint8Array] = [UNDO, utf8("undo0")];

/** Those of pages only. */
export function undonePages(seq: number): readonly [from: Uint8Array, to: Uint8Array] {
  return [undoKey(seq, UNDO_OF.page, NOTHING), undoKey(seq + 1, UNDO_OF.entry, NOTHING)];
}

/** Those of entries only, of all or of those with `from ≤ key < to`. */
export function undoneEntries(
  seq: number,
  from: Uint8Array = NOTHING,
  to?: Uint8Array,
): readonly [from: Uint8Array, to: Uint8Array] {
  const end = to === undefined ? undoKey(seq, UNDO_OF.page, NOTHING) : undoKey(seq, UNDO_OF.entry, to);
  return [undoKey(seq, UNDO_OF.entry, from), end];
}

/** What an undo record is of: its key without the checkpoint's number. */
export function subjectOf(undo: Uint8Array): { readonly of: UndoOf; readonly key: Uint8Array } {
  const at = UNDO.length + SEQ_BYTES;
  return { of: undo[at] === UNDO_OF.page ? UNDO_OF.page : UNDO_OF.entry, key: undo.subarray(at + 1) };
}

export function snapshotKey(seq: number): Uint8Array {
  const bytes = allocateBytes(SNAPSHOT.length + SEQ_BYTES);
  bytes.set(SNAPSHOT);
  writeU64(bytes, SNAPSHOT.length, seq);
  return bytes;
}

export const SNAPSHOTS: readonly [from: Uint8Array, to: Uint8Array] = [SNAPSHOT, utf8("snapshot0")];

export function seqOfSnapshotKey(key: Uint8Array): SequenceNumber {
  return sequenceNumber(readU32(key, SNAPSHOT.length) * 0x1_0000_0000 + readU32(key, SNAPSHOT.length + 4));
}

const NOTHING = new Uint8Array(0);

function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 0x1_0000_0000));
  writeU32(bytes, at + 4, value >>> 0);
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = allocateBytes(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}
