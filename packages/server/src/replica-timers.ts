import type { TimerName } from "@quorate/protocol";

/** All of them, or it does not compile. */
const ALL: Readonly<Record<TimerName, true>> = {
  status: true,
  "clock-wait": true,
  "null-batch": true,
  fetch: true,
  progress: true,
  "view-change": true,
};

/** The timers that a replica asks its host for. */
export const REPLICA_TIMERS = Object.keys(ALL) as readonly TimerName[];
