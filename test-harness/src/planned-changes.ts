import type { VirtualClock } from "./virtual-clock.ts";

/** A reconfiguration that the admin of a run orders. */
export interface PlannedChange {
  readonly atMs: number;
  /** K and L of the next epoch; L at most that of genesis. */
  readonly checkpointInterval: number;
  readonly windowSize: number;
}

/** Whoever orders them. */
export interface ChangeOrderer {
  order(change: PlannedChange): void;
}

/** Each is ordered when its time has come, and signed for the epoch that is known then. */
export function planChanges(
  changes: readonly PlannedChange[],
  admin: ChangeOrderer | undefined,
  clock: VirtualClock,
): void {
  for (const change of changes) clock.after(change.atMs, () => admin?.order(change));
}
