import type { Prng } from "./prng.ts";

/** Who orders a checkpoint: an admin, or the member with this id. */
export type CheckpointOrderer = "admin" | number;

/** A checkpoint that is ordered in a run. */
export interface PlannedCheckpointOrder {
  readonly atMs: number;
  readonly by: CheckpointOrderer;
  /** Another one is ordered as soon as it is there: too soon, mostly. */
  readonly isRepeated: boolean;
}

/** Each once, in the order in which they first appear. */
export function orderersOf(orders: readonly PlannedCheckpointOrder[]): readonly CheckpointOrderer[] {
  return [...new Set(orders.map(({ by }) => by))];
}

/** The checkpoints that are ordered in one seed: in half of them none; now and then several at once. */
export function checkpointOrdersFor(prng: Prng, replicas: number, safetyMs: number): readonly PlannedCheckpointOrder[] {
  const orders = Array.from({ length: prng.pick([0, 0, 1, 3, 8]) }, () =>
    orderAt(prng, prng.integer(1, safetyMs), replicas),
  );
  const again = orders.flatMap(({ atMs }) =>
    prng.chance(0.5) ? [orderAt(prng, atMs + prng.pick([0, 5, 50]), replicas)] : [],
  );
  return [...orders, ...again].sort((a, b) => a.atMs - b.atMs);
}

function orderAt(prng: Prng, atMs: number, replicas: number): PlannedCheckpointOrder {
  return { atMs, by: prng.chance(0.5) ? "admin" : prng.integer(0, replicas - 1), isRepeated: prng.chance(0.4) };
}
