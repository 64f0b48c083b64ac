import type { Fault, SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";

/** Of the seeds in which another faulty replica is allowed. */
const DIVERGING = 0.8;
/** A repair in a row waits longer and longer: with more of them no run would see the last one. */
const TIMES_MAX = 3;

/** What is drawn before. */
export interface DivergenceDraw {
  readonly replicas: number;
  readonly safetyMs: number;
  readonly byzantine: SimulationOptions["byzantine"];
  readonly others: readonly Fault[];
}

/**
 * The state of one replica becomes wrong, once or a few times: one of the f (protocol rule 1.4). It is none of those that lie, or that
 * lose what they have said wrongly with their disk: they could not but contradict themselves when they are right again.
 */
export function divergencesFor(
  prng: Prng,
  { replicas, safetyMs, byzantine, others }: DivergenceDraw,
): readonly Fault[] {
  const damaged = others.flatMap((fault) => (isOfOneDisk(fault) ? [fault.replica] : []));
  const faulty = new Set([...byzantine.map(({ replica }) => replica), ...damaged]);
  if (faulty.size >= Math.floor((replicas - 1) / 3) || !prng.chance(DIVERGING)) return [];
  // A bit that flips is found by the replica itself, and brings a repair after which it is not silent.
  const flipping = others.flatMap((fault) => (fault.type === "damage-state" ? [fault.replica] : []));
  const able = Array.from({ length: replicas }, (_, id) => id).filter(
    (id) => !faulty.has(id) && !flipping.includes(id),
  );
  const replica = able[prng.integer(0, able.length - 1)] ?? 0;
  const times = prng.integer(1, TIMES_MAX);
  return Array.from({ length: times }, () => {
    return { type: "diverge", atMs: prng.integer(Math.floor(safetyMs / 5), safetyMs - 100), replica };
  });
}

function isOfOneDisk(fault: Fault): fault is Extract<Fault, { type: "lose-disk" | "disk-damage" }> {
  return fault.type === "lose-disk" || fault.type === "disk-damage";
}
