import { activationOf, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { storedConfiguration } from "@quorate/state-machine";
import type { AwaitedState } from "./awaited-state.ts";
import type { EpochOptions } from "./host-options.ts";
import { notedChanges } from "./noted-changes.ts";

/**
 * Where the epoch may end, as far as a replica can tell whose state is not here or behind its votes (protocol rule 11.2): by what
 * waits in the configuration that is here, and by batches behind it that are in the history and may have brought a change. Undefined:
 * not within the window.
 */
export function endOfEpoch(
  { epochs, hasher, store }: Pick<EpochOptions, "epochs" | "hasher" | "store">,
  { stable, executed }: AwaitedState,
): SequenceNumber | undefined {
  const { configuration } = epochs;
  const known = executed() ?? stable.seq;
  const record = storedConfiguration(hasher, store.state);
  // Of an earlier epoch it says nothing of what waits in this one, as if there were none: nothing above what is stable is voted for.
  if (record === undefined || record.current.epoch < configuration.epoch) return stable.seq;
  if (record.current.epoch > configuration.epoch) return known;
  const [first] = notedChanges(store.local, known);
  const ends = [record.pending?.activation, first && activationOf(first, configuration)].filter(
    (end) => end !== undefined,
  );
  return ends.length === 0 ? undefined : sequenceNumber(Math.min(...ends));
}
