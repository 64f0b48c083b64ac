import type { Fault } from "./options.ts";
import type { SimulatedReplica } from "./simulated-replica.ts";
import type { World } from "./world.ts";

/** How long a client takes to notice that a link broke. */
const LINK_DOWN_MS = 2;

/** What happens to clients when a replica goes or comes. */
export interface LinkListener {
  onReplicaUp(replica: SimulatedReplica): void;
  onReplicaDown(replica: SimulatedReplica): void;
}

/** Injects the planned faults of a run's safety phase, and ends them all when it is over. */
export class FaultInjector {
  readonly #world: World;
  readonly #replicas: readonly SimulatedReplica[];
  readonly #links: LinkListener;
  #isOver = false;

  constructor(world: World, replicas: readonly SimulatedReplica[], links: LinkListener) {
    this.#world = world;
    this.#replicas = replicas;
    this.#links = links;
  }

  /** Everyone's first start. */
  start(): void {
    for (const replica of this.#replicas) this.#up(replica);
  }

  plan(faults: readonly Fault[]): void {
    for (const fault of faults) this.#world.clock.after(fault.atMs, () => this.#inject(fault));
  }

  /** Faults end: the network heals, and who is down comes back. */
  heal(): void {
    this.#isOver = true;
    this.#world.note("faults end");
    this.#world.network.heal();
    for (const replica of this.#replicas) {
      // One that a failed flush has stopped looks up from outside.
      if (replica.isDiskFailing) this.#down(replica);
      if (replica.host === undefined) this.#up(replica);
    }
  }

  #inject(fault: Fault): void {
    if (this.#isOver) return;
    switch (fault.type) {
      case "crash":
        return this.#crash(fault.replicas, fault.downMs);
      case "cut":
        return this.#cut(fault);
      case "flush-failure":
        this.#replicas[fault.replica]?.failDisk();
        this.#world.clock.after(fault.downMs, () => this.#crash([fault.replica], fault.downMs));
        return;
    }
  }

  #crash(ids: readonly number[], downMs: number): void {
    if (this.#isOver) return;
    const { marks, clock } = this.#world;
    const victims = ids.flatMap((id) => this.#replicas[id] ?? []).filter((replica) => replica.host !== undefined);
    if (victims.length === this.#replicas.length) marks.add("crash: all at once");
    for (const replica of victims) {
      marks.add(replica.id === 0 ? "crash: primary" : "crash: backup");
      this.#down(replica);
      clock.after(downMs, () => {
        if (replica.host === undefined) this.#up(replica);
      });
    }
  }

  #up(replica: SimulatedReplica): void {
    if (this.#world.clock.nowMs > 0) this.#world.marks.add(replica.id === 0 ? "restart: primary" : "restart: backup");
    replica.start();
    this.#links.onReplicaUp(replica);
  }

  #down(replica: SimulatedReplica): void {
    replica.crash();
    this.#world.clock.after(LINK_DOWN_MS, () => this.#links.onReplicaDown(replica));
  }

  #cut({ replica, direction, forMs }: Extract<Fault, { type: "cut" }>): void {
    const { network, marks, clock } = this.#world;
    const end = `r${replica}`;
    const directions = this.#replicas
      .map((other) => other.end)
      .filter((other) => other !== end)
      .flatMap((other) => {
        const cuts: (readonly [string, string])[] = [];
        if (direction !== "out") cuts.push([other, end]);
        if (direction !== "in") cuts.push([end, other]);
        return cuts;
      });
    marks.add(`cut: ${direction}`);
    this.#world.note(`${end} cut ${direction}`);
    for (const [from, to] of directions) network.block(from, to);
    clock.after(forMs, () => {
      for (const [from, to] of directions) network.unblock(from, to);
    });
  }
}
