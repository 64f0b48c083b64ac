import type { Socket } from "node:net";
import type { Visit } from "./door.ts";
import type { PendingLink } from "./pending-link.ts";
import { TransportError } from "./transport-error.ts";

/** A TCP connection from its first packet until its peer is proven or it is gone. */
export class Guest {
  /** The handshake, once the connection has become a WebSocket. */
  pending: PendingLink | undefined;
  readonly #socket: Socket;
  readonly #visit: Visit;
  readonly #onRefused: (error: TransportError) => void;
  readonly #deadline: NodeJS.Timeout;
  #isStranger = true;

  constructor(socket: Socket, visit: Visit, unauthenticatedMs: number, onRefused: (error: TransportError) => void) {
    this.#socket = socket;
    this.#visit = visit;
    this.#onRefused = onRefused;
    this.#deadline = setTimeout(
      () => this.cut(new TransportError("hello.timeout", `no proven peer within ${unauthenticatedMs} ms`)),
      unauthenticatedMs,
    );
  }

  /** Ends the connection unless its peer is proven. */
  cut(error: TransportError): void {
    if (!this.#isStranger) return;
    if (this.pending !== undefined) return this.pending.cut(error);
    this.#socket.destroy();
    this.onFailed(error);
  }

  onFailed(error: TransportError): void {
    if (this.#isStranger) this.#onRefused(error);
    this.#settle();
  }

  onProven(): void {
    this.#visit.onProven();
    this.#settle();
  }

  /** The connection is closed. */
  onLeft(): void {
    this.#settle();
    this.#visit.onLeft();
  }

  #settle(): void {
    this.#isStranger = false;
    clearTimeout(this.#deadline);
  }
}
