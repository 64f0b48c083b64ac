import type { LinkIdentity } from "@quorate/protocol";
import { AuthenticatedLink } from "./authenticated-link.ts";
import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { Handshake, type HandshakeSide } from "./handshake.ts";
import { FOREIGN_HELLO_BYTES_MAX } from "./hello.ts";
import type { Endpoint } from "./identity.ts";
import type { LinkLimits, LinkTimings, Timers } from "./limits.ts";
import { closeCodeOf, closeReason, TransportError } from "./transport-error.ts";

/** What a connection needs to become a link. */
export interface PendingLinkOptions {
  readonly socket: FrameSocket;
  /** Whether the socket is open already; otherwise `onOpen` will come. */
  readonly isOpen: boolean;
  readonly endpoint: Endpoint;
  readonly side: HandshakeSide;
  readonly timings: LinkTimings;
  readonly timers: Timers;
  limitsFor(peer: LinkIdentity): LinkLimits;
  /** Last word before the peer is told that it is welcome: there may be no place for it. */
  refusePlace?(peer: LinkIdentity): TransportError | undefined;
  /** Must `start` the link before it returns. */
  onEstablished(link: AuthenticatedLink): void;
  /** The connection came to nothing; the peer has been told why. */
  onFailed(error: TransportError): void;
}

/** A connection until its peer is proven: a few bytes, a few seconds, two frames, or it is cut. */
export class PendingLink implements FrameSocketHandlers {
  readonly #options: PendingLinkOptions;
  readonly #handshake: Handshake;
  readonly #deadline: unknown;
  #isOver = false;

  constructor(options: PendingLinkOptions) {
    this.#options = options;
    this.#handshake = new Handshake(options.endpoint, options.side);
    const { unauthenticatedMs } = options.timings;
    this.#deadline = options.timers.setTimeout(
      () => this.cut(new TransportError("hello.timeout", `no proven peer within ${unauthenticatedMs} ms`)),
      unauthenticatedMs,
    );
    options.socket.expectFrames(FOREIGN_HELLO_BYTES_MAX);
    options.socket.attach(this);
    if (options.isOpen) this.onOpen();
  }

  /** Gives the connection up and tells the peer why. */
  cut(error: TransportError): void {
    if (this.#isOver) return;
    this.#options.socket.close(closeCodeOf(error.code), closeReason(error.message));
    this.#fail(error);
  }

  onOpen(): void {
    const opening = this.#handshake.opening();
    if (opening !== undefined && !this.#isOver) this.#options.socket.send(opening);
  }

  onFrame(frame: Uint8Array): void {
    if (this.#isOver) return;
    const step = this.#handshake.receive(frame);
    if (step.type === "send") this.#options.socket.send(step.frame);
    else if (step.type === "refused") this.cut(step.error);
    else this.#establish(step.peer, step.frame);
  }

  onControl(): void {
    this.cut(new TransportError("link.control-flood", "a ping or pong before the handshake"));
  }

  onEnd(error: TransportError): void {
    if (!this.#isOver) this.#fail(error);
  }

  #establish(peer: LinkIdentity, proof: Uint8Array | undefined): void {
    const { socket, side, timings, timers } = this.#options;
    const noPlace = this.#options.refusePlace?.(peer);
    if (noPlace !== undefined) return this.cut(noPlace);
    this.#end();
    if (proof !== undefined) socket.send(proof);
    const limits = this.#options.limitsFor(peer);
    const echoesProbes = side.type === "listener";
    this.#options.onEstablished(new AuthenticatedLink({ socket, peer, limits, timings, timers, echoesProbes }));
  }

  #fail(error: TransportError): void {
    this.#end();
    this.#options.onFailed(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#options.timers.clearTimeout(this.#deadline);
  }
}
