import type { KeyReader, OrderedReader } from "@quorate/protocol";
import { installMarkOf, ROOT_PREFIX, SNAPSHOTS } from "@quorate/state-tree";

/** A store that has been in distrust stays so until the end; one that has a state without any checkpoint was never right. */
export function isDoubtful({ state, local }: { readonly state: OrderedReader; readonly local: KeyReader }): boolean {
  const mark = installMarkOf(local);
  if (mark !== undefined) return mark.distrustsEntries;
  for (const _kept of local.range(...SNAPSHOTS)) return false;
  for (const _entry of state.range(ROOT_PREFIX, undefined)) return true;
  return false;
}
