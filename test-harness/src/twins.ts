import { accusedOf, type Evidence, type ReplicaFrame, type ReplicaId } from "@quorate/protocol";
import type { ByzantineBehaviour } from "./byzantine.ts";
import type { Checker } from "./checkers/checker.ts";
import { envelopeIn, promiseOf } from "./checkers/promises.ts";
import { type DiskImage, imageOf } from "./disk-image.ts";
import type { EndPoint } from "./network.ts";
import type { SimulationOptions } from "./options.ts";
import type { Prng } from "./prng.ts";
import { SimulatedReplica, type SimulatedReplicaOptions } from "./simulated-replica.ts";
import type { World } from "./world.ts";

/** Whether a member with this behaviour exists twice. */
export function isTwin(behaviour: ByzantineBehaviour | undefined): boolean {
  return behaviour === "twins" || behaviour === "twins-with-an-old-disk";
}

/** Which of two replicas with one key. */
type Twin = "first" | "second";

/** What one twin needs to know of its life in two places. */
export interface TwinPlace {
  readonly end: EndPoint;
  /** Whether it and this peer hear each other in this round. */
  reaches(peer: EndPoint): boolean;
  onSent(frame: ReplicaFrame): void;
}

/** Whom a peer talks to in one round. */
type Choice = Twin | "both" | "neither";

/** What is remembered of what the two promised: more than a run has. */
const PROMISES_MAX = 100_000;
const TWIN_DOWN_MS = 40;

/**
 * One member that exists twice: two unmodified replicas with one id and one key, each with a disk of its own. The network
 * decides round by round which of the two a peer talks to. Neither lies; the member they are equivocates, votes twice and
 * forgets (Bano et al., "Twins: BFT systems made robust").
 */
export class Twins {
  readonly first: SimulatedReplica;
  readonly #second: SimulatedReplica;
  readonly #member: number;
  readonly #world: World;
  readonly #prng: Prng;
  readonly #behaviour: ByzantineBehaviour | undefined;
  readonly #peers: readonly EndPoint[];
  readonly #choices = new Map<EndPoint, Choice>();
  readonly #promised = new Map<string, string>();
  #image: DiskImage | undefined;

  constructor(world: World, options: SimulatedReplicaOptions, { replicas }: SimulationOptions) {
    this.#world = world;
    this.#member = options.id;
    this.#behaviour = options.byzantine;
    this.#prng = options.prng.fork("twins");
    this.#peers = [
      ...Array.from({ length: replicas }, (_, id) => `r${id}`).filter((end) => end !== `r${options.id}`),
      ...world.cluster.clientSeeds.map((_, index) => `c${index}`),
    ];
    this.first = new SimulatedReplica(world, { ...options, twin: this.#place("first") });
    const prng = options.prng.fork("second");
    const image = (): DiskImage | undefined => this.#image;
    this.#second = new SimulatedReplica(world, { ...options, prng, twin: this.#place("second"), image });
    this.#drawRound();
  }

  /** Both of them. */
  get all(): readonly SimulatedReplica[] {
    return [this.first, this.#second];
  }

  /** Those whom this peer talks to in this round. */
  heardBy(peer: EndPoint): readonly SimulatedReplica[] {
    return [
      ...(this.#reaches("first", peer) ? [this.first] : []),
      ...(this.#reaches("second", peer) ? [this.#second] : []),
    ];
  }

  /** Plans the rounds, and the life of the second one. In the end everyone talks to whom he talks to then. */
  start(safetyMs: number): void {
    const { clock, marks } = this.#world;
    const roundMs = this.#prng.pick([40, 150, 400, 1000]);
    for (let atMs = roundMs; atMs <= safetyMs; atMs += roundMs) clock.after(atMs, () => this.#drawRound());
    if (this.#behaviour !== "twins-with-an-old-disk") {
      this.#second.start();
      if (this.#prng.chance(0.5)) clock.after(this.#prng.integer(100, safetyMs), () => this.#restart());
      return;
    }
    const copiedMs = this.#prng.integer(50, Math.floor(safetyMs / 3));
    clock.after(copiedMs, () => {
      const { store } = this.first;
      if (store !== undefined) this.#image = imageOf(store);
    });
    clock.after(this.#prng.integer(copiedMs + 50, Math.floor(safetyMs * 0.7)), () => {
      marks.add("twins: one from an old disk");
      this.#second.start();
    });
  }

  #place(twin: Twin): TwinPlace {
    return {
      end: twin === "first" ? `r${this.#member}` : `r${this.#member}'`,
      reaches: (peer) => this.#reaches(twin, peer),
      onSent: (frame) => this.#onSent(frame),
    };
  }

  #reaches(twin: Twin, peer: EndPoint): boolean {
    const choice = this.#choices.get(peer) ?? "both";
    return choice === "both" || choice === twin;
  }

  #restart(): void {
    this.#second.crash("power-cut");
    this.#world.clock.after(TWIN_DOWN_MS, () => this.#second.start());
  }

  #drawRound(): void {
    const shape = this.#prng.pick(["halves", "halves", "one", "any", "together"]);
    const alone = this.#prng.integer(0, this.#peers.length - 1);
    for (const [place, peer] of this.#peers.entries()) this.#choices.set(peer, this.#choose(shape, place === alone));
    const of = (choice: Choice): string => this.#peers.filter((peer) => this.#choices.get(peer) === choice).join();
    this.#world.note(`twins of r${this.#member}: ${of("first")} | ${of("second")} | both ${of("both")}`);
  }

  #choose(shape: string, isAlone: boolean): Choice {
    switch (shape) {
      case "halves":
        return this.#prng.pick(["first", "second"]);
      case "one":
        return isAlone ? "second" : "first";
      case "together":
        return "both";
      default:
        return this.#prng.pick<Choice>(["first", "second", "both", "neither"]);
    }
  }

  /** Counts what the member contradicts itself in, whichever of the two said it. */
  #onSent(frame: ReplicaFrame): void {
    const envelope = envelopeIn(frame);
    if (envelope === undefined || envelope.from !== this.#member) return;
    const promise = promiseOf(envelope.message);
    if (promise === undefined) return;
    const before = this.#promised.get(promise.place);
    if (before === undefined) {
      if (this.#promised.size < PROMISES_MAX) this.#promised.set(promise.place, promise.content);
      return;
    }
    if (before === promise.content) return;
    const { marks } = this.#world;
    marks.add("twins equivocated");
    marks.add(`byzantine: ${this.#behaviour}`);
    marks.add(`twins equivocated in ${envelope.message.type}`);
  }
}

/** Marks evidence that names a member that exists twice; that it names no other is `PromisesChecker`'s to see. */
export class TwinsChecker implements Checker {
  readonly #isTwin: (replica: ReplicaId) => boolean;
  readonly #mark: (name: string) => void;

  constructor(isTwin: (replica: ReplicaId) => boolean, mark: (name: string) => void) {
    this.#isTwin = isTwin;
    this.#mark = mark;
  }

  onEvidence(_by: ReplicaId, evidence: Evidence): void {
    if (this.#isTwin(accusedOf(evidence))) this.#mark("evidence names a twin");
  }
}
