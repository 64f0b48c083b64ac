import type { CheckpointOrderer, PlannedCheckpointOrder } from "./checkpoint-orders.ts";
import type { FaultyClient } from "./faulty-client.ts";
import type { SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";
import type { SimulatedClient } from "./simulated-client.ts";
import type { SimulatedOrderer } from "./simulated-orderer.ts";
import type { SimulatedReader } from "./simulated-reader.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import { drawOperation } from "./workload.ts";

/** The calls of each client, spread over the phase of faults and a little beyond. */
export function planWorkload(
  { operations, safetyMs, impatience }: SimulationOptions,
  draw: Prng,
  clients: readonly SimulatedClient[],
  clock: VirtualClock,
): void {
  for (const client of clients) {
    const prng = draw.fork(`workload/${client.index}`);
    for (let planned = 0; planned < operations; ) {
      const burst = Math.min(prng.pick([1, 1, 2, 5]), operations - planned);
      const calls = Array.from({ length: burst }, () => drawOperation(prng));
      const isImpatient = prng.chance(impatience);
      const patienceMs = prng.between(5, 400);
      const cancels = prng.chance(0.3);
      planned += burst;
      clock.after(prng.between(0, safetyMs * 1.1), () => {
        for (const operation of calls) {
          if (!isImpatient) client.submit(operation);
          else if (cancels) cancelLater(client, client.submit(operation), patienceMs, clock);
          else client.submit(operation, Math.ceil(patienceMs));
        }
      });
    }
  }
}

/** The checkpoints that are ordered. */
export function planCheckpointOrders(
  orders: readonly PlannedCheckpointOrder[],
  orderers: ReadonlyMap<CheckpointOrderer, SimulatedOrderer>,
  clock: VirtualClock,
): void {
  for (const { atMs, by, isRepeated } of orders) clock.after(atMs, () => orderers.get(by)?.order(isRepeated));
}

/** Stale reads, spread over the phase of faults and a little beyond. */
export function planStaleReads(
  { safetyMs }: SimulationOptions,
  draw: Prng,
  { readers, reads }: { readonly readers: readonly SimulatedReader[]; readonly reads: number },
  clock: VirtualClock,
): void {
  for (const reader of readers) {
    const prng = draw.fork(`reads/${reader.index}`);
    for (let planned = 0; planned < reads; planned++) clock.after(prng.between(0, safetyMs * 1.1), () => reader.read());
  }
}

/** What faulty clients do, while there are other faults; they learn of the sessions of correct ones. */
export function planMischief(
  { safetyMs }: SimulationOptions,
  draw: Prng,
  faultyClients: readonly FaultyClient[],
  clients: readonly SimulatedClient[],
  clock: VirtualClock,
): void {
  for (const client of faultyClients) {
    const prng = draw.fork(`mischief/${client.index}`);
    for (let acts = prng.integer(10, 40); acts > 0; acts--)
      clock.after(prng.between(0, safetyMs), () => {
        const victim = clients[prng.integer(0, clients.length - 1)]?.session;
        if (victim !== undefined) client.learn(victim);
        client.act();
      });
  }
}

function cancelLater(client: SimulatedClient, call: number, afterMs: number, clock: VirtualClock): void {
  clock.after(afterMs, () => {
    if (client.outcomeOf(call) === undefined) client.cancel(call);
  });
}
