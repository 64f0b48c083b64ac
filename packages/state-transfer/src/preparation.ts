import type { KeyReader, OrderedReader, SequenceNumber } from "@quorate/protocol";
import {
  type InstallMark,
  installMarkChange,
  installMarkOf,
  pageKey,
  ROOT_OF_PAGES,
  SNAPSHOTS,
  seqOfSnapshotKey,
  subjectOf,
  UNDO_OF,
  UNDO_RECORDS,
  undoRange,
} from "@quorate/state-tree";
import type { Work } from "./work.ts";
import type { WriteGroup } from "./write-group.ts";

/** Bytes of restored entries and pages that cost as much as one unit of work. */
const BYTES_PER_UNIT = 1024;

/**
 * Brings the local store from wherever it is to the beginning of an installation: marked, entries and pages those of the last
 * checkpoint, for then they agree, and no checkpoint kept. Returns whether that is all; else the rest takes another step.
 *
 * The mark comes first, and the records of the checkpoints last: they tell which undo records are those of the last one.
 */
export function prepare(local: KeyReader, mark: InstallMark, group: WriteGroup, work: Work): boolean {
  const before = installMarkOf(local);
  if (before?.seq !== mark.seq || before.root !== mark.root || before.distrustsEntries !== mark.distrustsEntries)
    group.local(installMarkChange(mark));
  const snapshots = [...local.keys(...SNAPSHOTS)].map((key) => new Uint8Array(key));
  const last = snapshots.at(-1);
  if (last !== undefined && !takeBack(local, seqOfSnapshotKey(last), group, work)) return false;
  for (const undo of local.keys(...UNDO_RECORDS)) {
    if (!work.isLeft) return false;
    work.spend(1);
    group.local({ key: new Uint8Array(undo), value: undefined });
  }
  if (local.get(ROOT_OF_PAGES) !== undefined) group.local({ key: ROOT_OF_PAGES, value: undefined });
  for (const key of snapshots) group.local({ key, value: undefined });
  return true;
}

/** Makes entries and pages what they were at the last checkpoint. */
function takeBack(local: OrderedReader, last: SequenceNumber, group: WriteGroup, work: Work): boolean {
  for (const [undo, record] of local.range(...undoRange(last))) {
    if (!work.isLeft) return false;
    const { of, key } = subjectOf(undo);
    const before = record.length === 0 ? undefined : record;
    if (of === UNDO_OF.entry) group.state(new Uint8Array(key), before);
    else group.local({ key: pageKey(key), value: before });
    group.local({ key: new Uint8Array(undo), value: undefined });
    work.spend(1 + record.length / BYTES_PER_UNIT);
  }
  return true;
}
