import type { Link, LinkIdentity } from "@quorate/protocol";
import type { TransportError } from "./transport-error.ts";

/** Counters of one link since it was established. */
export interface LinkSnapshot {
  readonly peer: LinkIdentity;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Bytes in this process that the peer has not taken yet. */
  readonly queuedBytes: number;
  /** Frames that `send` did not take, by reason. */
  readonly dropped: {
    readonly queueFull: number;
    readonly tooLarge: number;
    readonly down: number;
  };
}

/** One end of an authenticated connection to `peer`. */
export interface FramedLink extends Link {
  readonly peer: LinkIdentity;
  /**
   * Hands the frame to the connection in this turn. False, and counted, when the frame is greater than the limit, the
   * queue is full or the link is down. The bytes must not change afterwards: they may be sent without a copy. An empty
   * frame is the link's own heartbeat and may not be sent.
   */
  send(frame: Uint8Array): boolean;
  /** Tells the peer `reason` and ends the link; `onDown` is called before this returns. */
  close(reason: string): void;
  snapshot(): LinkSnapshot;
}

/** What a link tells its owner. */
export interface LinkHandlers {
  /** One whole frame of the peer, never empty. A view: copy what outlives the turn. */
  onFrame(frame: Uint8Array): void;
  /** Once, as the last call. */
  onDown(reason: TransportError): void;
}
