/** The part of a link that counts here. */
export interface QueueingLink {
  /** Bytes in this process that the peer has not taken yet; 0 once the link is down. */
  readonly queuedBytes: number;
  /** Ends the link because this much waits for it, and lets go of what waits. */
  cut(): void;
}

/** The share of the bound that is free again after links were cut, so that it is not counted anew for every frame. */
const ROOM_SHARE = 1 / 16;

/**
 * What waits in this process for all peers of one role together, clients or observers. Each link has its own bound, but links are many:
 * when the total comes to the bound, those with the most waiting are cut until a sixteenth of it is free.
 */
export class QueuedOutput {
  readonly #bytesMax: number;
  readonly #links = new Set<QueueingLink>();
  /** At least what waits: what peers have taken since the last count is still in it. */
  #bytesAtMost = 0;
  #cutLinks = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that wait now; looks at every link. */
  get bytes(): number {
    let bytes = 0;
    for (const link of this.#links) bytes += link.queuedBytes;
    return bytes;
  }
  /** Links that were cut because the total had come to its bound. */
  get cutLinks(): number {
    return this.#cutLinks;
  }

  add(link: QueueingLink): void {
    this.#links.add(link);
  }

  remove(link: QueueingLink): void {
    this.#links.delete(link);
  }

  /** To be called before a link queues so many bytes more; that very link may be the one that is cut. */
  makeRoomFor(bytes: number): void {
    this.#bytesAtMost += bytes;
    if (this.#bytesAtMost <= this.#bytesMax) return;
    this.#bytesAtMost = this.bytes + bytes;
    if (this.#bytesAtMost > this.#bytesMax * (1 - ROOM_SHARE)) this.#cutLargest();
  }

  #cutLargest(): void {
    const largestFirst = [...this.#links]
      .map((link) => ({ link, queuedBytes: link.queuedBytes }))
      .sort((a, b) => b.queuedBytes - a.queuedBytes);
    for (const { link, queuedBytes } of largestFirst) {
      if (this.#bytesAtMost <= this.#bytesMax * (1 - ROOM_SHARE) || queuedBytes === 0) return;
      this.#bytesAtMost -= queuedBytes;
      this.#cutLinks++;
      link.cut();
    }
  }
}
