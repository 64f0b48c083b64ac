import type { OperationResult, PublicKey } from "@quorate/protocol";

/** Bytes of replies that are made again for one client in a second, and how many may come at once. */
export const REPEATED_BYTES_PER_SECOND_MAX: number = 8 * 1024 * 1024;
/** Clients whose share is remembered; of more the one that asked longest ago is forgotten. */
const CLIENTS_MAX = 4_096;
/** What a reply costs beside its results. */
const REPLY_BYTES = 512;

/**
 * What each client may have made again: a retry of some hundred bytes can ask for megabytes, as often as its client likes
 * (protocol rule 13.1). An answer may exceed what is left of the share, so that the largest one can be had, too; the next
 * then waits the longer.
 */
export class RepeatShare {
  /** When a client's share is whole again, in milliseconds; the one that asked longest ago first. */
  readonly #wholeAtMs = new Map<PublicKey, number>();

  /** Whether anything is left of the client's share. */
  isLeft(client: PublicKey, atMs: number): boolean {
    return (this.#wholeAtMs.get(client) ?? atMs) - atMs < 1_000;
  }

  /** A reply with these results was made again. */
  spend(client: PublicKey, atMs: number, results: readonly Pick<OperationResult, "value">[]): void {
    let bytes = REPLY_BYTES;
    for (const { value } of results) bytes += value.length;
    const costMs = (1_000 * bytes) / REPEATED_BYTES_PER_SECOND_MAX;
    const wholeAtMs = Math.max(atMs, this.#wholeAtMs.get(client) ?? atMs) + costMs;
    this.#wholeAtMs.delete(client);
    for (const oldest of this.#wholeAtMs.keys()) {
      if (this.#wholeAtMs.size < CLIENTS_MAX) break;
      this.#wholeAtMs.delete(oldest);
    }
    this.#wholeAtMs.set(client, wholeAtMs);
  }
}
