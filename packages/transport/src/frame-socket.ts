import type { TransportError } from "./transport-error.ts";

/** What a connection tells its owner. After `onEnd` nothing more comes. */
export interface FrameSocketHandlers {
  /** The connection stands; frames may be sent. Not called for a socket that was open from the start. */
  onOpen(): void;
  /** One whole frame; empty ones too. */
  onFrame(frame: Uint8Array): void;
  /** A ping or a pong of the peer came; the socket has answered it already. */
  onControl(): void;
  /** Once, whoever ended it, except after `close` from this side. */
  onEnd(error: TransportError): void;
}

/**
 * One connection that carries frames, not yet authenticated: the port behind which WebSockets of Node, WebSockets of
 * browsers and the in-memory loopback are the same.
 */
export interface FrameSocket {
  /** Bytes accepted by `send` that have not left this process. */
  readonly queuedBytes: number;
  /** Bytes that ever arrived; grows with anything at all, also within a frame. */
  readonly receivedBytes: number;
  /** Sets who is told from now on. */
  attach(handlers: FrameSocketHandlers): void;
  /** The greatest frame that may come from now on; a peer that sends more is cut off. */
  expectFrames(frameBytesMax: number): void;
  /** Never throws. `frame` must not change afterwards: it may be sent without a copy. */
  send(frame: Uint8Array): void;
  /** Sends something that makes a living peer answer. */
  probe(): void;
  /** Says why, within a bounded time, and lets go. Nothing is told to the handlers any more. */
  close(closeCode: number, reason: string): void;
}
