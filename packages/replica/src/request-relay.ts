import type { Ordering } from "@quorate/pbft-core";
import type { Effect, ReplicaId, Request } from "@quorate/protocol";
import type { ViewChanging } from "@quorate/view-change";
import type { Muteness } from "./muteness.ts";

/** How many requests a backup passes on again at each tick: those that the primary may have lost. */
const PASSED_ON_PER_TICK_MAX = 64;

/** Who is to be asked, and what waits. */
export interface RelayParts {
  readonly ordering: Pick<Ordering, "primary" | "isPrimary" | "waitingSince" | "pendingRequests">;
  readonly viewChanging: Pick<ViewChanging, "isSettled">;
}

/** A backup passes requests on to the one who can order them; between two views there is nobody (OSDI'99 §4.1). */
export class RequestRelay {
  readonly #self: ReplicaId;
  readonly #parts: RelayParts;
  readonly #muteness: Pick<Muteness, "isMute">;

  constructor(self: ReplicaId, parts: RelayParts, muteness: Pick<Muteness, "isMute">) {
    this.#self = self;
    this.#parts = parts;
    this.#muteness = muteness;
  }

  passOn(request: Request, out: Effect[]): void {
    const { ordering, viewChanging } = this.#parts;
    const { primary } = ordering;
    // Mute, it may be the primary and not order, or in a view of long ago whose primary would pass it back.
    if (this.#muteness.isMute || primary === this.#self || !viewChanging.isSettled) return;
    out.push({ type: "send", to: primary, frame: { type: "request", request } });
  }

  /** What was passed on by `sinceMs` may have been lost: nobody is held to what he may not have heard of. */
  passOnAgain(sinceMs: number, out: Effect[]): void {
    const { ordering } = this.#parts;
    if (ordering.isPrimary) return;
    for (const request of ordering.waitingSince(sinceMs, PASSED_ON_PER_TICK_MAX)) this.passOn(request, out);
  }

  /** A view is entered: its primary may have heard of nothing that waits. */
  passOnAll(out: Effect[]): void {
    for (const request of this.#parts.ordering.pendingRequests()) this.passOn(request, out);
  }
}
