import { bytesToHex } from "@quorate/protocol";
import { sealed, unsealed } from "@quorate/state-tree";
import type { ReplicaStore } from "@quorate/storage";
import type { EndDrawing } from "./end-drawing.ts";
import type { StatePart } from "./options.ts";
import type { Prng } from "./prng.ts";
import type { World } from "./world.ts";

/** By the first byte of keys, from the first to the last of each part. */
const FIRST_BYTES: Readonly<Record<StatePart, readonly [number, number]>> = { service: [1, 1], sessions: [3, 4] };

export interface StateFaultsOptions {
  /** The name of the replica in the trace. */
  readonly end: string;
  readonly prng: Prng;
  readonly drawing: EndDrawing;
  /** Undefined when its disk is lost. */
  readonly store: () => ReplicaStore | undefined;
  /** It is up, with a state, on a disk that works. */
  readonly isRunning: () => boolean;
  /** Its state is wrong from now on. */
  readonly onDiverging: () => void;
}

/** What goes wrong with the state of one replica while it runs: entries that are damaged, and entries that are whole and other ones. */
export class StateFaults {
  readonly #world: World;
  readonly #o: StateFaultsOptions;
  /** Times that its state became wrong, and the flush that makes this durable is under way. */
  #volatileDivergences = 0;

  constructor(world: World, options: StateFaultsOptions) {
    this.#world = world;
    this.#o = options;
  }

  /** The state is wrong, and right again if it goes back to what is durable. */
  get isVolatile(): boolean {
    return this.#volatileDivergences > 0;
  }

  /** The replica is down: no flush is under way. */
  onCrash(): void {
    this.#volatileDivergences = 0;
  }

  /** A bit of an entry of the state flips. */
  damage(part: StatePart | undefined): void {
    const { end, prng, drawing, isRunning } = this.#o;
    const store = this.#o.store();
    if (store === undefined || !isRunning()) return;
    const entries = entriesOf(store, part);
    const entry = entries[prng.integer(0, entries.length - 1)];
    if (entry === undefined) return;
    const [key, record] = entry;
    const flipped = new Uint8Array(record);
    const bit = prng.integer(0, 8 * record.length - 1);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    store.state.write([{ key, value: flipped }]);
    this.#world.marks.add("state: damaged");
    if (part !== undefined) this.#world.marks.add(`state: damaged in ${part}`);
    this.#world.note(`${end} a bit flips in the entry at ${bytesToHex(key)}`);
    drawing.happened("disk", "a bit of the state flips");
  }

  /**
   * An entry of the service is another one from now on, and looks whole: what is made of it is wrong.
   *
   * @param key which one; drawn if it is left out.
   */
  diverge(key: number | undefined): void {
    const { end, prng, drawing, isRunning, onDiverging } = this.#o;
    const store = this.#o.store();
    if (store === undefined || !isRunning()) return;
    const entries = entriesOf(store, "service");
    const entry = entries[(key ?? prng.integer(0, entries.length - 1)) % entries.length];
    if (entry === undefined) return;
    const { hasher } = this.#world.cluster;
    const [at, record] = entry;
    const value = new Uint8Array(unsealed(hasher, at, record) ?? []);
    const last = value.length - 1;
    value[last] = (value[last] ?? 0) ^ 1;
    store.state.write([{ key: at, value: sealed(hasher, at, value) }]);
    this.#becomeDurable(store);
    onDiverging();
    this.#world.note(`${end} has another entry at ${bytesToHex(at)}`);
    drawing.happened("disk", "an entry of the state is another one");
  }

  /** What it says by this it says again after a crash: one that is right again by the crash never finds out, and contradicts itself. */
  #becomeDurable(store: ReplicaStore): void {
    this.#volatileDivergences += 1;
    store.flush((failure) => {
      if (failure === undefined && store === this.#o.store()) this.#volatileDivergences -= 1;
    });
  }
}

function entriesOf(store: ReplicaStore, part: StatePart | undefined): (readonly [Uint8Array, Uint8Array])[] {
  if (part === undefined) return [...store.state.range(new Uint8Array(0), undefined)];
  const [first, last] = FIRST_BYTES[part];
  return [...store.state.range(Uint8Array.of(first), Uint8Array.of(last + 1))];
}
