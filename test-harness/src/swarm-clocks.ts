import { type ClockFault, EPOCH_1970_MS, EPOCH_2106_MS, HOUR_MS } from "./clock-fault.ts";
import type { SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";

/** What is wrong with the clocks of one seed; only one of the f is decades away. */
export function clocksFor(
  prng: Prng,
  replicas: number,
  byzantine: SimulationOptions["byzantine"],
): readonly ClockFault[] {
  const clocks: ClockFault[] = [];
  const [faulty] = byzantine;
  if (faulty !== undefined && prng.chance(0.2)) {
    const epochMs = prng.pick([EPOCH_1970_MS, EPOCH_2106_MS]);
    clocks.push({ replica: faulty.replica, type: "runs-from", epochMs });
  }
  if (!prng.chance(0.2)) return clocks;
  const wrong = prng.chance(0.3) ? replicas : 1;
  const first = prng.integer(0, replicas - 1);
  for (let i = 0; i < wrong; i++) {
    const replica = (first + i) % replicas;
    if (clocks.every((clock) => clock.replica !== replica)) clocks.push(clockFault(prng, replica));
  }
  return clocks;
}

function clockFault(prng: Prng, replica: number): ClockFault {
  const ms = prng.pick([-HOUR_MS, HOUR_MS, -1_000, 1_000]);
  switch (prng.pick<"offset" | "strobe" | "set-back">(["offset", "strobe", "set-back"])) {
    case "offset":
      return { replica, type: "offset", ms };
    case "strobe":
      return { replica, type: "strobe", ms, eachMs: prng.pick([7, 150]) };
    case "set-back":
      return { replica, type: "set-back", ms: Math.abs(ms), atMs: prng.integer(100, 1_500) };
  }
}
