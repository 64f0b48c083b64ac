import type { PublicKey } from "@quorate/protocol";

/** Clients whose share is remembered; of more the one that asked longest ago is forgotten. */
const CLIENTS_MAX = 4_096;
/** How much of a share may be used at once: that of so many milliseconds. */
const BURST_MS = 1_000;

/**
 * What each client may have of something that costs us more than it costs the client (protocol rule 13.1): a share per
 * second, that of one second at once. One use may exceed what is left, so that the largest can be had, too; the next
 * then waits the longer.
 */
export class ClientShare {
  readonly #unitsPerSecondMax: number;
  /** When a client's share is whole again, in milliseconds; the one that asked longest ago first. */
  readonly #wholeAtMs = new Map<PublicKey, number>();

  constructor(unitsPerSecondMax: number) {
    this.#unitsPerSecondMax = unitsPerSecondMax;
  }

  /** Whether anything is left of the client's share. */
  isLeft(client: PublicKey, atMs: number): boolean {
    return (this.#wholeAtMs.get(client) ?? atMs) - atMs < BURST_MS;
  }

  /** The client has had so many units. */
  spend(client: PublicKey, atMs: number, units: number): void {
    const costMs = (1_000 * units) / this.#unitsPerSecondMax;
    const wholeAtMs = Math.max(atMs, this.#wholeAtMs.get(client) ?? atMs) + costMs;
    this.#wholeAtMs.delete(client);
    for (const oldest of this.#wholeAtMs.keys()) {
      if (this.#wholeAtMs.size < CLIENTS_MAX) break;
      this.#wholeAtMs.delete(oldest);
    }
    this.#wholeAtMs.set(client, wholeAtMs);
  }
}
