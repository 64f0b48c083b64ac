import type { Fault } from "./options.ts";
import type { Prng } from "./prng.ts";

/**
 * What happens to the links of clients: each direction between a client and some replicas, and the half of a partition in which a client
 * is. Clients live where replicas live, and their links break as theirs do.
 *
 * @param partitions the partitions of the replicas in this run.
 */
export function clientCutsFor(
  prng: Prng,
  { replicas, clients, safetyMs }: { replicas: number; clients: number; safetyMs: number },
  partitions: readonly Fault[],
): readonly Fault[] {
  const all = Array.from({ length: replicas }, (_, id) => id);
  const f = Math.floor((replicas - 1) / 3);
  const sizes = { f, "f+1": f + 1, "2f": 2 * f, all: replicas };
  const cuts = Array.from({ length: prng.integer(0, 2) }, (): Fault => {
    const of = prng.pick<keyof typeof sizes>(["f", "f+1", "2f", "all"]);
    const first = prng.integer(0, replicas - 1);
    const cutOff = Array.from({ length: sizes[of] }, (_, i) => (first + i) % replicas);
    const direction = prng.pick<"in" | "out" | "both">(["in", "out", "both"]);
    const atMs = prng.integer(50, safetyMs - 100);
    const forMs = prng.pick([100, 700, 3_000]);
    return { type: "cut-client", atMs, client: prng.integer(0, clients - 1), replicas: cutOff, of, direction, forMs };
  });
  const halves = partitions.flatMap((fault) => {
    if (fault.type !== "partition" || !prng.chance(0.5)) return [];
    const { atMs, forMs } = fault;
    return Array.from({ length: clients }, (_, client): Fault => {
      const group = fault.groups[prng.integer(0, fault.groups.length - 1)] ?? [];
      const cutOff = all.filter((id) => !group.includes(id));
      return { type: "cut-client", atMs, client, replicas: cutOff, of: "partition", direction: "both", forMs };
    });
  });
  return [...cuts, ...halves];
}
