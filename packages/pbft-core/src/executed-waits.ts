import type { ServedRequest } from "@quorate/protocol";

/** What had waited for a batch that is executed now. */
export interface ExecutedWaits {
  /** How long the number, since it prepared, or the oldest of the requests in it had waited here, in milliseconds. */
  readonly waitedMs: number;
  /** Requests that the primary was held to here and that have their output now. */
  readonly served: readonly ServedRequest[];
  /** Whether it prepared here in this view: it was not learned from others later. */
  readonly isOrderedHere: boolean;
}
