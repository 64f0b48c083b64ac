import type { ReplicaId } from "@quorate/protocol";
import type { LinkSnapshot } from "@quorate/transport";

/** What went over the links with one peer, and what did not. */
export interface Traffic {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames that were not sent: the queue was full, the frame too large, the link down. */
  readonly queueFull: number;
  readonly tooLarge: number;
  readonly down: number;
}

const NONE: Traffic = { framesIn: 0, bytesIn: 0, framesOut: 0, bytesOut: 0, queueFull: 0, tooLarge: 0, down: 0 };

/** Counts on over all links with a peer: those of a link end with it. Bounded by n. */
export class PeerTraffic {
  readonly #past = new Map<ReplicaId, Traffic>();

  /** A link has ended; this is what it had counted. */
  onEnded(peer: ReplicaId, last: LinkSnapshot): void {
    this.#past.set(peer, this.of(peer, last));
  }

  /** A frame for a peer that has no link. */
  onUnsent(peer: ReplicaId): void {
    const past = this.#past.get(peer) ?? NONE;
    this.#past.set(peer, { ...past, down: past.down + 1 });
  }

  /** Since the process started. */
  of(peer: ReplicaId, current: LinkSnapshot | undefined): Traffic {
    const past = this.#past.get(peer) ?? NONE;
    if (current === undefined) return past;
    const { queueFull, tooLarge, down } = current.dropped;
    return {
      framesIn: past.framesIn + current.framesIn,
      bytesIn: past.bytesIn + current.bytesIn,
      framesOut: past.framesOut + current.framesOut,
      bytesOut: past.bytesOut + current.bytesOut,
      queueFull: past.queueFull + queueFull,
      tooLarge: past.tooLarge + tooLarge,
      down: past.down + down,
    };
  }
}
