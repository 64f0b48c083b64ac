/** What a seed draws, and what stands without being drawn. */
export interface SeedDraw {
  /** Sizes and rates; without, those of `MIDDLE_RATES`. */
  readonly isSwarm: boolean;
  /** Byzantine replicas. */
  readonly isByzantine: boolean;
}

/** Everything is drawn. */
export const FULL_DRAW: SeedDraw = { isSwarm: true, isByzantine: true };

/** All there are, the full one first. */
export const SEED_DRAWS: readonly SeedDraw[] = [
  FULL_DRAW,
  { isSwarm: true, isByzantine: false },
  { isSwarm: false, isByzantine: true },
  { isSwarm: false, isByzantine: false },
];

/** The flags of `npm run simulate` that say so. */
export function flagsOf({ isSwarm, isByzantine }: SeedDraw): string {
  return `${isSwarm ? "" : " --no-swarm"}${isByzantine ? "" : " --no-byzantine"}`;
}
