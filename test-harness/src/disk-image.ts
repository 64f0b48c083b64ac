import { type Change, type OrderedReader, sequenceNumber } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import type { MemoryStore } from "@quorate/storage/memory";

/** What a disk held at one moment. */
export interface DiskImage {
  readonly log: readonly { readonly seq: number; readonly record: Uint8Array }[];
  readonly history: readonly { readonly seq: number; readonly entry: Uint8Array }[];
  readonly state: readonly Change[];
  readonly local: readonly Change[];
}

/** Copies a disk, as `cp -r` copies the folder of a replica. */
export function imageOf({ log, history, state, local }: ReplicaStore): DiskImage {
  const [first, last] = [history.first ?? 1, history.last ?? 0];
  const held = Array.from({ length: last - first + 1 }, (_, i) => sequenceNumber(first + i));
  return {
    log: [...log.entries()],
    history: held.flatMap((seq) => {
      const entry = history.get(seq);
      return entry === undefined ? [] : [{ seq, entry }];
    }),
    state: changesOf(state),
    local: changesOf(local),
  };
}

/** Puts a copy onto an empty disk; all of it is durable there. */
export function restored(image: DiskImage, empty: MemoryStore): MemoryStore {
  for (const { seq, record } of image.log) empty.log.append(sequenceNumber(seq), record);
  for (const { seq, entry } of image.history) empty.history.put(sequenceNumber(seq), entry);
  empty.writeAtomically({ state: image.state, local: image.local });
  const { unflushedLogGroups: log, unflushedGroups: rest } = empty.disk;
  return empty.disk.crash({ log, rest });
}

function changesOf(map: OrderedReader): readonly Change[] {
  return [...map.range(new Uint8Array(0), undefined)].map(([key, value]) => ({ key, value }));
}
