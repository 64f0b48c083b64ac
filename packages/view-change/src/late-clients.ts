import type { PublicKey } from "@quorate/protocol";

/** So many waits of one client, one after another, that were too long are no accident. */
export const LATE_IN_A_ROW = 3;
/** The most clients with such waits that are remembered. */
const CLIENTS_MAX = 1024;

/** A request, of which nothing counts here but its client. */
export interface OfClient {
  readonly request: { readonly client: PublicKey };
}

interface Lateness {
  /** Waits that were too long, less the batches in which the client was served in time. */
  count: number;
  /** When the last of them ended. */
  endedAtMs: number;
  /** The last batch that says something of this client. */
  batch: number;
}

/**
 * Clients whose requests wait for too long again and again. What waits together counts once: a single standstill, however
 * many requests it held up, is not a habit.
 */
export class LateClients {
  readonly #byClient = new Map<PublicKey, Lateness>();
  #batch = 0;

  /** A batch was executed; what follows is about it. */
  onBatch(): void {
    this.#batch += 1;
  }

  /** A request of this client had waited for too long, since `sinceMs`. @returns whether that is a habit. */
  onLate(client: PublicKey, sinceMs: number, atMs: number): boolean {
    const before = this.#byClient.get(client);
    if (before === undefined) {
      if (this.#byClient.size >= CLIENTS_MAX) this.#forgetOldest();
      this.#byClient.set(client, { count: 1, endedAtMs: atMs, batch: this.#batch });
      return false;
    }
    before.batch = this.#batch;
    if (sinceMs < before.endedAtMs) return false;
    before.endedAtMs = atMs;
    before.count += 1;
    return before.count >= LATE_IN_A_ROW;
  }

  /** The clients of the batch's requests: those of whom nothing was late were served in time. */
  onServed(requests: readonly OfClient[]): void {
    if (this.#byClient.size === 0) return;
    for (const { request } of requests) this.#forgive(request.client);
  }

  clear(): void {
    this.#byClient.clear();
  }

  #forgetOldest(): void {
    for (const client of this.#byClient.keys()) {
      this.#byClient.delete(client);
      return;
    }
  }

  #forgive(client: PublicKey): void {
    const lateness = this.#byClient.get(client);
    if (lateness === undefined || lateness.batch === this.#batch) return;
    lateness.batch = this.#batch;
    lateness.count -= 1;
    if (lateness.count === 0) this.#byClient.delete(client);
  }
}
