import type { OrderedReader } from "@quorate/protocol";
import {
  type InstallMark,
  installMarkChange,
  installMarkOf,
  SNAPSHOTS,
  seqOfSnapshotKey,
  subjectOf,
  UNDO_RECORDS,
  undoneEntries,
} from "@quorate/state-tree";
import type { Work } from "./work.ts";
import type { WriteGroup } from "./write-group.ts";

/** Bytes of restored entries that cost as much as one unit of work. */
const BYTES_PER_UNIT = 1024;

/**
 * Brings the local store from wherever it is to the beginning of an installation: marked, the entries those of the last
 * checkpoint as the pages are, and no checkpoint kept. Returns whether that is all; else the rest takes another step.
 *
 * The mark comes first, and the records of the checkpoints last: they tell which undo records are those of the last one.
 */
export function prepare(local: OrderedReader, mark: InstallMark, group: WriteGroup, work: Work): boolean {
  const before = installMarkOf(local);
  if (before?.seq !== mark.seq || before.root !== mark.root || before.distrustsEntries !== mark.distrustsEntries)
    group.local(installMarkChange(mark));
  const snapshots = [...local.range(...SNAPSHOTS)].map(([key]) => new Uint8Array(key));
  const last = snapshots.at(-1);
  if (last !== undefined)
    for (const [undo, record] of local.range(...undoneEntries(seqOfSnapshotKey(last)))) {
      if (!work.isLeft) return false;
      group.state(new Uint8Array(subjectOf(undo).key), record.length === 0 ? undefined : record);
      group.local({ key: new Uint8Array(undo), value: undefined });
      work.spend(1 + record.length / BYTES_PER_UNIT);
    }
  for (const [undo] of local.range(...UNDO_RECORDS)) {
    if (!work.isLeft) return false;
    work.spend(1);
    group.local({ key: new Uint8Array(undo), value: undefined });
  }
  for (const key of snapshots) group.local({ key, value: undefined });
  return true;
}
