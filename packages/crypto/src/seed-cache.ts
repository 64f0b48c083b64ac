import { bytesToHex, equalBytes } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { SEED_SIZE } from "./validity-rule.ts";

/** Seeds whose key is remembered: one for each replica and client of a process. */
const SEEDS_MAX = 256;

/** What a back end makes of a seed, once. A process signs with one seed as a rule, which is found without spelling it. */
export class SeedCache<K extends object> {
  readonly #expand: (seed: Uint8Array) => K;
  readonly #keys = new BoundedCache<string, K>(SEEDS_MAX);
  readonly #lastSeed = new Uint8Array(SEED_SIZE);
  #lastKey: K | undefined;

  constructor(expand: (seed: Uint8Array) => K) {
    this.#expand = expand;
  }

  /** What `expand` makes of these 32 bytes. */
  keyOf(seed: Uint8Array): K {
    if (this.#lastKey !== undefined && equalBytes(this.#lastSeed, seed)) return this.#lastKey;
    const id = bytesToHex(seed);
    const key = this.#keys.get(id) ?? this.#expand(seed);
    this.#keys.set(id, key);
    this.#lastSeed.set(seed);
    this.#lastKey = key;
    return key;
  }
}
