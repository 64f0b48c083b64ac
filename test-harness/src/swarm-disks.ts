import { DISK_DAMAGES } from "./disk/disk-damage.ts";
import type { DiskFaults } from "./disk/flush-times.ts";
import type { Fault } from "./options.ts";
import type { Prng } from "./prng.ts";
import { crashKind } from "./swarm-faults.ts";

/** Of so many seeds without a Byzantine replica every second one damages a disk, and all have files. */
const DAMAGE_EVERY = 8;
/** Of so many seeds with Byzantine replicas one has files. */
const FILES_EVERY = 30;

/** What disks are drawn by. */
export interface DiskDraw {
  readonly seed: number;
  readonly replicas: number;
  readonly safetyMs: number;
  readonly store: DiskFaults["store"];
  /** How many of the f are faulty already. */
  readonly faulty: number;
}

/** One seed in five has files: they cost more than the store's twin in memory. */
export function storeFor(seed: number, faulty: number): DiskFaults["store"] {
  if (faulty > 0) return seed % FILES_EVERY === 0 ? "files" : "memory";
  return seed % (2 * DAMAGE_EVERY) === DAMAGE_EVERY - 1 || seed % DAMAGE_EVERY === DAMAGE_EVERY / 2 - 1
    ? "files"
    : "memory";
}

/** The faults of disks of one seed; the damage goes round with the seed, so that each kind comes equally often. */
export function diskFaultsFor(prng: Prng, { seed, replicas, safetyMs, store, faulty }: DiskDraw): readonly Fault[] {
  const anyone = (): number => prng.integer(0, replicas - 1);
  const moment = (): number => prng.integer(50, safetyMs - 100);
  const downMs = (): number => prng.pick([1, 30, 200]);
  const faults: Fault[] = [];
  if (prng.chance(0.1)) {
    const flushMs = prng.pick([300, 2_000, 30_000]);
    faults.push({ type: "slow-disk", atMs: moment(), replica: anyone(), flushMs, forMs: prng.pick([100, 600]) });
  }
  if (store === "memory") return faults;
  if (prng.chance(0.4)) {
    const forMs = prng.pick([100, 700]);
    faults.push({ type: "disk-full", atMs: moment(), replica: anyone(), forMs, downMs: prng.pick([20, 100]) });
  }
  // More cuts than elsewhere: what they tear is what this is about.
  for (let cuts = prng.integer(1, 3); cuts > 0; cuts--)
    faults.push({ type: "crash", atMs: moment(), replicas: [anyone()], by: crashKind(prng), downMs: downMs() });
  const isDue = seed % DAMAGE_EVERY === DAMAGE_EVERY / 2 - 1;
  const damage = DISK_DAMAGES[Math.floor(seed / DAMAGE_EVERY) % DISK_DAMAGES.length];
  if (isDue && damage !== undefined && faulty < Math.floor((replicas - 1) / 3))
    faults.push({
      type: "disk-damage",
      atMs: moment(),
      replica: anyone(),
      by: crashKind(prng),
      damage,
      downMs: downMs(),
    });
  if (prng.chance(0.6)) faults.push(...endAndPowerCut(prng, { atMs: moment(), replica: anyone() }));
  return faults;
}

/** What the operating system kept of a process that was killed, or stopped by itself, is taken over by a restart, and soon put to the test. */
function endAndPowerCut(prng: Prng, { atMs, replica }: { atMs: number; replica: number }): readonly Fault[] {
  const downMs = prng.pick([10, 30]);
  const soonMs = prng.pick([1, 10, 40]);
  const powerCut = { type: "crash", replicas: [replica], by: "power-cut", downMs: prng.pick([1, 30, 200]) } as const;
  if (prng.chance(0.5))
    return [
      { type: "crash", atMs, replicas: [replica], by: "kill", downMs },
      { ...powerCut, atMs: atMs + downMs + soonMs },
    ];
  // Long enough for it to write something; it is restarted after as long again.
  const failingMs = prng.pick([100, 250]);
  return [
    { type: "flush-failure", atMs, replica, downMs: failingMs },
    { ...powerCut, atMs: atMs + 2 * failingMs + soonMs },
  ];
}
