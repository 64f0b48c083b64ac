import type { ReplicaId } from "@quorate/protocol";

/** How much one peer may ask of us: `burst` units (answers, bytes) at once, then one every `refillMs`. */
export interface ServingBudgetOptions {
  readonly burst: number;
  readonly refillMs: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A token bucket per peer, so that one that asks for ever gets its share and no more (protocol rule 13.1). */
export class ServingBudget {
  readonly #options: ServingBudgetOptions;
  /** Bounded: by the members, and the places for observers. */
  readonly #buckets = new Map<ReplicaId, Bucket>();

  constructor(options: ServingBudgetOptions) {
    this.#options = options;
  }

  /** Whether `peer` may be served `cost` units at `atMs`, at most `burst`; if so, they are counted. */
  take(peer: ReplicaId, atMs: number, cost = 1): boolean {
    const { burst, refillMs } = this.#options;
    const bucket = this.#buckets.get(peer) ?? { tokens: burst, atMs };
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, atMs - bucket.atMs) / refillMs);
    bucket.atMs = atMs;
    this.#buckets.set(peer, bucket);
    if (bucket.tokens < cost) return false;
    bucket.tokens -= cost;
    return true;
  }

  /** Something that the peers had reason to ask for has happened: each gets `units` back, up to the burst. */
  grant(units: number): void {
    for (const bucket of this.#buckets.values()) bucket.tokens = Math.min(this.#options.burst, bucket.tokens + units);
  }
}
