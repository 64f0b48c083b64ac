/** What a seed draws, and what stands without being drawn. */
export interface SeedDraw {
  /** Sizes and rates; without, those of `MIDDLE_RATES`. */
  readonly isSwarm: boolean;
  /** Byzantine replicas. */
  readonly isByzantine: boolean;
  /** Whether reconfigurations are drawn in some seeds, as swarms go, or in every one but those of lies that need calm. */
  readonly changes: ChangesDraw;
}

export const CHANGES_DRAWS = ["drawn", "always"] as const;
export type ChangesDraw = (typeof CHANGES_DRAWS)[number];

/** Everything is drawn. */
export const FULL_DRAW: SeedDraw = { isSwarm: true, isByzantine: true, changes: "drawn" };

/** All there are, the full one first. */
export const SEED_DRAWS: readonly SeedDraw[] = CHANGES_DRAWS.flatMap((changes) => [
  { isSwarm: true, isByzantine: true, changes },
  { isSwarm: true, isByzantine: false, changes },
  { isSwarm: false, isByzantine: true, changes },
  { isSwarm: false, isByzantine: false, changes },
]);

/** The flags of `npm run simulate` that say so. */
export function flagsOf({ isSwarm, isByzantine, changes }: SeedDraw): string {
  const ofChanges = changes === "drawn" ? "" : ` --changes ${changes}`;
  return `${isSwarm ? "" : " --no-swarm"}${isByzantine ? "" : " --no-byzantine"}${ofChanges}`;
}
