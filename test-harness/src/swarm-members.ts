import { roleOf } from "./byzantine.ts";
import type { Fault, SimulationOptions } from "./options.ts";
import type { JoinFault, PlannedChange } from "./planned-changes.ts";
import type { Prng } from "./prng.ts";
import { crashKind } from "./swarm-faults.ts";

/** What members are drawn by. */
export type MemberDraw = Pick<SimulationOptions, "replicas" | "safetyMs" | "faults" | "byzantine" | "clocks">;
type MemberChanges = Pick<SimulationOptions, "changes" | "joiners" | "faults" | "byzantine">;

const JOIN_FAULTS = ["behind", "used-id", "used-key", "used-address"] as const satisfies readonly JoinFault[];

/**
 * Members that come and go: joiners that observe first, leavers, replacements, keys that are rotated, and members that rejoin. Never more than f
 * are faulty of the members that any of it can lead to: joiners take the place of a liar, and f is lowered only where one is faulty at most.
 */
export function memberChangesFor(prng: Prng, run: MemberDraw): MemberChanges {
  const draw = new MembersDraw(prng, run);
  const joiners = Array.from({ length: prng.pick([0, 1, 1, 2]) }, () => {
    return { atMs: prng.integer(0, Math.floor(run.safetyMs * 0.4)) };
  });
  const numbers = joiners.map((_, i) => run.replicas + i);
  const everyone = [...Array.from({ length: run.replicas }, (_, id) => id), ...numbers];
  const changes = [
    ...joiners.flatMap(({ atMs }, i) => draw.joins(run.replicas + i, atMs)),
    ...draw.sometimes(0.6, () => draw.leaves(prng.pick([0, ...everyone]))),
    ...draw.sometimes(0.5, () => draw.rotations(prng.pick([0, ...everyone]))),
    ...draw.sometimes(0.4, () => draw.rejoins()),
  ];
  const faults = numbers.flatMap((number) => [
    ...draw.sometimes(0.5, () => [draw.crash(number)]),
    ...draw.sometimes(0.3, () => [draw.cut(number)]),
  ]);
  const [first] = numbers;
  const isLiar = first !== undefined && prng.chance(0.3);
  return { changes, joiners, faults, byzantine: isLiar ? withJoiner(run, first) : run.byzantine };
}

/** The liar comes later, if its lies need no place or fault of its own. */
function withJoiner({ byzantine, clocks, faults }: MemberDraw, joiner: number): SimulationOptions["byzantine"] {
  const [liar, ...others] = byzantine;
  if (liar === undefined || roleOf(liar.behaviour) !== "anyone") return byzantine;
  const isTied =
    clocks.some(({ replica }) => replica === liar.replica) ||
    liar.behaviour.startsWith("twins") ||
    faults.some((fault) => fault.type === "crash" && fault.replicas.includes(liar.replica));
  return isTied ? byzantine : [{ ...liar, replica: joiner }, ...others];
}

class MembersDraw {
  readonly #prng: Prng;
  readonly #run: MemberDraw;

  constructor(prng: Prng, run: MemberDraw) {
    this.#prng = prng;
    this.#run = run;
  }

  sometimes<T>(probability: number, draw: () => readonly T[]): readonly T[] {
    return this.#prng.chance(probability) ? draw() : [];
  }

  /** Asked for again and again: it may not have come far enough, or the order is lost among others. */
  joins(replica: number, fromMs: number): readonly PlannedChange[] {
    const fault = this.#prng.chance(0.15) ? this.#prng.pick(JOIN_FAULTS) : undefined;
    let atMs = fromMs;
    return Array.from({ length: this.#prng.integer(2, 4) }, (_, i): PlannedChange => {
      atMs += this.#prng.integer(50, 600);
      return { type: "join", atMs, replica, ...(i === 0 && fault && { fault }) };
    });
  }

  leaves(replica: number): readonly PlannedChange[] {
    const isBySelf = this.#prng.chance(0.3);
    const mayLowerFaultThreshold = this.#faulty.size <= 1 && this.#prng.chance(0.5);
    const lost = [...this.#lost][0];
    // The one that lost its disk is replaced.
    const leaver = lost !== undefined && this.#prng.chance(0.5) ? lost.replica : replica;
    return Array.from({ length: this.#prng.integer(1, 3) }, () => {
      return { type: "leave", atMs: this.#late(), replica: leaver, mayLowerFaultThreshold, isBySelf };
    });
  }

  rotations(replica: number): readonly PlannedChange[] {
    const isUsed = this.#prng.chance(0.1);
    return Array.from({ length: this.#prng.integer(1, 2) }, () => {
      return { type: "rotate-key", atMs: this.#prng.integer(50, this.#run.safetyMs), replica, isUsed };
    });
  }

  /** Members whose disks were lost, and one that has lost nothing. */
  rejoins(): readonly PlannedChange[] {
    const isBySelf = this.#prng.chance(0.7);
    const lost = this.#lost.map(({ replica, atMs, downMs }): PlannedChange => {
      return { type: "rejoin", atMs: atMs + downMs + this.#prng.integer(20, 600), replica, isBySelf };
    });
    const whole = this.#prng.integer(0, this.#run.replicas - 1);
    return lost.length > 0 ? lost : [{ type: "rejoin", atMs: this.#late(), replica: whole, isBySelf }];
  }

  crash(replica: number): Fault {
    const downMs = this.#prng.pick([1, 30, 200, 700]);
    return { type: "crash", atMs: this.#late(), replicas: [replica], by: crashKind(this.#prng), downMs };
  }
  cut(replica: number): Fault {
    return { type: "cut", atMs: this.#late(), replica, direction: "both", forMs: this.#prng.pick([100, 700]) };
  }

  get #lost(): readonly Extract<Fault, { readonly type: "lose-disk" }>[] {
    return this.#run.faults.flatMap((fault) => (fault.type === "lose-disk" ? [fault] : []));
  }

  /** All that may count as one of the f at some time. */
  get #faulty(): ReadonlySet<number> {
    const { byzantine, faults } = this.#run;
    const damaged = faults.flatMap((fault) => (isOfFaulty(fault) ? [fault.replica] : []));
    return new Set([...byzantine.map(({ replica }) => replica), ...damaged]);
  }

  #late(): number {
    return this.#prng.integer(Math.floor(this.#run.safetyMs / 3), this.#run.safetyMs);
  }
}

function isOfFaulty(fault: Fault): fault is Extract<Fault, { type: "lose-disk" | "disk-damage" | "diverge" }> {
  return fault.type === "lose-disk" || fault.type === "disk-damage" || fault.type === "diverge";
}
