import type { Fill, PublicKey } from "@quorate/protocol";
import type { PendingRequest } from "./pending-request.ts";

/** Bounds on what waits. One client cannot take another's share. */
export interface PendingLimits {
  readonly pendingMax: number;
  readonly pendingPerClientMax: number;
  readonly pendingBytesMax: number;
}

type Sized = Pick<PendingRequest, "client" | "bytes">;

/** How much waits, in all and of each client, and whether there is room for more. */
export class PendingShares {
  readonly #limits: PendingLimits;
  readonly #perClient = new Map<PublicKey, number>();
  #count = 0;
  #bytes = 0;

  constructor(limits: PendingLimits) {
    this.#limits = limits;
  }

  get fills(): readonly Fill[] {
    const { pendingMax, pendingPerClientMax, pendingBytesMax } = this.#limits;
    return [
      { of: "pending requests", size: this.#count, max: pendingMax },
      { of: "pending requests of a client", size: Math.max(0, ...this.#perClient.values()), max: pendingPerClientMax },
      { of: "bytes of pending requests", size: this.#bytes, max: pendingBytesMax },
    ];
  }

  add({ client, bytes }: Sized): void {
    this.#count += 1;
    this.#bytes += bytes;
    this.#perClient.set(client, (this.#perClient.get(client) ?? 0) + 1);
  }

  remove({ client, bytes }: Sized): void {
    this.#count -= 1;
    this.#bytes -= bytes;
    const left = (this.#perClient.get(client) ?? 0) - 1;
    if (left > 0) this.#perClient.set(client, left);
    else this.#perClient.delete(client);
  }

  isShareFull(client: PublicKey): boolean {
    return (this.#perClient.get(client) ?? 0) >= this.#limits.pendingPerClientMax;
  }

  hasRoomFor({ bytes }: Sized, leaving = 0, leavingBytes = 0): boolean {
    const { pendingMax, pendingBytesMax } = this.#limits;
    return this.#count - leaving < pendingMax && this.#bytes - leavingBytes + bytes <= pendingBytesMax;
  }
}
