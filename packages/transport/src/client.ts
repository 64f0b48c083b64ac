/**
 * Links of a client from anywhere that has a WebSocket: the same handshake, bounds and reconnects as in Node, without
 * anything of Node in it.
 *
 * @packageDocumentation
 */
import { BrowserSocket, type BrowserWebSocketConstructor } from "./browser-socket.ts";
import { type DialOptions, dialWith, type PersistentLink } from "./persistent-link.ts";

export type { BackOffOptions } from "./back-off.ts";
export type { BrowserWebSocket, BrowserWebSocketConstructor } from "./browser-socket.ts";
export * from "./identity.ts";
export * from "./limits.ts";
export * from "./link.ts";
export type { DialOptions, PersistentLink } from "./persistent-link.ts";
export * from "./transport-error.ts";

/** Where and whom to dial, and with what. */
export interface WebSocketDialOptions extends DialOptions {
  /** `ws://` or `wss://`, the replica's address, and `/`. */
  readonly url: string;
  /** The platform's WebSocket constructor. */
  readonly webSocket: BrowserWebSocketConstructor;
}

/**
 * Keeps a link to the replica at `url`, through restarts and partitions, until `close`.
 *
 * @throws SyntaxError of the constructor when `url` is not one.
 */
export function dialWebSocket(options: WebSocketDialOptions): PersistentLink {
  return dialWith(() => new BrowserSocket(new options.webSocket(options.url)), options);
}
