import type { Link, LinkIdentity } from "@quorate/protocol";
import type { AuthenticatedLink } from "./authenticated-link.ts";
import { BackOff, type BackOffOptions, DEFAULT_BACK_OFF } from "./back-off.ts";
import type { FrameSocket } from "./frame-socket.ts";
import type { Endpoint } from "./identity.ts";
import { DEFAULT_LINK_TIMINGS, type LinkLimits, type LinkTimings, PLATFORM_TIMERS, type Timers } from "./limits.ts";
import type { FramedLink, LinkSnapshot } from "./link.ts";
import { PendingLink } from "./pending-link.ts";
import { TransportError } from "./transport-error.ts";

/** What every dialer needs, whatever carries its frames. */
export interface DialOptions {
  readonly endpoint: Endpoint;
  /** Whom to find there; anyone else is refused. A client may be introduced to any replica, which proves no more than a key. */
  readonly expected: LinkIdentity | "any-replica";
  readonly limits: LinkLimits;
  readonly timings?: Partial<LinkTimings>;
  readonly backOff?: BackOffOptions;
  readonly timers?: Timers;
  /** The peer is proven and takes frames. */
  onUp?(link: FramedLink): void;
  /** One whole frame of the peer, never empty. A view: copy what outlives the turn. */
  onFrame(frame: Uint8Array): void;
  /** A link ended, or an attempt failed; unless `close` was called, another follows after a pause. */
  onDown?(reason: TransportError): void;
}

/** A link that is made again whenever it is lost, until `close`. */
export interface PersistentLink extends Link {
  readonly expected: LinkIdentity | "any-replica";
  readonly isUp: boolean;
  /** Counters of the current link; undefined while there is none. */
  snapshot(): LinkSnapshot | undefined;
  /** Frames given to `send` while there was no link. */
  readonly droppedDown: number;
}

/** Opens a connection that is still connecting. Never throws: what goes wrong is told to the handlers. */
export type SocketOpener = () => FrameSocket;

/** Dials at once and for ever; the first attempt starts before this returns. */
export function dialWith(open: SocketOpener, options: DialOptions): PersistentLink {
  return new RedialedLink(open, options);
}

class RedialedLink implements PersistentLink {
  readonly expected: LinkIdentity | "any-replica";
  readonly #open: SocketOpener;
  readonly #options: DialOptions;
  readonly #timings: LinkTimings;
  readonly #timers: Timers;
  readonly #backOff: BackOff;
  #pending: PendingLink | undefined;
  #link: AuthenticatedLink | undefined;
  /** The pause before the next attempt, or the wait until a link counts as lasting. */
  #timer: unknown;
  #isClosed = false;
  #droppedDown = 0;

  constructor(open: SocketOpener, options: DialOptions) {
    this.expected = options.expected;
    this.#open = open;
    this.#options = options;
    this.#timings = { ...DEFAULT_LINK_TIMINGS, ...options.timings };
    this.#timers = options.timers ?? PLATFORM_TIMERS;
    this.#backOff = new BackOff(options.backOff ?? DEFAULT_BACK_OFF, (length) => options.endpoint.randomBytes(length));
    this.#dial();
  }

  get isUp(): boolean {
    return this.#link !== undefined;
  }
  get droppedDown(): number {
    return this.#droppedDown;
  }

  send(frame: Uint8Array): boolean {
    if (this.#link !== undefined) return this.#link.send(frame);
    this.#droppedDown++;
    return false;
  }

  snapshot(): LinkSnapshot | undefined {
    return this.#link?.snapshot();
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timers.clearTimeout(this.#timer);
    this.#link?.close(reason);
    this.#pending?.cut(new TransportError("link.closed", reason));
  }

  #dial(): void {
    const { endpoint, expected, limits } = this.#options;
    this.#pending = new PendingLink({
      socket: this.#open(),
      isOpen: false,
      endpoint,
      side: { type: "dialer", expected },
      timings: this.#timings,
      timers: this.#timers,
      limitsFor: () => limits,
      onEstablished: (link) => this.#onUp(link),
      onFailed: (error) => this.#onDown(error),
    });
  }

  #onUp(link: AuthenticatedLink): void {
    this.#pending = undefined;
    this.#link = link;
    link.start({ onFrame: (frame) => this.#options.onFrame(frame), onDown: (reason) => this.#onDown(reason) });
    // Not at once: a peer that takes us and drops us again must not be dialed without pause.
    this.#timer = this.#timers.setTimeout(() => this.#backOff.reset(), this.#timings.heartbeatMs);
    this.#options.onUp?.(link);
  }

  #onDown(reason: TransportError): void {
    this.#pending = undefined;
    this.#link = undefined;
    this.#timers.clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = this.#timers.setTimeout(() => this.#dial(), this.#backOff.next());
    this.#options.onDown?.(reason);
  }
}
