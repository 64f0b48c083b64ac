import type { Marks } from "./marks.ts";
import type { Prng } from "./prng.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** One end of links: `r2` or `c0`. */
export type EndPoint = string;

/** How bad the network is. Probabilities are per frame. */
export interface LinkFaults {
  /** The most that any direction loses; each draws its own rate up to it. */
  readonly lossMax: number;
  readonly duplicate: number;
  /** A straggler arrives up to `straggleMs` late, behind what was sent after it. */
  readonly straggle: number;
  readonly straggleMs: number;
  /** The shortest delay of the fastest and of the slowest direction. */
  readonly delayMs: readonly [least: number, greatest: number];
  /** Added to each frame's delay, from 0 up to this. */
  readonly jitterMs: number;
}

interface Direction {
  readonly delayMs: number;
  readonly loss: number;
  blocks: number;
  sent: number;
  lastDelivered: number;
}

/**
 * Directed links between any two ends: lossy, duplicating, reordering, each direction with a delay and a loss rate of
 * its own. What is in flight when one of its ends crashes is lost.
 */
export class Network {
  readonly #clock: VirtualClock;
  readonly #prng: Prng;
  readonly #faults: LinkFaults;
  readonly #marks: Marks;
  readonly #directions = new Map<string, Direction>();
  readonly #generations = new Map<EndPoint, number>();
  /** Of what is sent to an end, at the least; its directions may lose more. */
  readonly #losses = new Map<EndPoint, number>();
  #isHealed = false;

  constructor(clock: VirtualClock, prng: Prng, faults: LinkFaults, marks: Marks) {
    this.#clock = clock;
    this.#prng = prng;
    this.#faults = faults;
    this.#marks = marks;
  }

  /** Carries a frame, or does not. `deliver` runs later, once or twice, or never. */
  send(from: EndPoint, to: EndPoint, deliver: () => void): void {
    const direction = this.#direction(from, to);
    direction.sent += 1;
    if (direction.blocks > 0) return this.#marks.add("network: frame cut off");
    const loss = Math.max(direction.loss, this.#losses.get(to) ?? 0);
    if (!this.#isHealed && this.#prng.chance(loss)) return this.#marks.add("network: frame lost");
    this.#carry(from, to, direction, deliver);
    if (this.#isHealed || !this.#prng.chance(this.#faults.duplicate)) return;
    this.#marks.add("network: frame duplicated");
    this.#carry(from, to, direction, deliver);
  }

  /** As `send`, but nothing less than a crash of an end loses it: what a transport does when it connects. */
  sendReliably(from: EndPoint, to: EndPoint, deliver: () => void): void {
    const direction = this.#direction(from, to);
    this.#clock.after(direction.delayMs, this.#unlessCrashed(from, to, deliver));
  }

  /** Loses everything in flight from and to this end. */
  crash(end: EndPoint): void {
    this.#generations.set(end, this.#generation(end) + 1);
  }

  /** From now on at least so much of what is sent to this end is lost. */
  lose(to: EndPoint, loss: number): void {
    this.#losses.set(to, loss);
  }

  /** Cuts one direction until as many calls of `unblock` as of `block`. */
  block(from: EndPoint, to: EndPoint): void {
    this.#direction(from, to).blocks += 1;
  }
  unblock(from: EndPoint, to: EndPoint): void {
    const direction = this.#direction(from, to);
    direction.blocks = Math.max(0, direction.blocks - 1);
  }

  /** Ends all faults but delay and jitter. */
  heal(): void {
    this.#isHealed = true;
    for (const direction of this.#directions.values()) direction.blocks = 0;
  }

  #carry(from: EndPoint, to: EndPoint, direction: Direction, deliver: () => void): void {
    const number = direction.sent;
    let delayMs = direction.delayMs + this.#prng.between(0, this.#faults.jitterMs);
    if (!this.#isHealed && this.#prng.chance(this.#faults.straggle))
      delayMs += this.#prng.between(0, this.#faults.straggleMs);
    const arrive = this.#unlessCrashed(from, to, deliver);
    this.#clock.after(delayMs, () => {
      if (number < direction.lastDelivered) this.#marks.add("network: frame overtaken");
      else direction.lastDelivered = number;
      arrive();
    });
  }

  #unlessCrashed(from: EndPoint, to: EndPoint, deliver: () => void): () => void {
    const sender = this.#generation(from);
    const receiver = this.#generation(to);
    return () => {
      if (this.#generation(from) === sender && this.#generation(to) === receiver) deliver();
      else this.#marks.add("network: frame lost in a crash");
    };
  }

  #generation(end: EndPoint): number {
    return this.#generations.get(end) ?? 0;
  }

  #direction(from: EndPoint, to: EndPoint): Direction {
    const name = `${from}>${to}`;
    let direction = this.#directions.get(name);
    if (direction === undefined) {
      const own = this.#prng.fork(name);
      const [least, greatest] = this.#faults.delayMs;
      const delayMs = own.between(least, greatest);
      const loss = own.between(this.#faults.lossMax / 4, this.#faults.lossMax);
      direction = { delayMs, loss, blocks: 0, sent: 0, lastDelivered: 0 };
      this.#directions.set(name, direction);
    }
    return direction;
  }
}
