import { isCounter, type SequenceNumber, sequenceNumber, type ViewNumber, viewNumber } from "@quorate/protocol";

/** Where one of the others stood after the loss. */
export interface Standing {
  /** A checkpoint that it has proven. */
  readonly stable: SequenceNumber;
  /** At or above the view of every VIEW-CHANGE that it had sent. */
  readonly view: ViewNumber;
}

/** When a replica that lost its disk may vote again: both must be reached. */
export interface ReleaseBounds {
  /** The own stable checkpoint. */
  readonly checkpoint: SequenceNumber;
  /** The first view to vote in. */
  readonly view: ViewNumber;
}

/**
 * What a replica cannot have promised before it lost its disk (protocol rule 8.5; the proof is decision 0020). Of the
 * checkpoints and of the views the `quorum`-th smallest each: the members at or below it are a quorum of others, which
 * shares a member that tells the truth with every quorum that made a promise possible. More answers lower both bounds,
 * never raise them.
 *
 * @param standings of distinct others, all said after the loss.
 * @returns undefined while too few have answered, or when no number satisfies what they said.
 */
export function releaseBounds(
  standings: readonly Standing[],
  quorum: number,
  windowSize: number,
): ReleaseBounds | undefined {
  const stable = nthSmallest(
    standings.map((standing) => standing.stable),
    quorum,
  );
  const view = nthSmallest(
    standings.map((standing) => standing.view),
    quorum,
  );
  if (stable === undefined || view === undefined) return undefined;
  const [checkpoint, first] = [stable + 2 * windowSize, view + 2];
  if (!isCounter(checkpoint) || !isCounter(first)) return undefined;
  return { checkpoint: sequenceNumber(checkpoint), view: viewNumber(first) };
}

function nthSmallest(values: readonly number[], n: number): number | undefined {
  return [...values].sort((a, b) => a - b)[n - 1];
}
