import { type CutDirection, cutLabels } from "./cut-labels.ts";
import type { CrashKind } from "./disk/simulated-files.ts";
import { isLinked, type LinkShape } from "./link-shape.ts";
import type { Fault, Victim } from "./options.ts";
import type { PlannedJoiner } from "./planned-changes.ts";
import type { SimulatedReplica } from "./simulated-replica.ts";
import type { Span, SpanKind } from "./space-time.ts";
import type { World } from "./world.ts";

/** How long a client takes to notice that a link broke. */
const LINK_DOWN_MS = 2;

/** So many stable checkpoints behind is worth a mark. */
const LAG_CHECKPOINTS = 3;

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

  /** Everyone's first start: of joiners when their time has come. */
  start(joiners: readonly PlannedJoiner[]): void {
    const members = this.#replicas.length - joiners.length;
    for (const [number, replica] of this.#replicas.entries()) {
      const atMs = joiners[number - members]?.atMs;
      if (atMs === undefined) this.#up(replica);
      else this.#world.clock.after(atMs, () => replica.host === undefined && this.#up(replica));
    }
  }

  plan(faults: readonly Fault[]): void {
    for (const fault of faults) this.#world.clock.after(fault.atMs, () => this.#inject(fault));
  }

  /** Faults end: the network heals, and who is down comes back. */
  heal(): void {
    this.#isOver = true;
    this.#world.note("faults end");
    this.#markLaggards();
    this.#world.network.heal();
    for (const kind of ["cut", "disk"] as const) this.#world.spaceTime?.ended(kind, this.#world.clock.nowMs);
    for (const replica of this.#replicas) {
      replica.resume();
      // One that a failed flush has stopped looks up from outside; one whose disk is full now may have such a flush under way.
      if (replica.isDiskFailing || replica.isDiskFull) this.#down(replica, "kill");
      replica.isDiskFull = false;
      replica.stallMs = 0;
      if (replica.host === undefined && !replica.isRefused) this.#up(replica);
    }
  }

  /** One that was cut off for so long that only the histories of others can bring it back. */
  #markLaggards(): void {
    const { checkpointInterval } = this.#world.cluster.genesis;
    const lows = this.#replicas.flatMap(({ host, isCorrect }) => (isCorrect && host ? [host.status.lowWatermark] : []));
    const isFarBehind = lows.some((low) => low + LAG_CHECKPOINTS * checkpointInterval <= Math.max(...lows));
    if (isFarBehind) this.#world.marks.add("partition: several checkpoints behind when it heals");
  }

  #inject(fault: Fault): void {
    if (this.#isOver) return;
    switch (fault.type) {
      case "crash":
        return this.#crash(
          fault.replicas.map((victim) => this.#idOf(victim)),
          fault.downMs,
          fault.by,
        );
      case "pause":
        return this.#pause(this.#idOf(fault.replica), fault.forMs);
      case "cut":
        return this.#isolate(this.#idOf(fault.replica), fault.direction, fault.forMs);
      case "lossy":
        this.#draw(`r${fault.replica}`, "cut", `loses ${Math.round(fault.loss * 100)} % of what is sent to it`);
        return this.#world.network.lose(`r${fault.replica}`, fault.loss);
      case "cut-edge":
        this.#world.marks.add("cut: one edge");
        return this.#cut([[`r${fault.from}`, `r${fault.to}`]], fault.forMs);
      case "partition":
        return this.#partition(fault.groups, fault.forMs);
      case "cut-client":
        return this.#cutClient(fault);
      case "links":
        return this.#leaveLinks(fault.shape, fault.order, fault.forMs);
      case "isolate-primaries":
        return this.#isolatePrimaries(fault.times, fault.eachMs);
      case "hand-over":
        return this.#replicas[this.#idOf(fault.replica)]?.handOver();
      case "lose-disk":
        return this.#loseDisk(fault.replica, fault.downMs, fault.isUnnoticed === true);
      case "flush-failure":
        this.#replicas[fault.replica]?.failDisk();
        this.#world.clock.after(fault.downMs, () => this.#crash([fault.replica], fault.downMs, "kill"));
        return;
      case "disk-full":
        return this.#fillDisk(fault.replica, fault.forMs, fault.downMs);
      case "damage-state":
        return this.#replicas[fault.replica]?.damageState(fault.part);
      case "diverge":
        return this.#replicas[fault.replica]?.diverge(fault.key);
      case "slow-disk":
        return this.#slowDisk(fault.replica, fault.flushMs, fault.forMs);
      case "disk-damage":
        return this.#damageDisk(fault);
    }
  }

  /** The primary of the highest view in which a correct replica that runs is, or of view 0. */
  get #primary(): number {
    let highest = { view: -1, primary: 0 };
    for (const { host, isCorrect } of this.#replicas)
      if (isCorrect && host !== undefined && host.status.view > highest.view) highest = host.status;
    return highest.primary;
  }

  #idOf(victim: Victim): number {
    return victim === "primary" ? this.#primary : victim;
  }

  #crash(ids: readonly number[], downMs: number, by: CrashKind = "power-cut"): void {
    if (this.#isOver) return;
    const { marks, clock } = this.#world;
    const primary = this.#primary;
    const victims = ids.flatMap((id) => this.#replicas[id] ?? []).filter((replica) => replica.host !== undefined);
    if (victims.length >= this.#world.cluster.membership.members.length) marks.add("crash: all at once");
    for (const replica of victims) {
      const role = replica.id === primary ? "primary" : "backup";
      marks.add(`crash: ${role}`);
      this.#down(replica, by);
      clock.after(downMs, () => {
        if (replica.host !== undefined || replica.isRefused) return;
        marks.add(`restart: ${role}`);
        this.#up(replica);
      });
    }
  }

  #loseDisk(id: number, downMs: number, isUnnoticed: boolean): void {
    this.#world.marks.add("disk: lost");
    this.#crash([id], downMs);
    this.#replicas[id]?.loseDisk(isUnnoticed);
  }

  #up(replica: SimulatedReplica): void {
    replica.start();
    if (replica.host !== undefined) this.#links.onReplicaUp(replica);
  }

  #down(replica: SimulatedReplica, by: CrashKind): void {
    replica.crash(by);
    this.#world.clock.after(LINK_DOWN_MS, () => this.#links.onReplicaDown(replica));
  }

  /** A watchdog restarts the replica as often as it stops; when there is space again, it runs on. */
  #fillDisk(id: number, forMs: number, downMs: number): void {
    const replica = this.#replicas[id];
    if (replica === undefined || this.#isOver) return;
    const { clock } = this.#world;
    this.#world.note(`${replica.end} disk full`);
    replica.isDiskFull = true;
    const drawnAs = this.#draw(replica.end, "disk", "disk full");
    const untilMs = clock.nowMs + forMs;
    const watch = (): void => {
      if (this.#isOver) return;
      if (clock.nowMs >= untilMs) {
        replica.isDiskFull = false;
        if (drawnAs !== undefined) drawnAs.toMs ??= clock.nowMs;
      }
      if (replica.isDiskFailing) this.#crash([id], 1, "kill");
      if (clock.nowMs < untilMs || replica.isDiskFailing) clock.after(downMs, watch);
    };
    clock.after(downMs, watch);
  }

  #slowDisk(id: number, flushMs: number, forMs: number): void {
    const replica = this.#replicas[id];
    if (replica === undefined) return;
    this.#world.note(`${replica.end} flushes take ${flushMs} ms more`);
    replica.stallMs = flushMs;
    const drawnAs = this.#draw(replica.end, "disk", `flushes take ${Math.round(flushMs)} ms more`);
    this.#world.clock.after(forMs, () => {
      replica.stallMs = 0;
      if (drawnAs !== undefined) drawnAs.toMs ??= this.#world.clock.nowMs;
    });
  }

  #damageDisk({ replica: id, damage, downMs, by }: Extract<Fault, { type: "disk-damage" }>): void {
    const replica = this.#replicas[id];
    const other = this.#replicas[(id + 1) % this.#replicas.length];
    if (replica === undefined || other === undefined) return;
    this.#crash([id], downMs, by);
    if (replica.host === undefined) replica.damageDisk(damage, other);
  }

  #pause(id: number, forMs: number): void {
    const replica = this.#replicas[id];
    if (replica?.host === undefined) return;
    this.#world.marks.add(`pause: ${id === this.#primary ? "primary" : "backup"}`);
    replica.pause();
    this.#world.clock.after(forMs, () => replica.resume());
  }

  #isolate(id: number, direction: "in" | "out" | "both", forMs: number): void {
    const end = `r${id}`;
    const directions = this.#ends
      .filter((other) => other !== end)
      .flatMap((other) => {
        const cuts: CutDirection[] = [];
        if (direction !== "out") cuts.push([other, end]);
        if (direction !== "in") cuts.push([end, other]);
        return cuts;
      });
    this.#world.marks.add(`cut: ${direction}`);
    this.#world.note(`${end} cut ${direction}`);
    this.#cut(directions, forMs);
  }

  #partition(groups: readonly (readonly number[])[], forMs: number): void {
    const sizes = groups.map((group) => group.length).join("/");
    this.#world.marks.add(sizes === "1/1/1/1" ? "partition: 1/1/1/1" : `partition: into ${groups.length}`);
    this.#world.note(`partition ${groups.map((group) => group.join()).join(" | ")}`);
    const isTogether = (a: string, b: string): boolean =>
      groups.some((group) => [a, b].every((end) => group.some((id) => end === `r${id}`)));
    const directions = this.#ends.flatMap((from) =>
      this.#ends.filter((to) => to !== from && !isTogether(from, to)).map((to) => [from, to] as const),
    );
    this.#cut(directions, forMs);
  }

  #cutClient({ client, replicas, of, direction, forMs }: Extract<Fault, { type: "cut-client" }>): void {
    const end = `c${client}`;
    this.#world.marks.add(`client cut: ${of === "partition" ? "in a half of a partition" : `off ${of}`}`);
    this.#world.marks.add(`client cut: ${direction}`);
    this.#world.note(`${end} cut ${direction} of ${replicas.join()}`);
    const cuts = replicas.flatMap((id): CutDirection[] => [
      ...(direction === "out" ? [] : ([[`r${id}`, end]] as const)),
      ...(direction === "in" ? [] : ([[end, `r${id}`]] as const)),
    ]);
    this.#cut(cuts, forMs);
  }

  #leaveLinks(shape: LinkShape, order: readonly number[], forMs: number): void {
    this.#world.marks.add(`links: ${shape}`);
    this.#world.note(`links left: ${shape} of ${order.join()}`);
    const directions = order.flatMap((from, i) =>
      order.flatMap((to, k) =>
        i === k || isLinked(shape, i, k, order.length) ? [] : [[`r${from}`, `r${to}`] as const],
      ),
    );
    this.#cut(directions, forMs);
  }

  #isolatePrimaries(times: number, eachMs: number): void {
    if (this.#isOver || times === 0) return;
    this.#world.marks.add(times === 1 ? "isolated: the last of some primaries" : "isolated: primary");
    this.#isolate(this.#primary, "both", eachMs);
    this.#world.clock.after(eachMs, () => this.#isolatePrimaries(times - 1, eachMs));
  }

  get #ends(): readonly string[] {
    return this.#replicas.map(({ end }) => end);
  }

  #cut(directions: readonly CutDirection[], forMs: number): void {
    const { network, clock } = this.#world;
    for (const [from, to] of directions) network.block(from, to);
    const drawnAs = [...cutLabels(directions)].map(([end, label]) => this.#draw(end, "cut", label));
    clock.after(forMs, () => {
      for (const [from, to] of directions) network.unblock(from, to);
      for (const span of drawnAs) if (span !== undefined) span.toMs ??= clock.nowMs;
    });
  }

  #draw(end: string, kind: SpanKind, label: string): Span | undefined {
    return this.#world.spaceTime?.began(end, kind, label, this.#world.clock.nowMs);
  }
}
