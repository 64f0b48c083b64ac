import type { AddressedDialOptions } from "./dial.ts";
import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { type Address, formatAddress } from "./limits.ts";
import type { Listener, ListenOptions } from "./listen.ts";
import type { PendingLink } from "./pending-link.ts";
import { dialWith, type PersistentLink } from "./persistent-link.ts";
import { type ListenerSnapshot, Reception } from "./reception.ts";
import { errorOfClose, TransportError } from "./transport-error.ts";

const FIRST_PORT = 20_000;

/**
 * A network inside one process: `listen` and `dial` as of the real one, with the same handshake, bounds and errors, but
 * without sockets. For tests; addresses mean something only within one such network.
 */
export class LoopbackNetwork {
  readonly #listeners = new Map<string, LoopbackListener>();
  #nextPort = FIRST_PORT;

  /** @throws TransportError `listen.address-in-use` (the promise rejects). */
  async listen(options: ListenOptions): Promise<Listener> {
    const port = options.address.port === 0 ? this.#nextPort++ : options.address.port;
    const address = { host: options.address.host, port };
    const key = formatAddress(address);
    if (this.#listeners.has(key))
      throw new TransportError("listen.address-in-use", `cannot listen on ${key}: it is taken`);
    const listener = new LoopbackListener(address, options, () => this.#listeners.delete(key));
    this.#listeners.set(key, listener);
    return listener;
  }

  /** Keeps a link to the listener at `address`, whether it is there already or not. */
  dial(options: AddressedDialOptions): PersistentLink {
    return dialWith(() => this.#open(options.address), options);
  }

  #open(address: string): FrameSocket {
    const [near, far] = LoopbackSocket.pair();
    setImmediate(() => {
      const listener = this.#listeners.get(address);
      if (listener === undefined) return near.fail(new TransportError("dial.refused", "nobody listens there"));
      listener.receive(far);
      near.open();
    });
    return near;
  }
}

class LoopbackListener implements Listener {
  readonly address: Address;
  readonly #reception: Reception;
  readonly #forget: () => void;
  readonly #strangers = new Set<PendingLink>();
  #connections = 0;

  constructor(address: Address, options: ListenOptions, forget: () => void) {
    this.address = address;
    this.#reception = new Reception(options);
    this.#forget = forget;
  }

  receive(socket: FrameSocket): void {
    this.#connections++;
    const pending = this.#reception.receive(socket, {
      onProven: () => void this.#strangers.delete(pending),
      onFailed: (error) => {
        this.#strangers.delete(pending);
        this.#reception.onRefused(error, "loopback");
      },
    });
    this.#strangers.add(pending);
  }

  snapshot(): ListenerSnapshot {
    return this.#reception.snapshot(this.#connections, this.#strangers.size);
  }

  async close(reason: string): Promise<void> {
    this.#forget();
    for (const link of this.#reception.links.all()) link.close(reason);
    for (const pending of this.#strangers) pending.cut(new TransportError("link.closed", reason));
  }
}

/** One end of a connection in memory. What is sent arrives in order, in later turns of the event loop. */
class LoopbackSocket implements FrameSocket {
  #other: LoopbackSocket | undefined;
  #handlers: FrameSocketHandlers | undefined;
  #frameBytesMax = 0;
  #queuedBytes = 0;
  #receivedBytes = 0;
  #isClosed = false;

  static pair(): readonly [LoopbackSocket, LoopbackSocket] {
    const [near, far] = [new LoopbackSocket(), new LoopbackSocket()];
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  open(): void {
    if (!this.#isClosed) this.#handlers?.onOpen();
  }

  fail(error: TransportError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers?.onEnd(error);
  }

  attach(handlers: FrameSocketHandlers): void {
    this.#handlers = handlers;
  }

  expectFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    const copy = frame.slice();
    this.#queuedBytes += copy.length;
    setImmediate(() => {
      this.#queuedBytes -= copy.length;
      const other = this.#other;
      if (other !== undefined) other.#receive(copy);
    });
  }

  probe(): void {
    setImmediate(() => {
      const other = this.#other;
      if (other !== undefined && !other.#isClosed) this.#receivedBytes++;
    });
  }

  close(closeCode: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    setImmediate(() => this.#other?.fail(errorOfClose(closeCode, reason)));
  }

  #receive(frame: Uint8Array): void {
    if (this.#isClosed) return;
    this.#receivedBytes += frame.length + 1;
    if (frame.length <= this.#frameBytesMax) return this.#handlers?.onFrame(frame);
    const message = `the other end sent a frame of ${frame.length} bytes`;
    this.#other?.fail(errorOfClose(1009, message));
    this.fail(new TransportError("link.frame-too-large", message));
  }
}
