import type { Fault, SimulationOptions } from "./options.ts";
import {
  ADMIN_KEYS,
  type ChangeFlaw,
  NO_CHANGES,
  type PlannedChange,
  type PlannedChangeKind,
  STRANGERS,
} from "./planned-changes.ts";
import type { Prng } from "./prng.ts";
import type { SeedDraw } from "./seed-draw.ts";
import { memberChangesFor } from "./swarm-members.ts";

/** Of all seeds. */
const CHANGING = 0.4;
/** Of those with changes: who the members are is changed. */
const OF_MEMBERS = 0.5;
/** Of the changes. */
const FLAWED = 0.2;
const FLAWS = ["other-epoch", "used-nonce", "too-few", "foreign"] as const satisfies readonly ChangeFlaw[];

/** What changes are drawn by. */
export type ChangeDraw = Pick<
  SimulationOptions,
  "replicas" | "clients" | "checkpointInterval" | "windowSize" | "safetyMs" | "faults" | "byzantine" | "clocks"
>;
type Changes = Pick<SimulationOptions, "changes" | "joiners" | "areClientsListed" | "faults" | "byzantine">;

/**
 * The reconfigurations of one seed: mostly a few, some of them close together, and some that can only be refused. In some seeds
 * a client hears of nothing while they happen. Where they are drawn `always` there is one at least.
 */
export function changesFor(
  prng: Prng,
  run: ChangeDraw,
  { isSwarm, changes }: Pick<SeedDraw, "isSwarm" | "changes">,
): Changes {
  const { faults, byzantine } = run;
  const isChanging = prng.chance(CHANGING);
  if (!isChanging && changes !== "always") return { ...NO_CHANGES, faults, byzantine };
  const least = changes === "always" ? 1 : 0;
  const isOfMembers = prng.chance(OF_MEMBERS);
  const members = isOfMembers ? memberChangesFor(prng.fork("members"), run) : { ...NO_CHANGES, faults: [], byzantine };
  const areClientsListed = isSwarm && prng.chance(0.3);
  const moments = Array.from({ length: isOfMembers ? prng.integer(least, 2) : prng.integer(1, 5) }, () =>
    prng.integer(1, run.safetyMs),
  );
  const again = moments.flatMap((atMs) => (prng.chance(0.3) ? [atMs + prng.pick([0, 5, 50])] : []));
  const others = [...moments, ...again].map((atMs): PlannedChange => {
    const flaw = prng.chance(FLAWED) ? prng.pick(FLAWS) : undefined;
    return { atMs, ...kindOf(prng, run, areClientsListed), ...(flaw && { flaw }) };
  });
  const cut = prng.chance(0.3) ? [clientCut(prng, run)] : [];
  return {
    ...members,
    changes: [...others, ...members.changes].sort((a, b) => a.atMs - b.atMs),
    areClientsListed,
    faults: [...faults, ...members.faults, ...cut].sort((a, b) => a.atMs - b.atMs),
  };
}

function clientCut(prng: Prng, { replicas, clients, safetyMs }: ChangeDraw): Fault {
  return {
    type: "cut-client",
    atMs: prng.integer(0, Math.floor(safetyMs / 4)),
    client: prng.integer(0, clients - 1),
    replicas: Array.from({ length: replicas }, (_, id) => id),
    of: "all",
    direction: "both",
    forMs: safetyMs,
  };
}

function kindOf(prng: Prng, run: ChangeDraw, areClientsListed: boolean): PlannedChangeKind {
  const kind = prng.pick([
    "parameters",
    "parameters",
    "parameters",
    "admins",
    "admins",
    "admission",
    "refused",
  ] as const);
  switch (kind) {
    case "parameters":
      return parametersFor(prng, run);
    case "admins":
      return adminsFor(prng);
    case "admission": {
      const isAdmission = areClientsListed ? prng.chance(0.5) : prng.chance(0.2);
      return { type: isAdmission ? "admit" : "expel", stranger: prng.integer(0, STRANGERS - 1) };
    }
    case "refused":
      return refusedFor(prng, run);
  }
}

/** Any K that L is a multiple of; now and then what is not allowed, or changes nothing. */
function parametersFor(prng: Prng, { checkpointInterval: k, windowSize: l }: ChangeDraw): PlannedChangeKind {
  const checkpointInterval = prng.pick([k, Math.ceil(k / 2), Math.max(1, Math.floor(k / 4)), k + 1]);
  const windows = Math.max(2, Math.floor(l / checkpointInterval));
  const windowSize = prng.chance(0.9)
    ? checkpointInterval * Math.min(windows, prng.integer(2, 4))
    : prng.pick([2 * l, checkpointInterval, l + 1]);
  return { type: "parameters", checkpointInterval, windowSize };
}

/** Between one and some keys, and how many of them must sign; now and then more than there are. */
function adminsFor(prng: Prng): PlannedChangeKind {
  const first = prng.integer(0, ADMIN_KEYS - 1);
  const keys = Array.from({ length: prng.integer(1, 3) }, (_, i) => (first + i) % ADMIN_KEYS);
  const threshold = prng.chance(0.9) ? prng.integer(1, keys.length) : keys.length + 1;
  return { type: "admins", threshold, keys };
}

/** Of a replica that there is not. */
function refusedFor(prng: Prng, { replicas }: ChangeDraw): PlannedChangeKind {
  const replica = replicas + 100;
  return prng.chance(0.5) ? { type: "leave", replica, mayLowerFaultThreshold: false } : { type: "rejoin", replica };
}
