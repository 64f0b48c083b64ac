import type { ClientStanding } from "@quorate/client-proxy";
import type { Epoch, Membership, ReplicaId, ViewNumber } from "@quorate/protocol";

/** What a client tells of itself, by the type of the event. */
export interface ClientEventMap {
  /** A correct member has reached another view, as f+1 of them say. A hint: views are no proof of anything. */
  readonly view: CustomEvent<{ readonly epoch: Epoch; readonly view: ViewNumber; readonly primary: ReplicaId }>;
  /** The client has come to an epoch, by links that prove it. */
  readonly epoch: CustomEvent<{ readonly membership: Membership }>;
  /** f+1 members are linked, which is what an answer takes. */
  readonly up: CustomEvent<{ readonly linked: readonly ReplicaId[] }>;
  /** Fewer are: calls wait. */
  readonly down: CustomEvent<{ readonly linked: readonly ReplicaId[] }>;
}

type ClientListener<K extends keyof ClientEventMap> = (event: ClientEventMap[K]) => void;

/** An `EventTarget` of which the events have types. */
export interface ClientEvents {
  addEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: ClientListener<K>,
    options?: { readonly once?: boolean; readonly signal?: AbortSignal },
  ): void;
  removeEventListener<K extends keyof ClientEventMap>(type: K, listener: ClientListener<K>): void;
}

/** Tells of what has changed since it was last told where a client stands. */
export class StandingEvents {
  readonly target: ClientEvents;
  readonly #target = new EventTarget();
  #last: ClientStanding;

  constructor(standing: ClientStanding) {
    this.#last = standing;
    this.target = this.#target as ClientEvents;
  }

  onStanding(standing: ClientStanding): void {
    const last = this.#last;
    this.#last = standing;
    const { membership, view, primary, linked, isUp } = standing;
    const { epoch } = membership;
    if (epoch !== last.membership.epoch) this.#tell("epoch", { membership });
    if (view !== last.view || epoch !== last.membership.epoch) this.#tell("view", { epoch, view, primary });
    if (isUp !== last.isUp) this.#tell(isUp ? "up" : "down", { linked });
  }

  #tell<K extends keyof ClientEventMap>(type: K, detail: ClientEventMap[K]["detail"]): void {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
