import { BYZANTINE_BEHAVIOURS, type ByzantineBehaviour, roleOf } from "./byzantine.ts";
import type { Fault, SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";

/** Of so many seeds all but one have a Byzantine replica. */
const CORRECT_EVERY = 4;

/**
 * At most f of them, whoever they are. The first one's behaviour goes round with the seed, so that each behaviour comes
 * equally often in any range of seeds; it mostly has the part that the behaviour needs.
 */
export function byzantineFor(prng: Prng, seed: number, replicas: number): SimulationOptions["byzantine"] {
  if (seed % CORRECT_EVERY === CORRECT_EVERY - 1) return [];
  const behaviour = behaviourFor(seed);
  const first = prng.chance(0.75) ? placeFor(behaviour, prng, replicas) : prng.integer(0, replicas - 1);
  const most = Math.floor((replicas - 1) / 3);
  // Of some kinds the whole f at once: colluding ones, and new primaries of which one after the other fails.
  const isRing = behaviour === "colludes" || behaviour === "false-new-views";
  const others = Array.from({ length: (isRing ? most : prng.integer(1, most)) - 1 }, (_, i) => ({
    replica: (first + 1 + i) % replicas,
    behaviour: isRing ? behaviour : prng.pick(BYZANTINE_BEHAVIOURS),
  }));
  return [{ replica: first, behaviour }, ...others];
}

function behaviourFor(seed: number): ByzantineBehaviour {
  const turn = seed - Math.floor(seed / CORRECT_EVERY);
  return BYZANTINE_BEHAVIOURS[turn % BYZANTINE_BEHAVIOURS.length] ?? "silent";
}

/** n, if this seed's behaviour needs more than one faulty member to show, or if it is to be seen among many, too. */
export function replicasFor(seed: number, drawn: number): number {
  if (seed % CORRECT_EVERY === CORRECT_EVERY - 1) return drawn;
  const behaviour = behaviourFor(seed);
  const isSometimes = behaviour === "twins" || behaviour === "false-new-views";
  return behaviour === "colludes" || (isSometimes && seed % 2 === 0) ? 7 : drawn;
}

function placeFor(behaviour: ByzantineBehaviour, prng: Prng, replicas: number): number {
  switch (roleOf(behaviour)) {
    case "primary":
      return 0;
    case "next-primary":
      return 1;
    case "anyone":
      return prng.integer(0, replicas - 1);
  }
}

/** What some behaviours need to show: a first primary that fails, a crash of the one that forgets. */
export function faultsOfByzantine(
  byzantine: SimulationOptions["byzantine"],
  replicas: number,
  safetyMs: number,
): readonly Fault[] {
  return byzantine.flatMap(({ replica, behaviour }): readonly Fault[] => {
    if (behaviour === "forgets")
      return [{ type: "crash", atMs: Math.floor(safetyMs / 2), replicas: [replica], downMs: 30 }];
    if (behaviour === "rolls-back")
      return [0.25, 0.6].map((part) => {
        return { type: "crash", atMs: Math.floor(safetyMs * part), replicas: [replica], downMs: 30 };
      });
    // It alone has what prepared, as long as the one beside it hears nothing.
    if (behaviour === "hides-certificates")
      return [
        {
          type: "cut",
          atMs: 150,
          replica: (replica + 1) % replicas,
          direction: "both",
          forMs: Math.floor(safetyMs / 2),
        },
      ];
    if (roleOf(behaviour) !== "next-primary") return [];
    const before = (replica + replicas - 1) % replicas;
    return [{ type: "cut", atMs: 200, replica: before, direction: "both", forMs: safetyMs }];
  });
}
