import type { CrashKind } from "./disk/simulated-files.ts";
import type { Fault, SimulationOptions, Victim } from "./options.ts";
import type { Prng } from "./prng.ts";

/** The faults of one seed, in no order: a restart of a backup, and whatever else it draws. */
export function faultsFor(prng: Prng, replicas: number, safetyMs: number): readonly Fault[] {
  const draw = new FaultDraw(prng, replicas, safetyMs);
  return [
    draw.restartOfBackup(),
    ...draw.upTo(2, () => draw.crashOf([draw.anyone()])),
    ...draw.sometimes(0.25, () => draw.crashOf(draw.all)),
    ...draw.sometimes(0.25, () => draw.crashOf(draw.all.filter(() => prng.chance(0.5)))),
    ...draw.sometimes(0.3, () => draw.crashOf(["primary"])),
    ...draw.sometimes(0.3, () => draw.pause()),
    ...draw.upTo(2, () => draw.cut()),
    ...draw.sometimes(0.3, () => draw.cutEdge()),
    ...draw.sometimes(0.3, () => draw.partition()),
    ...draw.sometimes(0.15, () => draw.isolatePrimaries()),
    ...draw.sometimes(0.25, () => draw.flushFailure()),
    ...draw.upTo(2, () => draw.handOver()),
  ];
}

/** Sometimes as many as there may be beside those that lie: one that lost its disk counts among the f (rule 1.4). */
export function lostDisks(
  prng: Prng,
  replicas: number,
  safetyMs: number,
  byzantine: SimulationOptions["byzantine"],
  ofDisks: readonly Fault[],
): readonly Fault[] {
  // A damaged disk and a lost one count alike.
  const damaged = ofDisks.flatMap((fault) => (fault.type === "disk-damage" ? [fault.replica] : []));
  const faulty = [...byzantine.map(({ replica }) => replica), ...damaged];
  const most = Math.floor((replicas - 1) / 3) - faulty.length;
  if (most < 1 || !prng.chance(0.4)) return [];
  const honest = Array.from({ length: replicas }, (_, id) => id).filter((id) => !faulty.includes(id));
  const first = prng.integer(0, honest.length - 1);
  return Array.from({ length: prng.integer(1, most) }, (_, i): Fault => {
    const replica = honest[(first + i) % honest.length] ?? 0;
    const atMs = prng.integer(50, safetyMs - 100);
    return { type: "lose-disk", atMs, replica, downMs: prng.pick([1, 30, 200, 700]) };
  });
}

/** A power cut takes more from a disk, and comes more often. */
export function crashKind(prng: Prng): CrashKind {
  return prng.pick(["power-cut", "power-cut", "kill"]);
}

/** Draws single faults. */
class FaultDraw {
  readonly all: readonly number[];
  readonly #prng: Prng;
  readonly #safetyMs: number;

  constructor(prng: Prng, replicas: number, safetyMs: number) {
    this.#prng = prng;
    this.#safetyMs = safetyMs;
    this.all = Array.from({ length: replicas }, (_, id) => id);
  }

  sometimes(probability: number, draw: () => Fault): readonly Fault[] {
    return this.#prng.chance(probability) ? [draw()] : [];
  }

  upTo(most: number, draw: () => Fault): readonly Fault[] {
    return Array.from({ length: this.#prng.integer(0, most) }, draw);
  }

  anyone(): Victim {
    return this.#prng.chance(0.2) ? "primary" : this.#id();
  }

  restartOfBackup(): Fault {
    return this.crashOf([this.#prng.integer(1, this.all.length - 1)]);
  }

  crashOf(replicas: readonly Victim[]): Fault {
    return { type: "crash", atMs: this.#moment(), replicas, by: crashKind(this.#prng), downMs: this.#downMs() };
  }

  pause(): Fault {
    const forMs = this.#prng.pick([20, 200, 1000, 3000]);
    return { type: "pause", atMs: this.#moment(), replica: this.anyone(), forMs };
  }

  cut(): Fault {
    const direction = this.#prng.pick<"in" | "out" | "both">(["in", "out", "both"]);
    const forMs = this.#prng.pick([50, 300, 1000, 3000]);
    return { type: "cut", atMs: this.#moment(), replica: this.anyone(), direction, forMs };
  }

  cutEdge(): Fault {
    const from = this.#id();
    const to = (from + this.#prng.integer(1, this.all.length - 1)) % this.all.length;
    return { type: "cut-edge", atMs: this.#moment(), from, to, forMs: this.#prng.pick([300, 1000, 3000]) };
  }

  /** 2/2, 3/1, 1/1/1/1 and what corresponds to them among more: each replica falls to one of some groups. */
  partition(): Fault {
    const count = this.#prng.pick([2, 2, 2, 3, this.all.length]);
    const shift = this.#id();
    const places = this.all.map((id) => (count === this.all.length ? id : this.#prng.integer(0, count - 1)));
    const groups = Array.from({ length: count }, (_, group) =>
      this.all.filter((id) => places[(id + shift) % places.length] === group),
    ).filter((group) => group.length > 0);
    return { type: "partition", atMs: this.#moment(), groups, forMs: this.#prng.pick([100, 700, 2000]) };
  }

  isolatePrimaries(): Fault {
    const times = this.#prng.integer(2, 4);
    return { type: "isolate-primaries", atMs: this.#prng.integer(50, 500), times, eachMs: this.#prng.pick([400, 700]) };
  }

  flushFailure(): Fault {
    return { type: "flush-failure", atMs: this.#moment(), replica: this.#id(), downMs: this.#downMs() };
  }

  handOver(): Fault {
    const replica = this.#prng.chance(0.8) ? "primary" : this.#id();
    return { type: "hand-over", atMs: this.#moment(), replica };
  }

  #id(): number {
    return this.#prng.integer(0, this.all.length - 1);
  }

  #moment(): number {
    return this.#prng.integer(50, this.#safetyMs - 100);
  }

  #downMs(): number {
    return this.#prng.pick([1, 30, 200, 700]);
  }
}
