import type { Fault } from "./options.ts";
import type { Prng } from "./prng.ts";

/** Of so many seeds one cuts a single direction between two replicas: which one goes round, so that each has its turn. */
const EDGE_EVERY = 4;

/** Partitions of one seed that are more than groups: single directions, rings, bridges, one way only, and long ones. */
export function partitionsFor(prng: Prng, seed: number, replicas: number, safetyMs: number): readonly Fault[] {
  const faults: Fault[] = [];
  const atMs = (): number => prng.integer(50, safetyMs - 100);
  const forMs = (): number => prng.pick([300, 1_000, 3_000]);
  if (seed % EDGE_EVERY === 0)
    faults.push({ type: "cut-edge", atMs: atMs(), ...edge(seed / EDGE_EVERY, replicas), forMs: forMs() });
  if (prng.chance(0.2)) {
    const shape = prng.pick<"ring" | "bridge" | "one-way">(["ring", "bridge", "one-way"]);
    faults.push({ type: "links", atMs: atMs(), shape, order: shuffled(prng, replicas), forMs: forMs() });
  }
  // As long as there are faults: the others pass checkpoint after checkpoint meanwhile.
  if (prng.chance(0.1))
    faults.push({ type: "cut", atMs: 100, replica: prng.integer(1, replicas - 1), direction: "both", forMs: safetyMs });
  return faults;
}

function edge(turn: number, replicas: number): { readonly from: number; readonly to: number } {
  const from = Math.floor(turn / (replicas - 1)) % replicas;
  return { from, to: (from + 1 + (turn % (replicas - 1))) % replicas };
}

function shuffled(prng: Prng, count: number): readonly number[] {
  const order = Array.from({ length: count }, (_, id) => ({ id, rank: prng.uint32() }));
  return order.sort((a, b) => a.rank - b.rank).map(({ id }) => id);
}
